"""Made-up images and triplets, and plain versions of weighted metrics."""

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from model.distances import Pairs, TripletDistances
from model.intervals import Interval, percentile_interval, require_interval
from model.resampling import draw_artists, weighted_roc_auc


def painted(
    seed: int, artists: int, images: int, apart: float, dimensions: int = 4
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Images scattered with deviation 1 around their artist, artists with deviation `apart`."""
    rng = np.random.default_rng(seed)
    artist = np.repeat(np.arange(artists), images)
    points = rng.normal(scale=apart, size=(artists, dimensions))[artist]
    points += rng.normal(size=points.shape)
    return points.astype(np.float32), artist


def some_triplets(
    seed: int, artists: int = 10, count: int = 400
) -> tuple[TripletDistances, NDArray[np.intp], NDArray[np.intp]]:
    """Distances of triplets, and their anchors' and negatives' artists."""
    rng = np.random.default_rng(seed)
    anchor = np.arange(count) % artists
    negative = (anchor + rng.integers(1, artists, count)) % artists
    positive_dist = rng.integers(0, 8, count).astype(np.float32)
    negative_dist = (rng.integers(1, 8, count) + anchor / artists).astype(np.float32)
    return TripletDistances(positive_dist, negative_dist), anchor, negative


def weights(
    pairs: Pairs, artist: NDArray[np.intp], times: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Weights of pairs: m_a for one artist, m_a m_b for two, for artists drawn m times."""
    first, second = times[artist[pairs.first_idx]], times[artist[pairs.second_idx]]
    return np.where(pairs.same_artist, first, first * second)


def naive_auc(pairs: Pairs, artist: NDArray[np.intp], times: NDArray[np.float64]) -> float:
    """ROC AUC of the drawn pairs, by scikit-learn."""
    weight = weights(pairs, artist, times)
    kept = weight > 0
    return float(
        roc_auc_score(pairs.same_artist[kept], -pairs.distance[kept], sample_weight=weight[kept])
    )


def roc_auc_interval(
    pairs: Pairs, artists: NDArray[np.integer], *, resamples: int, seed: int
) -> Interval:
    """The interval of the ROC AUC over all pairs."""
    draws = draw_artists(artists, resamples, seed)
    figures = weighted_roc_auc(pairs, draws.artist, draws.drawn)
    return require_interval(percentile_interval(figures))

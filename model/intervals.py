"""How sure a figure is: 95 % intervals from resampling artists with replacement.

Images of one artist are alike, and an image is in many pairs, so pairs are far from independent;
what was drawn independently is the artists. `resampling` draws them anew as many times as asked
for, and judges each draw; the interval lies between percentiles of the resampled figures (Efron &
Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13; clusters: Field & Welsh 2007,
"Bootstrapping clustered data").
"""

from dataclasses import dataclass

import numpy as np

from model.distances import (
    Float64,
    Integers,
    Pairs,
    TripletDistances,
    require_both_kinds,
    require_triplets,
)
from model.errors import ModelInputError
from model.resampling import draw_artists, weighted_roc_auc, weighted_triplet_accuracy


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval of a figure."""

    low: float
    high: float


def roc_auc_interval(
    pairs: Pairs, artists: Integers, *, resamples: int, seed: int, confidence: float = 0.95
) -> Interval:
    """Interval of `metrics.roc_auc` over `pairs` of images by `artists` (N,).

    A resample without pairs of both kinds is skipped; `ModelInputError` is raised where all are.
    """
    require_both_kinds(pairs)
    draws = draw_artists(artists, resamples, seed)
    figures = weighted_roc_auc(pairs, draws.artist, draws.drawn)
    return require_interval(percentile_interval(figures, confidence))


def triplet_accuracy_interval(
    distances: TripletDistances,
    anchor_artist: Integers,
    negative_artist: Integers,
    *,
    resamples: int,
    seed: int,
    confidence: float = 0.95,
) -> Interval:
    """Interval of `metrics.triplet_accuracy`, given each triplet's two artists (T,).

    A resample that leaves no triplet is skipped; `ModelInputError` is raised where all do.
    """
    require_triplets(distances)
    draws = draw_artists(np.concatenate([anchor_artist, negative_artist]), resamples, seed)
    anchor, negative = draws.artist.reshape(2, -1)
    figures = weighted_triplet_accuracy(distances, anchor, negative, draws.drawn)
    return require_interval(percentile_interval(figures, confidence))


def percentile_interval(figures: Float64, confidence: float = 0.95) -> Interval | None:
    """Interval between percentiles of the resampled `figures` (B,), NaN marking those without one.

    None where no resample has a figure.

    >>> percentile_interval(np.array([0.0, 0.5, np.nan, 1.0]), confidence=0.5)
    Interval(low=0.25, high=0.75)
    """
    usable = figures[~np.isnan(figures)]
    if not len(usable):
        return None
    low, high = np.quantile(usable, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(high))


def require_interval(interval: Interval | None) -> Interval:
    """Return the interval. Raises `ModelInputError` where no resample had a figure."""
    if interval is None:
        raise ModelInputError("no resample held anything to judge; take more resamples or artists")
    return interval

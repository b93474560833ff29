"""Measure how well each artist's images are told from all others."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist

from model.distances import Float32, Float64, Integers, finite_points
from model.intervals import Interval, percentile_interval


@dataclass(frozen=True, slots=True)
class ArtistMeasures:
    """The figures of one artist; None where they cannot be measured, as on a single image.

    ``triplet_accuracy`` is over all triplets whose anchor is by the artist; its ``interval`` comes
    from resampling the anchors. ``roc_auc`` compares the artist's own pairs with all pairs of one
    image by the artist and one by somebody else.
    """

    artist: int
    n_images: int
    triplet_accuracy: float | None
    interval: Interval | None
    roc_auc: float | None
    nearest_wrong: int  # the artist that most of the nearest images by somebody else are by


def measure_artists(
    embeddings: Float32, artists: Integers, *, resamples: int, seed: int
) -> list[ArtistMeasures]:
    """Measure every artist of `embeddings` (N, D) by `artists` (N,), in ascending order.

    Ties count half. There must be two artists.

    >>> points, artists = np.float32([[0], [1], [3], [7]]), np.array([0, 0, 1, 1])
    >>> for each in measure_artists(points, artists, resamples=10, seed=0):
    ...     print(each.artist, each.triplet_accuracy, each.roc_auc, each.nearest_wrong)
    0 1.0 1.0 1
    1 0.5 0.5 0
    """
    points, rng = finite_points(embeddings), np.random.default_rng(seed)
    return [_measure(points, artists, int(artist), resamples, rng) for artist in np.unique(artists)]


def _measure(
    points: Float64, artists: Integers, artist: int, resamples: int, rng: np.random.Generator
) -> ArtistMeasures:
    own = np.flatnonzero(artists == artist)
    others = np.flatnonzero(artists != artist)
    wrong = cdist(points[own], points[others])  # (n, N - n)
    nearest = np.bincount(artists[others[wrong.argmin(axis=1)]])
    n_images, nearest_wrong = len(own), int(nearest.argmax())
    if n_images == 1:
        return ArtistMeasures(artist, 1, None, None, None, nearest_wrong)
    right = cdist(points[own], points[own])
    by_anchor = np.array(
        [
            _share_further(wrong[anchor], np.delete(right[anchor], anchor))
            for anchor in range(n_images)
        ]
    )
    drawn = by_anchor[rng.integers(n_images, size=(resamples, n_images))].mean(axis=1)
    return ArtistMeasures(
        artist,
        n_images,
        triplet_accuracy=float(by_anchor.mean()),
        interval=percentile_interval(drawn),
        roc_auc=_share_further(wrong.ravel(), right[np.triu_indices(n_images, 1)]),
        nearest_wrong=nearest_wrong,
    )


def _share_further(different: Float64, same: Float64) -> float:
    """Share of the comparisons in which a distance of `different` exceeds one of `same`."""
    ordered = np.sort(different)
    nearer = (np.searchsorted(ordered, same, side) for side in ("left", "right"))
    return 1 - float(np.mean(sum(nearer))) / (2 * len(ordered))

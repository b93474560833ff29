"""Euclidean distances between embeddings, of all pairs or of given triplets.

They are computed in float64 from differences, so that equal embeddings have distance 0, and stored
as float32.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.errors import ModelInputError

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Integers = NDArray[np.integer]

GATHERED = 1024  # pairs at a time, whose embeddings fit a core's cache: four times as fast
NO_SAME_PAIR = "the split has no two images by one artist; add a second image of some artist"
NO_DIFFERENT_PAIR = "the split has no two images by different artists; add a second artist"


@dataclass(frozen=True, slots=True)
class Pairs:
    """All unordered pairs of a split's images, in the order of `scipy.spatial.distance.pdist`."""

    first_idx: NDArray[np.int32]  # (P,) rows of the embeddings; first_idx < second_idx
    second_idx: NDArray[np.int32]  # (P,)
    distance: Float32  # (P,)
    same_artist: NDArray[np.bool_]  # (P,) the truth


@dataclass(frozen=True, slots=True)
class TripletDistances:
    """The two distances of each triplet."""

    positive_dist: Float32  # (T,) anchor to positive
    negative_dist: Float32  # (T,) anchor to negative


def all_pairs(embeddings: Float32, artists: Integers) -> Pairs:
    """Measure all N (N - 1) / 2 pairs of `embeddings` (N, D) by `artists` (N,).

    A pair takes 13 bytes: 104 MB for 4,000 images, and about three times that at the peak. Raises
    `ModelInputError` if an embedding is not finite.

    >>> pairs = all_pairs(np.float32([[0], [1], [3]]), np.array([7, 7, 8]))
    >>> pairs.distance.tolist(), pairs.same_artist.tolist()
    ([1.0, 3.0, 2.0], [True, False, False])
    """
    from scipy.spatial.distance import pdist  # takes a third of a second

    rows = np.arange(len(artists), dtype=np.int32)
    first_idx = np.repeat(rows, rows[::-1])
    second_idx = np.concatenate([rows[:0], *(rows[row + 1 :] for row in rows)])
    distance = pdist(finite_points(embeddings)).astype(np.float32)
    return Pairs(first_idx, second_idx, distance, artists[first_idx] == artists[second_idx])


def triplet_distances(
    embeddings: Float32, anchor_idx: Integers, positive_idx: Integers, negative_idx: Integers
) -> TripletDistances:
    """Measure triplets given as row numbers (T,) of `embeddings` (N, D).

    Raises `ModelInputError` if an embedding is not finite.

    >>> distances = triplet_distances(np.float32([[0], [1], [3]]), *np.array([[0], [1], [2]]))
    >>> distances.positive_dist.tolist(), distances.negative_dist.tolist()
    ([1.0], [3.0])
    """
    points = finite_points(embeddings)
    positive_dist = row_distances(points, anchor_idx, positive_idx)
    negative_dist = row_distances(points, anchor_idx, negative_idx)
    return TripletDistances(positive_dist.astype(np.float32), negative_dist.astype(np.float32))


def row_distances(points: Float64, first_idx: Integers, second_idx: Integers) -> Float64:
    """Measure pairs given as row numbers (P,) of `points` (N, D): (P,).

    >>> row_distances(np.float64([[0], [1], [3]]), np.array([0, 1]), np.array([1, 2])).tolist()
    [1.0, 2.0]
    """
    distance = np.empty(len(first_idx))
    for start in range(0, len(first_idx), GATHERED):
        rows = slice(start, start + GATHERED)
        gap = points.take(first_idx[rows], axis=0) - points.take(second_idx[rows], axis=0)
        np.sqrt(np.einsum("ij,ij->i", gap, gap), out=distance[rows])
    return distance


def finite_points(embeddings: Float32) -> Float64:
    """Return `embeddings` (N, D) as float64; raises `ModelInputError` if training diverged."""
    require_finite(embeddings)
    return embeddings.astype(np.float64)


def require_finite(*embeddings: Float32) -> None:
    """Raise `ModelInputError` if training diverged: some embeddings are not finite."""
    if not all(np.isfinite(each).all() for each in embeddings):
        raise ModelInputError("some embeddings are not finite; lower learning_rate and train again")


def predicted_same(distance: NDArray[np.floating], threshold: float) -> NDArray[np.bool_]:
    """Whether each distance is at most `threshold`, compared in float64 as a database does.

    NumPy alone would first round the threshold to float32.

    >>> predicted_same(np.float32([1, 2, 3]), 2.0).tolist()
    [True, True, False]
    """
    return distance.astype(np.float64) <= threshold


def require_both_kinds(pairs: Pairs) -> None:
    """Raise `ModelInputError` unless there are pairs by one artist and by two."""
    if not pairs.same_artist.any():
        raise ModelInputError(NO_SAME_PAIR)
    if pairs.same_artist.all():
        raise ModelInputError(NO_DIFFERENT_PAIR)


def require_triplets(distances: TripletDistances) -> None:
    """Raise `ModelInputError` if there is no triplet to average over."""
    if not len(distances.positive_dist):
        raise ModelInputError("there are no triplets to evaluate; ask for at least one")

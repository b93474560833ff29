"""What a network has seen, to tell pictures that are unlike all of it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.distances import Float32, Float64, Integers, Pairs
from model.neighbours import nearest

KEPT = 1_000
"""So many images stand for all of a split."""
USUAL = 99.0  # percentile
BINS = 60


@dataclass(frozen=True, slots=True, eq=False)
class Experience:
    """Training images, and how far the pictures of validation are from them and each other."""

    seen: Float32  # (M, F) training images as the head is given them
    reach: float  # how far a painting by a new artist is from the nearest of them, at most usually
    edges: Float64  # (B + 1,) of the histograms of distances
    same: Integers  # (B,) validation pairs by one artist
    different: Integers  # (B,) validation pairs by two


def gather_experience(seen: Float32, unseen: Float32, pairs: Pairs) -> Experience:
    """Measure validation images ``unseen`` (N, F), and their ``pairs``, against ``seen`` (M, F).

    Images are given as the head is given them. Embeddings would not do: the network puts whatever
    it does not know among the paintings.

    The reach is the 99th percentile of their distance to the nearest training image. The training
    images' own distances would be too small a measure, for the network knows them.

    >>> from model.distances import all_pairs
    >>> seen, unseen = np.float32([[0], [10]]), np.float32([[1], [12]])
    >>> round(gather_experience(seen, unseen, all_pairs(unseen, np.array([0, 1]))).reach, 2)
    1.99
    """
    edges = np.linspace(0, float(pairs.distance.max()) or 1.0, BINS + 1)
    return Experience(
        seen,
        float(np.percentile(_to_nearest(unseen, seen), USUAL)),
        edges,
        np.histogram(pairs.distance[pairs.same_artist], edges)[0],
        np.histogram(pairs.distance[~pairs.same_artist], edges)[0],
    )


def spread_out(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Choose at most `KEPT` of the rows (N,), evenly."""
    return rows[np.unique(np.linspace(0, len(rows) - 1, KEPT).astype(np.intp))]


def are_unfamiliar(features: Float32, known: Experience) -> NDArray[np.bool_]:
    """Whether each picture (N, F) is farther from the training images than paintings usually are.

    Such a picture may be a photograph, a drawing, or of a kind that was not trained on.
    """
    return _to_nearest(features, known.seen) > known.reach


def _to_nearest(points: Float32, others: Float32) -> Float32:
    return nearest(points, others, 1).distance[:, 0]

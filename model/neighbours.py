"""The nearest embeddings of a gallery: by measuring all, or by an index where they are too many."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.distances import Float32, Integers, require_finite

EXACT = 200_000
"""Up to so many embeddings every distance is measured; the time grows with the square."""
BLOCK = 256  # queries at a time
LOOKED_AT = 256  # nodes of an index's graph at least, for each neighbour that is looked up
SPARE = 8  # more candidates than wanted: rounding may swap those of nearly equal distance

Search = Callable[[Float32], NDArray[np.int64]]


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """The K nearest of a gallery to each of Q queries, nearest first."""

    rows: NDArray[np.int64]  # (Q, K) of the gallery
    distance: Float32  # (Q, K)


def nearest(
    queries: Float32,
    gallery: Float32,
    count: int,
    own: Integers | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Neighbours:
    """Find the ``count`` nearest of ``gallery`` (N, D) to each of ``queries`` (Q, D).

    ``own`` (Q,) are the queries' own rows in the gallery, which are left out. K is ``count``, or
    less in a smaller gallery. Beyond `EXACT` embeddings a few neighbours may be missed. Raises
    `ModelInputError` if an embedding is not finite.

    >>> found = nearest(np.float32([[0], [4]]), np.float32([[0], [1], [3]]), count=2)
    >>> found.rows.tolist(), found.distance.tolist()
    ([[0, 1], [2, 1]], [[0.0, 1.0], [1.0, 3.0]])
    """
    require_finite(gallery, queries)
    count = min(count, len(gallery) - (own is not None))
    search = (measure_all if len(gallery) <= EXACT else build_index)(gallery, count + SPARE)
    rows = np.empty((len(queries), count), np.int64)
    distance = np.empty((len(queries), count), np.float32)
    for start in range(0, len(queries), BLOCK):
        at = slice(start, min(start + BLOCK, len(queries)))
        found = search(queries[at])
        gap = gallery[found] - queries[at, None]  # so that equal ones have distance 0
        exact = np.sqrt(np.einsum("qkd,qkd->qk", gap, gap))
        if own is not None:
            exact[found == own[at, None]] = np.inf
        order = np.argsort(exact, axis=1, kind="stable")[:, :count]
        rows[at] = np.take_along_axis(found, order, axis=1)
        distance[at] = np.take_along_axis(exact, order, axis=1)
        progress(at.stop, len(queries))
    return Neighbours(rows, distance)


def measure_all(gallery: Float32, count: int) -> Search:
    """Return a search of ``count`` candidates, in no order, that measures every distance."""
    squares, count = np.einsum("ij,ij->i", gallery, gallery), min(count, len(gallery))

    def search(queries: Float32) -> NDArray[np.int64]:
        nearness = squares - 2 * (queries @ gallery.T)  # squared, less the query's own square
        return np.argpartition(nearness, count - 1, axis=1)[:, :count]

    return search


def build_index(gallery: Float32, count: int) -> Search:
    """Return a search of ``count`` candidates by an HNSW graph (Malkov & Yashunin 2018)."""
    from usearch.index import Index

    index = Index(
        ndim=gallery.shape[1],
        metric="l2sq",
        dtype="f32",
        expansion_add=LOOKED_AT,
        expansion_search=max(LOOKED_AT, 4 * count),
    )
    index.add(np.arange(len(gallery)), gallery)

    def search(queries: Float32) -> NDArray[np.int64]:
        return index.search(queries, count).keys.astype(np.int64).reshape(len(queries), -1)

    return search

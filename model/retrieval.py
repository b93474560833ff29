"""Retrieval metrics: how well embeddings find an artist's other images.

Every row of the embeddings is a query once, with the other rows as its gallery.
"""

from collections.abc import Iterator

import numpy as np
from scipy.spatial.distance import cdist

from model.distances import NO_SAME_PAIR, Float32, Float64, Integers, finite_points
from model.errors import ModelInputError

QUERY_BLOCK = 256  # queries whose distances to the gallery are in memory at once


def recall_at_1(embeddings: Float32, artists: Integers) -> float:
    """Share of queries whose nearest other image is by the same artist.

    `embeddings` are (N, D), `artists` (N,). A query whose artist has no other image is left out,
    but stays in the others' galleries. A tie with another artist's image is a mistake, so constant
    embeddings score 0. Below, only 3 is nearer to another artist's image, 1.

    >>> recall_at_1(np.float32([[0], [1], [3], [7]]), np.array([0, 0, 1, 1]))
    0.75
    """
    _require_same_pair(artists)
    return float(np.mean([ahead[0] == 0 for _, ahead in _strangers_ahead(embeddings, artists)]))


def map_at_r(embeddings: Float32, artists: Integers) -> float:
    """Mean average precision at R: Musgrave et al. 2020, "A Metric Learning Reality Check".

    R is the number of other images by the query's artist. A query scores the mean over ranks
    i = 1 ... R of (precision among the i nearest if the i-th is by the artist, else 0). Shapes,
    omitted queries and ties are as in `recall_at_1`. Below, R = 2: queries 0 and 1 find right,
    wrong (1/2 each), 5 finds wrong, right (1/4), and 3 is left out: 5/4 over 3.

    >>> round(map_at_r(np.float32([[0], [1], [5], [3]]), np.array([0, 0, 0, 1])), 4)
    0.4167
    """
    _require_same_pair(artists)
    return float(np.nanmean(average_precision_at_r(embeddings, artists)))


def average_precision_at_r(embeddings: Float32, artists: Integers) -> Float64:
    """Each query's score in `map_at_r` (N,); NaN if it is left out.

    >>> average_precision_at_r(np.float32([[0], [1], [5], [3]]), np.array([0, 0, 0, 1])).tolist()
    [0.5, 0.5, 0.25, nan]
    """
    scores = np.full(len(artists), np.nan)
    for query, ahead in _strangers_ahead(embeddings, artists):
        scores[query] = _average_precision(ahead)
    return scores


def matched_average_precision_at_r(
    embeddings: Float32, artists: Integers, labels: Integers
) -> Float64:
    """Each query's score among only the images with its label (N,).

    `labels` (N,) describe the images, -1 is blank. NaN marks queries left out: those with a blank
    label, and those whose gallery lacks images by the artist or by others. Below, 3 has another
    label and so does not come between 1 and 5.

    >>> points, artists = np.float32([[0], [1], [5], [3], [9]]), np.array([0, 0, 0, 1, 1])
    >>> matched_average_precision_at_r(points, artists, np.array([4, 4, 4, 6, 4])).tolist()
    [1.0, 1.0, 0.25, nan, nan]
    """
    scores = np.full(len(artists), np.nan)
    for label in np.unique(labels[labels != -1]):
        rows = np.flatnonzero(labels == label)
        if len(np.unique(artists[rows])) > 1:
            scores[rows] = average_precision_at_r(embeddings[rows], artists[rows])
    return scores


def _require_same_pair(artists: Integers) -> None:
    if len(np.unique(artists)) == len(artists):
        raise ModelInputError(NO_SAME_PAIR)


def _average_precision(ahead: Integers) -> float:
    found = np.arange(1, len(ahead) + 1)
    precision = found / (found + ahead)
    return float(np.sum(precision[found + ahead <= len(ahead)]) / len(ahead))


def _strangers_ahead(embeddings: Float32, artists: Integers) -> Iterator[tuple[int, Integers]]:
    """Each query with, for its artist's images (R,) by distance: how many others are as near."""
    points = finite_points(embeddings)
    for start in range(0, len(points), QUERY_BLOCK):
        for query, dist in enumerate(cdist(points[start : start + QUERY_BLOCK], points), start):
            own = artists == artists[query]
            strangers = np.sort(dist[~own])
            own[query] = False
            if own.any():
                yield query, np.searchsorted(strangers, np.sort(dist[own]), side="right")

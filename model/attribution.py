"""Who painted it: the artists of a gallery ranked for a picture, and "none of these" among them.

Two kinds of evidence speak for an artist: a ridge regression from embeddings onto artists, and how
near the artist's two nearest pictures are. A conditional logit with an outside option (McFadden
1974) weighs them. Its three numbers are fitted on the gallery itself: each picture once with only
itself left out, where its artist is right, and once with all pictures by its artist left out, where
"none of these" is. So the probabilities assume even odds that the artist is in the gallery at all.

Leaving out is exact and needs no second fit: with the hat matrix H of a ridge regression of Y, the
rows S are predicted without themselves as (I - H_SS)^-1 (H Y - H_SS Y)_S.

Throughout, a gallery has N pictures by A artists. Evidence (Q, A, 2) is minus infinity for an
artist who is left out. Probabilities (Q, A + 1) have that of "none of these" last.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.distances import Float32, Float64, Integers
from model.neighbours import Neighbours

NEAREST = 100
"""So many neighbours are looked at; an artist who is not among them is as far as the last."""
OF_EACH = 2  # pictures of an artist whose nearness counts
RIDGE = 0.05  # of an embedding's mean square; the best of 0.05 to 0.8 on real paintings
BIAS = 0.3
FITTED_ON = 2_000  # pictures are enough for three numbers
BLOCK = 512


@dataclass(frozen=True, slots=True, eq=False)
class Gallery:
    """Embeddings of pictures by known artists, and the ridge regression onto the artists."""

    points: Float32  # (N, D)
    artist: NDArray[np.int64]  # (N,) 0 ... A - 1
    weights: Float64  # (D + 1, A)
    inverse: Float64  # (D + 1, D + 1) of the regularised Gram matrix
    count: NDArray[np.int64]  # (A,) pictures of each artist


@dataclass(frozen=True, slots=True, eq=False)
class Attributions:
    """What a gallery says of Q pictures."""

    artist: NDArray[np.int64]  # (Q, T) the most probable ones
    probability: Float64  # (Q, T) theirs, falling
    none: Float64  # (Q,) that of "none of these"
    own_rank: NDArray[np.int64]  # (Q,) of their own artist, from 1; 0 if unknown
    own_probability: Float64  # (Q,) of their own artist; NaN if unknown


def learn_gallery(points: Float32, artist: Integers) -> Gallery:
    """Fit the ridge regression on pictures (N, D) by ``artist`` (N,), numbered 0 ... A - 1."""
    count, inputs = np.bincount(artist), _inputs(points)
    gram = inputs.T @ inputs
    ridge = RIDGE * float(np.trace(gram)) / len(inputs)
    inverse = np.asarray(np.linalg.inv(gram + ridge * np.eye(len(gram))), np.float64)
    sums = np.zeros((len(count), inputs.shape[1]))
    np.add.at(sums, artist, inputs)
    weights: Float64 = inverse @ sums.T
    return Gallery(points, np.asarray(artist), weights, inverse, count)


def fit_choice(gallery: Gallery, neighbours: Neighbours) -> Float64:
    """Fit what both kinds of evidence and "none of these" count for: (3,).

    ``neighbours`` are the `NEAREST` of every picture in the gallery, without itself.
    """
    from scipy.optimize import minimize

    n_chosen = min(FITTED_ON, len(gallery.artist))
    chosen = np.linspace(0, len(gallery.artist) - 1, n_chosen).astype(int)
    known = chosen[gallery.count[gallery.artist[chosen]] > 1]
    unknown = [
        _without_artist(gallery, neighbours, rows)[np.isin(rows, chosen)]
        for rows in rows_by_artist(gallery)
    ]
    found = np.concatenate([_without_itself(gallery, neighbours, known), *unknown])
    truth = np.append(gallery.artist[known], np.full(n_chosen, len(gallery.count)))
    weight = np.repeat(0.5 / np.array([max(1, len(known)), n_chosen]), [len(known), n_chosen])
    is_out, finite = np.isneginf(found[..., 0]), np.nan_to_num(found, neginf=0.0)
    places = np.arange(len(found))

    def loss(choice: Float64) -> tuple[float, Float64]:
        """The weighted log loss and its gradient."""
        utility = np.where(is_out, -np.inf, finite @ choice[:2])
        given = _softmax(np.column_stack([utility, np.full(len(found), choice[2])]))
        off = given.copy()
        off[places, truth] -= 1
        slopes = np.einsum("q,qa,qax->x", weight, off[:, :-1], finite)
        likely = np.maximum(given[places, truth], np.finfo(float).tiny)
        return -float(weight @ np.log(likely)), np.append(slopes, weight @ off[:, -1])

    start = np.append(1 / np.maximum(finite.std(axis=(0, 1)), 1e-6), 0.0)
    bounds = [(1e-6, None), (1e-6, None), (None, None)]
    return np.asarray(minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B").x)


def attribute(
    gallery: Gallery, choice: Float64, points: Float32, neighbours: Neighbours, top: int
) -> Attributions:
    """Attribute new pictures (Q, D), given their `NEAREST` neighbours in the gallery."""
    linear = _inputs(points) @ gallery.weights / np.sqrt(gallery.count)
    nearness = _nearness(gallery, neighbours, np.zeros(len(points), bool)[:, None])
    return _ranked(np.stack([linear, nearness], axis=2), choice, None, top)


def attribute_gallery(
    gallery: Gallery, choice: Float64, neighbours: Neighbours, top: int
) -> Attributions:
    """Attribute each picture of the gallery, itself left out."""
    parts = []
    for start in range(0, len(gallery.artist), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(gallery.artist)))
        found = _without_itself(gallery, neighbours, rows)
        parts.append(_ranked(found, choice, gallery.artist[rows], top))
    return Attributions(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in Attributions.__slots__
        )
    )


def none_without_artist(gallery: Gallery, choice: Float64, neighbours: Neighbours) -> Float64:
    """Probability of "none of these" for each picture, all by its artist left out: (N,)."""
    none = np.empty(len(gallery.artist))
    for rows in rows_by_artist(gallery):
        none[rows] = probabilities(_without_artist(gallery, neighbours, rows), choice)[:, -1]
    return none


def probabilities(evidence: Float64, choice: Float64) -> Float64:
    """Probability of each artist and of none, given evidence (Q, A, 2): (Q, A + 1)."""
    utility = evidence @ choice[:2]
    return _softmax(np.column_stack([utility, np.full(len(evidence), choice[2])]))


def rows_by_artist(gallery: Gallery) -> Iterator[NDArray[np.int64]]:
    """Yield the pictures of one artist after another."""
    order = np.argsort(gallery.artist, kind="stable")
    yield from np.split(order, np.cumsum(gallery.count)[:-1])


def _without_itself(gallery: Gallery, neighbours: Neighbours, rows: Integers) -> Float64:
    """Evidence on some of the gallery's pictures, each itself left out: (R, A, 2)."""
    inputs, artist, places = (
        _inputs(gallery.points[rows]),
        gallery.artist[rows],
        np.arange(len(rows)),
    )
    fitted = inputs @ gallery.weights
    own = np.einsum("rd,de,re->r", inputs, gallery.inverse, inputs, optimize=True)
    fitted[places, artist] -= own
    count = np.tile(gallery.count, (len(rows), 1))
    count[places, artist] -= 1
    linear = fitted / (1 - own)[:, None] / np.sqrt(np.maximum(count, 1))
    of_rows = Neighbours(neighbours.rows[rows], neighbours.distance[rows])
    nearness = _nearness(gallery, of_rows, np.zeros(len(rows), bool)[:, None])
    return np.stack([linear, nearness], axis=2)


def _without_artist(gallery: Gallery, neighbours: Neighbours, rows: Integers) -> Float64:
    """Evidence on all R pictures of one artist, who is left out: (R, A, 2)."""
    inputs, artist = _inputs(gallery.points[rows]), gallery.artist[rows[0]]
    hat = inputs @ gallery.inverse @ inputs.T
    fitted = inputs @ gallery.weights
    fitted[:, artist] -= hat.sum(axis=1)
    linear = np.linalg.solve(np.eye(len(rows)) - hat, fitted) / np.sqrt(gallery.count)
    of_rows = Neighbours(neighbours.rows[rows], neighbours.distance[rows])
    is_own = gallery.artist[of_rows.rows] == artist
    found = np.stack([linear, _nearness(gallery, of_rows, is_own)], axis=2)
    found[:, artist] = -np.inf
    return found


def _nearness(gallery: Gallery, neighbours: Neighbours, is_out: NDArray[np.bool_]) -> Float64:
    """Minus the mean distance of each artist's nearest pictures: (Q, A).

    ``is_out`` (Q, K) or (Q, 1) are the neighbours that do not count.
    """
    n_queries, places = len(neighbours.rows), np.arange(len(neighbours.rows))
    seen = np.zeros((n_queries, len(gallery.count)), np.int64)
    last = neighbours.distance[:, -1:].astype(np.float64)
    total = np.repeat(OF_EACH * last, len(gallery.count), axis=1)
    for rank in range(neighbours.rows.shape[1]):
        artist = gallery.artist[neighbours.rows[:, rank]]
        counts = (seen[places, artist] < OF_EACH) & ~is_out[:, min(rank, is_out.shape[1] - 1)]
        at = (places[counts], artist[counts])
        total[at] += neighbours.distance[counts, rank] - last[counts, 0]
        seen[at] += 1
    return -total / OF_EACH


def _ranked(evidence: Float64, choice: Float64, own: Integers | None, top: int) -> Attributions:
    given = probabilities(evidence, choice)
    artists, places = given[:, :-1], np.arange(len(given))
    order = np.argsort(-artists, axis=1, kind="stable")[:, :top]
    probability = np.take_along_axis(artists, order, axis=1)
    if own is None:
        unknown = np.full(len(given), np.nan)
        return Attributions(order, probability, given[:, -1], np.zeros(len(given), int), unknown)
    own_probability = artists[places, own]
    rank = 1 + np.count_nonzero(artists > own_probability[:, None], axis=1)
    return Attributions(order, probability, given[:, -1], rank, own_probability)


def _inputs(points: Float32) -> Float64:
    """Embeddings with a constant as their last number: (N, D + 1)."""
    return np.column_stack([points.astype(np.float64), np.full(len(points), BIAS)])


def _softmax(utility: Float64) -> Float64:
    powers = np.exp(utility - utility.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))

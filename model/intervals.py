"""How sure a figure is: 95 % intervals from resampling artists with replacement.

Images of one artist are alike, and an image is in many pairs, so pairs are far from independent.
What was drawn independently is the artists. Each resample draws as many artists as there are, an
artist a being drawn m_a times, and weighs a pair or triplet by the m of its artists; the interval
lies between percentiles of the resampled figures (Efron & Tibshirani 1993, "An Introduction to the
Bootstrap", chapter 13; clusters: Field & Welsh 2007, "Bootstrapping clustered data").

Both figures are sums over artists, so everything that does not depend on the draw is summed first,
per pair of artists; a resample is then a product of small matrices.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.distances import (
    Float32,
    Float64,
    Integers,
    Pairs,
    TripletDistances,
    require_both_kinds,
    require_triplets,
)
from model.errors import ModelInputError


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval of a figure between 0 and 1."""

    low: float
    high: float


def roc_auc_interval(
    pairs: Pairs, artists: Integers, *, resamples: int, seed: int, confidence: float = 0.95
) -> Interval:
    """Interval of `metrics.roc_auc` over `pairs` of images by `artists` (N,).

    A same-artist pair of artist a weighs m_a, a pair of artists a and b weighs m_a m_b. A resample
    without pairs of both kinds is skipped; `ModelInputError` is raised where all are.
    """
    require_both_kinds(pairs)
    names, artist = np.unique(artists, return_inverse=True)
    drawn = _draw(len(names), resamples, seed)
    return _percentiles(weighted_roc_auc(pairs, artist, drawn), confidence)


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

    A triplet of anchor's artist a and negative's artist b weighs m_a m_b. A resample that leaves no
    triplet is skipped; `ModelInputError` is raised where all do.
    """
    require_triplets(distances)
    names, artist = np.unique([anchor_artist, negative_artist], return_inverse=True)
    drawn = _draw(len(names), resamples, seed)
    figures = weighted_triplet_accuracy(distances, artist[0], artist[1], drawn)
    return _percentiles(figures, confidence)


def weighted_roc_auc(pairs: Pairs, artist: Integers, drawn: Float64) -> Float64:
    """ROC AUC of every usable resample, ties counting half: (B,), or fewer.

    `artist` (N,) numbers the images' artists 0 ... A - 1, and `drawn` (B, A) says how often each
    resample drew each. A same pair of artist c is nearer than a different pair of a and b in a
    number of cases that no draw changes, here `nearer[a, b]`; a draw weighs it m_c m_a m_b.

    Below, artist 0 has 0 and 1, artist 1 has 3 and 7. Of eight comparisons the four of artist 0 and
    two of the four of artist 1 are right; with artist 1 drawn twice, (4 + 2 * 2) / (4 + 2 * 4).

    >>> from model.distances import all_pairs
    >>> artist = np.array([0, 0, 1, 1])
    >>> pairs = all_pairs(np.float32([[0], [1], [3], [7]]), artist)
    >>> weighted_roc_auc(pairs, artist, np.array([[1.0, 1.0], [1.0, 2.0], [2.0, 0.0]])).round(3)
    array([0.75 , 0.667])
    """
    same, artists = pairs.same_artist, drawn.shape[1]
    same_dist, same_of = pairs.distance[same], artist[pairs.first_idx[same]]
    cell = artist[pairs.first_idx[~same]] * artists + artist[pairs.second_idx[~same]]
    order = np.argsort(pairs.distance[~same])
    different_dist, cell = pairs.distance[~same][order], cell[order]

    right = np.zeros(len(drawn))
    for owner in np.unique(same_of):
        beaten = _beaten_by(same_dist[same_of == owner], different_dist)
        nearer = _table(cell, beaten, artists)
        right += drawn[:, owner] * _weigh(nearer, drawn)
    different = _table(cell, None, artists)
    same_weight = drawn @ np.bincount(same_of, minlength=artists)
    return _shares(right, same_weight * _weigh(different, drawn))


def weighted_triplet_accuracy(
    distances: TripletDistances, anchor_artist: Integers, negative_artist: Integers, drawn: Float64
) -> Float64:
    """Triplet accuracy of every usable resample: (B,), or fewer; arguments as above.

    >>> distances = TripletDistances(np.float32([1, 2]), np.float32([4, 1]))
    >>> anchor_artist, negative_artist = np.array([[0, 1], [1, 2]])
    >>> drawn = np.array([[1.0, 1.0, 1.0], [2.0, 1.0, 0.0], [0.0, 1.0, 0.0]])
    >>> weighted_triplet_accuracy(distances, anchor_artist, negative_artist, drawn).tolist()
    [0.5, 1.0]
    """
    artists = drawn.shape[1]
    cell = anchor_artist * artists + negative_artist
    correct = distances.positive_dist < distances.negative_dist
    asked = _table(cell, None, artists)
    right = _table(cell, correct, artists)
    return _shares(_weigh(right, drawn), _weigh(asked, drawn))


def _draw(artists: int, resamples: int, seed: int) -> Float64:
    rng = np.random.default_rng(seed)
    return rng.multinomial(artists, np.full(artists, 1 / artists), resamples).astype(np.float64)


def _beaten_by(same_dist: Float32, different_dist: Float32) -> Float64:
    """Number of `same_dist` below each of the sorted `different_dist`, plus half of those equal."""
    sides = [np.searchsorted(different_dist, same_dist, side) for side in ("left", "right")]
    steps = np.bincount(np.concatenate(sides), minlength=len(different_dist) + 1)
    return np.cumsum(steps[:-1] / 2)


def _table(cell: Integers, worth: NDArray[np.generic] | None, artists: int) -> Float64:
    """Sum of `worth` (ones if None) by pair of artists (A, A), `cell` being a A + b."""
    table = np.bincount(cell, worth, artists**2).reshape(artists, artists)
    return table.astype(np.float64)


def _weigh(table: Float64, drawn: Float64) -> Float64:
    """Sum over a and b of m_a table[a, b] m_b, for each resample (B,)."""
    weighed: Float64 = np.einsum("ra,ra->r", drawn @ table, drawn)
    return weighed


def _shares(right: Float64, total: Float64) -> Float64:
    usable = total > 0
    if not usable.any():
        raise ModelInputError("no resample held anything to judge; take more resamples or artists")
    return right[usable] / total[usable]


def _percentiles(figures: Float64, confidence: float) -> Interval:
    low, high = np.quantile(figures, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(high))

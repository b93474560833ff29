"""Draw artists with replacement, and compute metrics on each draw.

Images by one artist are alike, and an image is in many pairs, so pairs are not independent; artists
are. A draw takes A artists, artist a m_a times. A same-artist pair of artist a then has weight m_a,
a pair or triplet of artists a and b weight m_a m_b, and a query of artist a weight m_a, in an
unchanged gallery.

Metrics are sums over artists. What does not depend on the draw is summed once per pair of artists,
so a draw is a product of small matrices, and exact. A draw with nothing to evaluate gives NaN.

Throughout, `artist` (N,) numbers the images' artists 0 ... A - 1, and `drawn` (B, A) says how often
each of B draws took each artist.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.calibration import Calibration
from model.distances import Float32, Float64, Integers, Pairs, TripletDistances
from model.metrics import CLLR_BINS, cllr_bins, least_cllr, pair_costs
from model.weighing import Kinds, mean_by_artist, shares, sort_pairs, sum_by_artists, weigh

BLOCKS = 256  # blocks of sorted pairs; a draw's threshold is then searched for in one of them


@dataclass(frozen=True, slots=True)
class Draws:
    """The artists of a split's images, and how often each draw took each artist."""

    artist: NDArray[np.intp]  # (N,)
    drawn: Float64  # (B, A)


def draw_artists(artists: Integers, resamples: int, seed: int | np.random.Generator) -> Draws:
    """Draw the artists (N,) of images; artists may have any numbers.

    >>> draws = draw_artists(np.array([7, 7, 9]), resamples=2, seed=0)
    >>> draws.artist.tolist(), draws.drawn.sum(axis=1).tolist()
    ([0, 0, 1], [2.0, 2.0])
    """
    names, artist = np.unique(artists, return_inverse=True)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), resamples)
    return Draws(artist, drawn.astype(np.float64))


def weighted_roc_auc(pairs: Pairs, artist: Integers, drawn: Float64) -> Float64:
    """ROC AUC on every draw, ties counting half: (B,).

    `nearer[a, b]` counts how often a same pair of artist c is nearer than a different pair of a and
    b; a draw gives it weight m_c m_a m_b.

    Below, artist 0 has 0 and 1, artist 1 has 3 and 7. Of eight comparisons, the four of artist 0
    and two of the four of artist 1 are right; with artist 1 drawn twice, (4 + 2 * 2) / (4 + 2 * 4).

    >>> from model.distances import all_pairs
    >>> artist = np.array([0, 0, 1, 1])
    >>> pairs = all_pairs(np.float32([[0], [1], [3], [7]]), artist)
    >>> weighted_roc_auc(pairs, artist, np.array([[1.0, 1.0], [1.0, 2.0], [2.0, 0.0]])).round(3)
    array([0.75 , 0.667,   nan])
    """
    artists, kinds = drawn.shape[1], sort_pairs(pairs, artist, drawn.shape[1])
    right = np.zeros(len(drawn))
    for owner in np.unique(kinds.same_of):
        beaten = _beaten_by(kinds.same_dist[kinds.same_of == owner], kinds.different_dist)
        nearer = sum_by_artists(kinds.cell, beaten, artists)
        right += drawn[:, owner] * weigh(nearer, drawn)
    return shares(right, kinds.same_weight(drawn) * kinds.different_weight(drawn))


def weighted_tar_at_far(pairs: Pairs, artist: Integers, drawn: Float64, far: float) -> Float64:
    """`metrics.tar_at_far` on every draw: (B,).

    Each draw has its own threshold, because the weights decide which pairs make up the share `far`.

    Below, one of the different distances 2, 3, 6 and 7 may pass, so the threshold is just below 3:
    it accepts the same distance 1 of artist 0 and rejects 4 of artist 1.

    >>> from model.distances import all_pairs
    >>> artist = np.array([0, 0, 1, 1])
    >>> pairs = all_pairs(np.float32([[0], [1], [3], [7]]), artist)
    >>> drawn = np.array([[1.0, 1.0], [1.0, 2.0], [2.0, 0.0]])
    >>> weighted_tar_at_far(pairs, artist, drawn, far=0.25).round(3)
    array([0.5  , 0.333,   nan])
    """
    kinds = sort_pairs(pairs, artist, drawn.shape[1])
    refused = refused_from(kinds, drawn, far)
    accepted = np.zeros(len(drawn))
    for owner in np.unique(kinds.same_of):
        own = np.sort(kinds.same_dist[kinds.same_of == owner])
        accepted += drawn[:, owner] * np.searchsorted(own, refused, side="left")
    is_judged = kinds.different_weight(drawn) > 0
    return shares(accepted, kinds.same_weight(drawn) * is_judged)


def weighted_cllr(
    pairs: Pairs, calibration: Calibration, artist: Integers, drawn: Float64
) -> Float64:
    """`metrics.cllr` on every draw: (B,)."""
    same, artists = pairs.same_artist, drawn.shape[1]
    costs = pair_costs(pairs, calibration)
    cell = artist[pairs.first_idx] * artists + artist[pairs.second_idx]
    same_cost = mean_by_artist(artist[pairs.first_idx[same]], costs[same], drawn)
    table = sum_by_artists(cell[~same], costs[~same], artists)
    count = sum_by_artists(cell[~same], None, artists)
    return (same_cost + shares(weigh(table, drawn), weigh(count, drawn))) / 2


def weighted_cllr_min(pairs: Pairs, artist: Integers, drawn: Float64) -> Float64:
    """`metrics.cllr_min` on every draw, each with a best calibration of its own: (B,)."""
    from scipy.sparse import coo_array

    same, artists = pairs.same_artist, drawn.shape[1]
    first, second = artist[pairs.first_idx], artist[pairs.second_idx]
    bins = cllr_bins(pairs.distance)
    of_same, of_different = (  # how many pairs of each artist, or of each two, are in each bin
        coo_array((np.ones(len(cell)), (bins[kind], cell)), shape=(CLLR_BINS, cells)).tocsr()
        for kind, cell, cells in (
            (same, first[same], artists),
            (~same, (first * artists + second)[~same], artists**2),
        )
    )
    found = np.full(len(drawn), np.nan)
    for draw, taken in enumerate(drawn):
        weights = of_same @ taken, of_different @ np.outer(taken, taken).ravel()
        if all(each.any() for each in weights):
            found[draw] = least_cllr(*weights)
    return found


def weighted_count(
    pairs: Pairs, counted: NDArray[np.bool_], artist: Integers, drawn: Float64
) -> Float64:
    """Total weight of the `counted` (P,) pairs on every draw: (B,).

    >>> from model.distances import all_pairs
    >>> artist = np.array([0, 0, 1, 1])
    >>> pairs = all_pairs(np.float32([[0], [1], [3], [7]]), artist)
    >>> drawn = np.array([[1.0, 1.0], [1.0, 2.0], [2.0, 0.0]])
    >>> weighted_count(pairs, pairs.distance <= 3, artist, drawn).tolist()
    [3.0, 5.0, 2.0]
    """
    artists = drawn.shape[1]
    first, second = artist[pairs.first_idx[counted]], artist[pairs.second_idx[counted]]
    same = pairs.same_artist[counted]
    of_same = np.bincount(first[same], minlength=artists)
    cell = first[~same] * artists + second[~same]
    count: Float64 = drawn @ of_same + weigh(sum_by_artists(cell, None, artists), drawn)
    return count


def weighted_mean(scores: Float64, artist: Integers, drawn: Float64) -> Float64:
    """Mean of the queries' `scores` (N,), ignoring NaN, on every draw: (B,)."""
    is_judged = ~np.isnan(scores)
    return mean_by_artist(artist[is_judged], scores[is_judged], drawn)


def weighted_triplet_accuracy(
    distances: TripletDistances, anchor_artist: Integers, negative_artist: Integers, drawn: Float64
) -> Float64:
    """Triplet accuracy on every draw: (B,), given each triplet's two artists (T,)."""
    artists = drawn.shape[1]
    cell = anchor_artist * artists + negative_artist
    correct = distances.positive_dist < distances.negative_dist
    right = sum_by_artists(cell, correct, artists)
    return shares(weigh(right, drawn), weigh(sum_by_artists(cell, None, artists), drawn))


def refused_from(kinds: Kinds, drawn: Float64, far: float) -> Float64:
    """Smallest distance that each draw must reject to accept at most the share `far`: (B,).

    The accepted share rises with the distance. Whole blocks of pairs are summed for all draws at
    once; single pairs are summed only in the block where a draw's share exceeds `far`.
    """
    weight = kinds.different_weight(drawn)
    total = np.maximum(weight, 1)  # weights are whole numbers; without any, the share is 0
    refused_from, accepted = np.full(len(drawn), np.inf), np.zeros(len(drawn))
    blocks = (np.array_split(each, BLOCKS) for each in (kinds.cell, kinds.different_dist))
    for cell, dist in zip(*blocks, strict=True):
        after = accepted + weigh(sum_by_artists(cell, None, kinds.artists), drawn)
        first, second = np.divmod(cell, kinds.artists)
        for draw in np.flatnonzero((accepted / total <= far) & (after / total > far)):
            each = drawn[draw, first] * drawn[draw, second]
            share = (accepted[draw] + np.cumsum(each)) / total[draw]
            refused_from[draw] = dist[np.argmax(share > far)]
        accepted = after
        if (accepted / total > far)[weight > 0].all():
            break
    return refused_from


def _beaten_by(same_dist: Float32, different_dist: Float32) -> Float64:
    """Number of `same_dist` below each of the sorted `different_dist`, plus half of the ties."""
    sides = [np.searchsorted(different_dist, same_dist, side) for side in ("left", "right")]
    steps = np.bincount(np.concatenate(sides), minlength=len(different_dist) + 1)
    return np.cumsum(steps[:-1] / 2)

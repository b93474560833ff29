"""Metrics of embeddings over triplets and pairs; see `retrieval` for nearest neighbours.

A metric raises `ModelInputError` if the split has nothing to evaluate. scikit-learn is imported
where it is used, so that comparing two paintings need not wait for it.
"""

from dataclasses import dataclass

import numpy as np

from model.calibration import Calibration, balancing_weights, log_likelihood_ratio, probability
from model.distances import (
    Float32,
    Float64,
    Integers,
    TripletDistances,
    predicted_same,
    require_both_kinds,
    require_triplets,
)
from model.distances import Pairs as Pairs  # the metrics' own input
from model.distances import all_pairs as all_pairs

RELIABILITY_BINS = 10
CLLR_BINS = 10_000  # narrow enough that finer ones change the fourth digit


@dataclass(frozen=True, slots=True)
class RocCurve:
    """Points of an ROC curve, from (0, 0) to (1, 1)."""

    false_positive_rate: Float64  # (K,)
    true_positive_rate: Float64  # (K,)


@dataclass(frozen=True, slots=True)
class Predictions:
    """How many pairs by one artist were accepted and rejected, and how many by two artists."""

    true_accepts: int
    false_rejects: int
    true_rejects: int
    false_accepts: int


def triplet_accuracy(distances: TripletDistances) -> float:
    """Share of triplets with d(anchor, positive) < d(anchor, negative); ties are mistakes.

    >>> triplet_accuracy(TripletDistances(np.float32([1, 2, 3, 1]), np.float32([4, 2, 1, 2])))
    0.5
    """
    require_triplets(distances)
    return float(np.mean(distances.positive_dist < distances.negative_dist))


def triplet_loss_value(distances: TripletDistances, margin: float) -> float:
    """Mean of max(0, d(anchor, positive) - d(anchor, negative) + margin), as in training.

    With margin 1, the four triplets below have losses 0, 1, 3 and 0.

    >>> distances = TripletDistances(np.float32([1, 2, 3, 1]), np.float32([4, 2, 1, 2]))
    >>> triplet_loss_value(distances, margin=1)
    1.0
    """
    require_triplets(distances)
    gap = distances.positive_dist.astype(np.float64) - distances.negative_dist
    return float(np.mean(np.maximum(0, gap + margin)))


def roc_auc(pairs: Pairs) -> float:
    """Probability that a pair by one artist is nearer than a pair by two; ties count half.

    Below, the same distances are 1 and 4, the different ones 2, 3, 6 and 7: 1 is below all four of
    these, 4 below two, which makes 6 of 8.

    >>> roc_auc(all_pairs(np.float32([[0], [1], [3], [7]]), np.array([0, 0, 1, 1])))
    0.75
    """
    from sklearn.metrics import roc_auc_score

    require_both_kinds(pairs)
    return float(roc_auc_score(pairs.same_artist, -pairs.distance))


def eer(pairs: Pairs) -> float:
    """Equal error rate: where the ROC curve has false positive rate = false negative rate.

    The curve is interpolated linearly. Below, the threshold 3 accepts half of the different
    distances 2, 3, 6 and 7, and rejects half of the same distances 1 and 4.

    >>> eer(all_pairs(np.float32([[0], [1], [3], [7]]), np.array([0, 0, 1, 1])))
    0.5
    """
    from sklearn.metrics import roc_curve

    require_both_kinds(pairs)
    false_positive, true_positive, _ = roc_curve(pairs.same_artist, -pairs.distance)
    # fpr = fnr = 1 - tpr where fpr + tpr = 1, and that sum rises along the curve
    return float(np.interp(1, false_positive + true_positive, false_positive))


def count_predictions(pairs: Pairs, threshold: float) -> Predictions:
    """Count correct and wrong predictions at `threshold`, by kind of pair.

    Below, 4.5 accepts both same distances 1 and 4, and 2 and 3 of the different distances 2, 3, 6
    and 7.

    >>> points, artists = np.float32([[0], [1], [3], [7]]), np.array([0, 0, 1, 1])
    >>> count_predictions(all_pairs(points, artists), threshold=4.5)
    Predictions(true_accepts=2, false_rejects=0, true_rejects=2, false_accepts=2)
    """
    accepted, same = predicted_same(pairs.distance, threshold), pairs.same_artist
    true_accepts = int(np.count_nonzero(accepted & same))
    false_accepts = int(np.count_nonzero(accepted)) - true_accepts
    n_same = int(np.count_nonzero(same))
    return Predictions(
        true_accepts=true_accepts,
        false_rejects=n_same - true_accepts,
        true_rejects=len(same) - n_same - false_accepts,
        false_accepts=false_accepts,
    )


def balanced_accuracy(pairs: Pairs, threshold: float) -> float:
    """Mean of the shares of same and of different pairs with a correct prediction at `threshold`.

    Below, 4.5 accepts both same distances 1 and 4, and rejects two of the different distances 2, 3,
    6 and 7: (1 + 1/2) / 2.

    >>> points, artists = np.float32([[0], [1], [3], [7]]), np.array([0, 0, 1, 1])
    >>> balanced_accuracy(all_pairs(points, artists), threshold=4.5)
    0.75
    """
    from sklearn.metrics import balanced_accuracy_score

    require_both_kinds(pairs)
    predicted = predicted_same(pairs.distance, threshold)
    return float(balanced_accuracy_score(pairs.same_artist, predicted))


def roc_points(pairs: Pairs, limit: int = 1000) -> RocCurve:
    """Corners of the ROC curve, thinned evenly to at most `limit` (2 or more), ends included.

    >>> curve = roc_points(all_pairs(np.float32([[0], [1], [3]]), np.array([7, 7, 8])))
    >>> curve.false_positive_rate.tolist(), curve.true_positive_rate.tolist()
    ([0.0, 0.0, 1.0], [0.0, 1.0, 1.0])
    """
    from sklearn.metrics import roc_curve

    require_both_kinds(pairs)
    false_positive, true_positive, _ = roc_curve(pairs.same_artist, -pairs.distance)
    corners = len(false_positive)
    kept = np.linspace(0, corners - 1, min(limit, corners)).round().astype(np.intp)
    return RocCurve(false_positive[kept], true_positive[kept])


def tar_at_far(pairs: Pairs, far: float) -> float:
    """True acceptance rate at the false acceptance rate `far`, both as shares.

    TAR(t) is the share of same-artist pairs at a distance of at most t, FAR(t) that of
    different-artist pairs (Schroff et al. 2015, "FaceNet", section 4: VAL and FAR). The result is
    TAR(t) just below the first distance at which FAR exceeds `far`. A same-artist pair at exactly
    that distance is rejected, since no threshold separates equal distances.

    Below, one of the different distances 2, 3, 6 and 7 may pass, so t is just below 3, where one of
    the same distances 1 and 4 passes.

    >>> pairs = all_pairs(np.float32([[0], [1], [3], [7]]), np.array([0, 0, 1, 1]))
    >>> tar_at_far(pairs, far=0.25)
    0.5
    """
    require_both_kinds(pairs)
    different_dist = np.sort(pairs.distance[~pairs.same_artist])
    accepted = np.arange(1, len(different_dist) + 1) / len(different_dist)
    refused_dist = different_dist[accepted > far]
    refused_from = refused_dist[0] if len(refused_dist) else np.inf
    return float(np.mean(pairs.distance[pairs.same_artist] < refused_from))


def cllr(pairs: Pairs, calibration: Calibration) -> float:
    """Cost of the log-likelihood ratios in bits: 0 is perfect, and guessing costs 1.

    Cllr is the mean of two means: of log2(1 + exp(-llr)) over same-artist pairs, and of
    log2(1 + exp(llr)) over different-artist pairs (Brümmer & du Preez 2006,
    "Application-independent evaluation of speaker detection"). It is unbounded: the more confident
    a mistake, the more it costs.

    Below, llr is log 3 at the same distance 1, and -log 3 and 0 at the different distances 3 and 2:
    half of log2(4/3) + (log2(4/3) + 1) / 2.

    >>> pairs = all_pairs(np.float32([[0], [1], [3]]), np.array([7, 7, 8]))
    >>> from model.calibration import Band
    >>> known = Calibration(2.0, np.log(3), midpoint=2.0, band=Band(2.0, 2.0))
    >>> round(cllr(pairs, known), 4)
    0.5613
    """
    require_both_kinds(pairs)
    costs = pair_costs(pairs, calibration)
    return float((costs[pairs.same_artist].mean() + costs[~pairs.same_artist].mean()) / 2)


def cllr_min(pairs: Pairs) -> float:
    """`cllr` after the best calibration that keeps the order of the distances.

    It is found on these very pairs by isotonic regression at equal total weight of both kinds
    (Brümmer & du Preez 2006, section 6), over distances counted in `CLLR_BINS` bins. What `cllr`
    exceeds it by is lost by the calibration, the rest by the network.

    >>> cllr_min(all_pairs(np.float32([[0], [1], [6], [10]]), np.array([0, 0, 1, 1])))
    0.0
    """
    require_both_kinds(pairs)
    bins, is_same = cllr_bins(pairs.distance), pairs.same_artist
    same, different = (
        np.bincount(bins[kind], minlength=CLLR_BINS).astype(np.float64)
        for kind in (is_same, ~is_same)
    )
    return least_cllr(same, different)


def cllr_bins(distances: Float32) -> Integers:
    """Return which of `CLLR_BINS` bins of equal width each distance (P,) is in."""
    low, high = (float(each) for each in (distances.min(), distances.max()))
    share = (distances.astype(np.float64) - low) / max(high - low, np.finfo(np.float64).tiny)
    bins: Integers = np.minimum((share * CLLR_BINS).astype(np.intp), CLLR_BINS - 1)
    return bins


def least_cllr(same: Float64, different: Float64) -> float:
    """Return `cllr_min`, given the weight of the pairs of each kind in each bin (K,)."""
    from scipy.optimize import isotonic_regression
    from scipy.special import xlogy

    filled = (same > 0) | (different > 0)
    same, different = (each[filled] / each.sum() for each in (same, different))
    weight = same + different
    best = isotonic_regression(same / weight, weights=weight, increasing=False).x
    costs = xlogy(same, best) + xlogy(different, 1 - best)
    return abs(float(costs.sum())) / float(np.log(2)) / 2  # no cost is above 0


@dataclass(frozen=True, slots=True)
class Reliability:
    """K bins of pairs of like probability."""

    bins: Integers  # (K,) from 0
    probability: Float64  # (K,) what the pairs were given, in the mean
    same_share: Float64  # (K,) how many are by one artist
    n_pairs: Integers  # (K,)


def reliability(pairs: Pairs, calibration: Calibration) -> Reliability:
    """Compare probabilities with what is true, in `RELIABILITY_BINS` bins of equal width.

    Both kinds of pairs have equal total weight, as at even odds. Empty bins are left out.

    Below, the distances 1 and 3 have a probability of 3/4 and 1/4, so their shares should be too.

    >>> from model.calibration import Band
    >>> known = Calibration(2.0, np.log(3), midpoint=2.0, band=Band(2.0, 2.0))
    >>> found = reliability(all_pairs(np.float32([[0], [1], [3]]), np.array([7, 7, 8])), known)
    >>> found.probability.round(3).tolist(), found.same_share.tolist()
    ([0.25, 0.5, 0.75], [0.0, 0.0, 1.0])
    """
    require_both_kinds(pairs)
    given, same = probability(pairs.distance, calibration), pairs.same_artist
    weight = balancing_weights(same)
    bins = np.minimum((given * RELIABILITY_BINS).astype(np.intp), RELIABILITY_BINS - 1)
    total, predicted, true = (
        np.bincount(bins, weight * each, RELIABILITY_BINS) for each in (1, given, same)
    )
    filled = total > 0
    return Reliability(
        np.flatnonzero(filled),
        predicted[filled] / total[filled],
        true[filled] / total[filled],
        np.bincount(bins, minlength=RELIABILITY_BINS)[filled],
    )


def pair_costs(pairs: Pairs, calibration: Calibration) -> Float64:
    """Cost of each pair's log-likelihood ratio in bits (P,); see `cllr`."""
    ratio = log_likelihood_ratio(pairs.distance, calibration)
    against_truth = np.where(pairs.same_artist, -ratio, ratio)
    return np.asarray(np.logaddexp(0, against_truth) / np.log(2))  # log2(1 + exp), no overflow

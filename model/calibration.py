"""Turn a distance into a verdict and a probability, both fitted on validation pairs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from model.distances import Float64, Pairs, require_both_kinds

# Bounds of the slope, times the distances' root mean square from the threshold: from nearly flat to
# nearly a step. Data that determine no slope end at a bound.
SLOPE_BOUNDS = (1e-3, 1e2)


@dataclass(frozen=True, slots=True)
class Calibration:
    """probability = 1 / (1 + exp(-slope * (threshold - distance)))."""

    threshold: float  # a pair is predicted "same artist" at or below this distance
    slope: float  # > 0, per unit of distance


def best_threshold(pairs: Pairs) -> float:
    """Threshold with the highest balanced accuracy, which is the highest Youden's J.

    It lies midway between the two neighbouring distances that it separates, or is the largest
    distance if accepting every pair is best. Of equally good thresholds it is the smallest. Raises
    `ModelInputError` unless `pairs` hold both kinds.

    Below, the same distances are 1 and 4, the different ones 5, 6, 9 and 10.

    >>> from model.distances import all_pairs
    >>> best_threshold(all_pairs(np.float32([[0], [1], [6], [10]]), np.array([0, 0, 1, 1])))
    4.5
    """
    from sklearn.metrics import roc_curve

    require_both_kinds(pairs)
    false_positive, true_positive, scores = roc_curve(
        pairs.same_artist, -pairs.distance, drop_intermediate=False
    )
    cuts = -scores[1:].astype(np.float64)  # the distinct distances; before them, nothing passes
    best = int(np.argmax((true_positive - false_positive)[1:]))
    following = min(best + 1, len(cuts) - 1)
    return float((cuts[best] + cuts[following]) / 2)


def calibrate(pairs: Pairs) -> Calibration:
    """Fit threshold and slope on validation pairs. Raises `ModelInputError` unless of both kinds.

    The slope is that of a logistic regression with its midpoint fixed at the threshold and equal
    total weight for same and different pairs. The probability therefore assumes that both are
    equally likely beforehand, and is at least 1/2 exactly if the verdict is "same artist".
    `SLOPE_BOUNDS` keep the slope positive and finite even if the kinds separate fully.

    >>> from model.distances import all_pairs
    >>> calibrate(all_pairs(np.float32([[0], [1], [6], [10]]), np.array([0, 0, 1, 1]))).threshold
    4.5
    """
    from scipy.optimize import minimize_scalar

    threshold = best_threshold(pairs)
    margin = threshold - pairs.distance.astype(np.float64)
    towards_truth = np.where(pairs.same_artist, margin, -margin)
    weight = np.where(
        pairs.same_artist, 0.5 / np.mean(pairs.same_artist), 0.5 / np.mean(~pairs.same_artist)
    )

    def loss(log_slope: float) -> float:
        return float(np.mean(weight * np.logaddexp(0, -np.exp(log_slope) * towards_truth)))

    spread = float(np.sqrt(np.mean(margin**2))) or 1.0  # 0 where all distances are equal
    bounds = np.log(SLOPE_BOUNDS) - np.log(spread)
    fit = minimize_scalar(loss, bounds=bounds, method="bounded")
    return Calibration(threshold, float(np.exp(fit.x)))


def probability(distance: ArrayLike, calibration: Calibration) -> Float64:
    """Probability that pairs at `distance` (any shape) are by one artist, given a prior of 1/2.

    >>> probability([1.0, 2.0, 1e9], Calibration(threshold=2.0, slope=np.log(3))).round(6).tolist()
    [0.75, 0.5, 0.0]
    """
    ratio = log_likelihood_ratio(distance, calibration)
    share = 0.5 + 0.5 * np.tanh(0.5 * ratio)  # the logistic, without overflow
    accepted = np.asarray(distance, dtype=np.float64) <= calibration.threshold
    # Just above the threshold, rounding would give 1/2, against the verdict.
    return np.where(accepted, share, np.minimum(share, np.nextafter(0.5, 0)))


def log_likelihood_ratio(distance: ArrayLike, calibration: Calibration) -> Float64:
    """Natural logarithm of how much likelier `distance` is for one artist than for two.

    It is the logit of `probability`, since the prior of 1/2 adds nothing.

    >>> log_likelihood_ratio([1.0, 2.0, 4.0], Calibration(threshold=2.0, slope=3.0)).tolist()
    [3.0, 0.0, -6.0]
    """
    gap = calibration.threshold - np.asarray(distance, dtype=np.float64)
    return np.asarray(calibration.slope * gap)

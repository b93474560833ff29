"""From a distance to a verdict and a probability, both settled on validation pairs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from model.distances import Float64, Pairs, require_both_kinds

# The slope, in units of one over the distances' root mean square from the threshold: from "any
# distance leaves it open" to "any distance settles it". Data without a slope of its own ends there.
SLOPE_BOUNDS = (1e-3, 1e2)


@dataclass(frozen=True, slots=True)
class Calibration:
    """Reads a distance as probability = 1 / (1 + exp(-slope * (threshold - distance)))."""

    threshold: float  # a pair is predicted "same artist" at or below this distance
    slope: float  # > 0, per unit of distance


def best_threshold(pairs: Pairs) -> float:
    """Threshold with the greatest balanced accuracy, that is, the greatest Youden's J.

    It lies midway between the two neighbouring distances that it parts, and is the largest distance
    where letting all pass is best. Of equally good thresholds the smallest is taken. Raises
    `ModelInputError` where `pairs` lack one kind.

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
    """Fit the threshold and the slope on validation pairs, which must be of both kinds.

    The slope is that of a logistic regression whose midpoint is held at the threshold, and in which
    same and different pairs weigh alike in total. The probability is therefore what it would be
    "when same and different were equally likely beforehand", and is 1/2 or more just where the
    verdict is "same artist". The slope stays within `SLOPE_BOUNDS`, so it is positive and finite
    even where the two kinds are fully parted or not at all.

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
    """Probability that a pair at `distance` (any shape) is by one artist; the same shape.

    A prior of 1/2 is taken, see `calibrate`. However large the distance, nothing overflows.

    >>> probability([1.0, 2.0, 1e9], Calibration(threshold=2.0, slope=np.log(3))).round(6).tolist()
    [0.75, 0.5, 0.0]
    """
    ratio = log_likelihood_ratio(distance, calibration)
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * ratio))  # the same logistic


def log_likelihood_ratio(distance: ArrayLike, calibration: Calibration) -> Float64:
    """How many times likelier `distance` is between images by one artist, as a natural logarithm.

    The logit of `probability`, whose prior of 1/2 adds nothing to it; any shape, the same shape.

    >>> log_likelihood_ratio([1.0, 2.0, 4.0], Calibration(threshold=2.0, slope=3.0)).tolist()
    [3.0, 0.0, -6.0]
    """
    gap = calibration.threshold - np.asarray(distance, dtype=np.float64)
    return np.asarray(calibration.slope * gap)

"""Turn a distance into a verdict and a probability, both fitted on validation pairs."""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from model.distances import Float64, Pairs, require_both_kinds

# Bounds of the slope, times the distances' root mean square from the threshold: from nearly flat to
# nearly a step. Data that determine no slope end at a bound.
SLOPE_BOUNDS = (1e-3, 1e2)
# Bounds of the midpoint, in the same unit from the threshold; data that determine none end there.
MIDPOINT_BOUNDS = (-5.0, 5.0)

Verdict = Literal["same", "different", "cannot tell"]


@dataclass(frozen=True, slots=True)
class Band:
    """The distances at which a verdict would be wrong too often; see `model.band`.

    Up to `accept_within` the verdict is "same", beyond `reject_beyond` it is "different".
    """

    accept_within: float
    reject_beyond: float  # at least accept_within


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a distance means: log-likelihood ratio = slope * (midpoint - distance)."""

    threshold: float  # a pair is predicted "same artist" at or below this distance
    slope: float  # > 0, per unit of distance
    midpoint: float  # the distance that is as likely for one artist as for two
    band: Band


class Stored(Protocol):
    """A stored model, as far as its calibration goes."""

    @property
    def threshold(self) -> float: ...  # noqa: D102
    @property
    def calibration_slope(self) -> float: ...  # noqa: D102
    @property
    def calibration_midpoint(self) -> float: ...  # noqa: D102
    @property
    def accept_within(self) -> float: ...  # noqa: D102
    @property
    def reject_beyond(self) -> float: ...  # noqa: D102


def calibration_of(stored: Stored) -> Calibration:
    """Return the calibration of a stored model."""
    band = Band(stored.accept_within, stored.reject_beyond)
    return Calibration(
        stored.threshold, stored.calibration_slope, stored.calibration_midpoint, band
    )


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


def calibrate(pairs: Pairs, band: Band) -> Calibration:
    """Fit threshold, slope and midpoint on validation pairs, and add their `band`.

    Slope and midpoint are those of a logistic regression with equal total weight for same and
    different pairs, so that the logit is a log-likelihood ratio (Brümmer & du Preez 2006,
    "Application-independent evaluation of speaker detection"). `SLOPE_BOUNDS` keep the slope
    positive and finite even if the kinds separate fully. Raises `ModelInputError` unless `pairs`
    hold both kinds.

    >>> from model.distances import all_pairs
    >>> pairs = all_pairs(np.float32([[0], [1], [6], [10]]), np.array([0, 0, 1, 1]))
    >>> calibrate(pairs, Band(4, 5)).threshold
    4.5
    """
    from scipy.optimize import minimize

    threshold = best_threshold(pairs)
    margin = threshold - pairs.distance.astype(np.float64)
    spread = float(np.sqrt(np.mean(margin**2))) or 1.0  # 0 where all distances are equal
    margin /= spread
    sign = np.where(pairs.same_artist, 1.0, -1.0)
    weight = balancing_weights(pairs.same_artist) / len(margin)

    def loss(point: Float64) -> tuple[float, Float64]:
        """The weighted log loss and its gradient by the slope's logarithm and the midpoint."""
        slope = np.exp(point[0])
        ratio = slope * (point[1] + margin)
        pull = -weight * sign * (0.5 - 0.5 * np.tanh(0.5 * sign * ratio))
        gradient = np.array([pull @ ratio, slope * pull.sum()])
        return float(weight @ np.logaddexp(0, -sign * ratio)), gradient

    bounds = [tuple(np.log(SLOPE_BOUNDS)), MIDPOINT_BOUNDS]
    precise = {"ftol": 1e-15, "gtol": 1e-9}
    fit = minimize(loss, np.zeros(2), jac=True, bounds=bounds, method="L-BFGS-B", options=precise)
    slope = float(np.exp(fit.x[0])) / spread
    return Calibration(threshold, slope, threshold + float(fit.x[1]) * spread, band)


def balancing_weights(same: NDArray[np.bool_]) -> Float64:
    """Weights (P,) of pairs that give each kind half of the total; their mean is 1.

    >>> balancing_weights(np.array([True, False, False, False])).round(3).tolist()
    [2.0, 0.667, 0.667, 0.667]
    """
    share = np.mean(same)
    return np.where(same, 0.5 / share, 0.5 / (1 - share))


def log_likelihood_ratio(distance: ArrayLike, calibration: Calibration) -> Float64:
    """Natural logarithm of how much likelier `distance` is for one artist than for two.

    >>> known = Calibration(threshold=2.5, slope=3.0, midpoint=2.0, band=Band(1.0, 3.0))
    >>> log_likelihood_ratio([1.0, 2.0, 4.0], known).tolist()
    [3.0, 0.0, -6.0]
    """
    gap = calibration.midpoint - np.asarray(distance, dtype=np.float64)
    return np.asarray(calibration.slope * gap)


def probability(distance: ArrayLike, calibration: Calibration, prior: float = 0.5) -> Float64:
    """Probability that pairs at `distance` (any shape) are by one artist.

    `prior` is the share of such pairs expected beforehand, between 0 and 1; by default even odds.

    >>> known = Calibration(2.0, slope=np.log(3), midpoint=2.0, band=Band(1.0, 3.0))
    >>> probability([1.0, 2.0, 1e9], known).round(6).tolist()
    [0.75, 0.5, 0.0]
    >>> float(probability(1.0, known, prior=0.1).round(6))  # odds of 3 to 1 times 1 to 9
    0.25
    """
    logit = log_likelihood_ratio(distance, calibration) + np.log(prior / (1 - prior))
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * logit))  # the logistic, without overflow


def verdict(distance: float, band: Band) -> Verdict:
    """Say whether two pictures at `distance` are by one artist, by two, or what cannot be told.

    >>> [verdict(distance, Band(1.0, 3.0)) for distance in (1.0, 2.0, 3.0, 4.0)]
    ['same', 'cannot tell', 'cannot tell', 'different']
    """
    if distance <= band.accept_within:
        return "same"
    return "different" if distance > band.reject_beyond else "cannot tell"

"""Test the threshold against an exhaustive search, the slope against scikit-learn."""

import doctest

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from model import calibration
from model.calibration import (
    Band,
    Calibration,
    best_threshold,
    calibrate,
    log_likelihood_ratio,
    probability,
)
from model.distances import Pairs
from model.errors import ModelInputError
from model.metrics import balanced_accuracy

ANY = Band(1.0, 2.0)  # what calibrate hands on as it is
quick = settings(max_examples=50)


def test_the_examples_in_the_docstrings_hold() -> None:
    outcome = doctest.testmod(calibration)
    assert outcome.attempted > 0
    assert outcome.failed == 0


def pairs_of(same: list[float], different: list[float]) -> Pairs:
    """Pairs at the given distances, of any images."""
    distance = np.array([*same, *different], np.float32)
    rows = np.arange(len(distance), dtype=np.int32)
    return Pairs(rows, rows + 1, distance, np.arange(len(distance)) < len(same))


def overlapping(seed: int, same: int = 300, different: int = 3000) -> Pairs:
    rng = np.random.default_rng(seed)
    return pairs_of(rng.normal(8, 2, same).tolist(), rng.normal(11, 2, different).tolist())


whole = st.lists(st.integers(0, 9).map(float), min_size=1, max_size=9)
positive = st.floats(2**-20, 2**20, width=32)


@quick
@given(whole, whole)
def test_no_threshold_is_better_than_the_best(same: list[float], different: list[float]) -> None:
    pairs = pairs_of(same, different)
    every = [-1.0, *(float(d) for d in np.unique(pairs.distance))]
    greatest = max(balanced_accuracy(pairs, threshold) for threshold in every)
    assert balanced_accuracy(pairs, best_threshold(pairs)) == pytest.approx(greatest)


@pytest.mark.parametrize(
    ("same", "different", "expected"),
    [
        ([1, 2], [5, 6], 3.5),
        ([1, 4], [3, 6], 2.0),  # 2 and 5 are equally good: the smaller
        ([1, 3, 3], [3, 8, 9], 5.5),  # both kinds at 3
        ([5, 6], [1, 2], 6.0),  # accepting every pair is best
        ([3], [3], 3.0),  # one distance only
        ([0, 0], [0, 1], 0.5),
    ],
)
def test_thresholds_worked_by_hand(
    same: list[float], different: list[float], expected: float
) -> None:
    assert best_threshold(pairs_of(same, different)) == expected


def test_the_threshold_separates_neighbouring_float32_distances() -> None:
    near = float(np.float32(7.1))
    far = float(np.nextafter(np.float32(7.1), np.float32(8)))
    pairs = pairs_of([near], [far])
    assert near < best_threshold(pairs) < far
    assert balanced_accuracy(pairs, best_threshold(pairs)) == 1


@pytest.mark.parametrize("seed", range(5))
def test_the_ratio_equals_scikit_learns_balanced_logistic_regression(seed: int) -> None:
    pairs = overlapping(seed)
    fitted = calibrate(pairs, ANY)
    oracle = LogisticRegression(class_weight="balanced", C=1e12, tol=1e-10)
    distance = pairs.distance.astype(np.float64)[:, None]
    oracle.fit(distance, pairs.same_artist)
    expected = oracle.decision_function(distance)
    assert log_likelihood_ratio(pairs.distance, fitted) == pytest.approx(expected, abs=1e-3)
    assert probability(pairs.distance, fitted) == pytest.approx(
        oracle.predict_proba(distance)[:, 1], abs=1e-3
    )


@pytest.mark.parametrize("factor", [1e-3, 1.0, 1e3])
def test_calibration_scales_with_the_unit_of_distance(factor: float) -> None:
    pairs = overlapping(7)
    scaled = Pairs(
        pairs.first_idx, pairs.second_idx, pairs.distance * np.float32(factor), pairs.same_artist
    )
    assert calibrate(scaled, ANY).slope * factor == pytest.approx(
        calibrate(pairs, ANY).slope, rel=1e-4
    )


def test_the_share_of_same_pairs_does_not_change_the_slope() -> None:
    same, different = np.random.default_rng(8).normal([[8], [11]], 2, (2, 300)).tolist()
    pairs, more = pairs_of(same, different), pairs_of(same * 10, different)
    assert calibrate(more, ANY).threshold == calibrate(pairs, ANY).threshold
    assert calibrate(more, ANY).slope == pytest.approx(calibrate(pairs, ANY).slope, rel=1e-4)


@quick
@given(st.lists(positive, min_size=1, max_size=9), st.lists(positive, min_size=1, max_size=9))
@example([361365.0, 9.5367431640625e-07], [1e-06])
def test_a_calibration_is_usable_for_any_pairs(same: list[float], different: list[float]) -> None:
    pairs = pairs_of(same, different)
    fitted = calibrate(pairs, ANY)
    assert np.isfinite(fitted.threshold)
    assert 0 < fitted.slope < np.inf
    assert np.isfinite(fitted.midpoint)
    above_half = probability(pairs.distance, fitted) - 0.5
    assert (above_half * (fitted.midpoint - pairs.distance) >= 0).all()


@pytest.mark.parametrize(
    ("same", "different"),
    [([1, 2], [8, 9]), ([8, 9], [1, 2]), ([3, 3], [3, 3]), ([0], [0]), ([1, 5], [1, 5])],
    ids=["parted", "reversed", "equal", "collapsed", "alike"],
)
def test_the_slope_is_bounded_if_the_data_determine_none(
    same: list[float], different: list[float]
) -> None:
    fitted = calibrate(pairs_of(same, different), ANY)
    distance = np.array([*same, *different])
    spread = np.sqrt(np.mean((distance - fitted.threshold) ** 2)) or 1
    low, high = calibration.SLOPE_BOUNDS
    assert low <= fitted.slope * spread <= high


def test_separated_pairs_are_nearly_certain_and_reversed_ones_uncertain() -> None:
    parted, backwards = (
        calibrate(pairs_of([1, 2], [8, 9]), ANY),
        calibrate(pairs_of([8, 9], [1, 2]), ANY),
    )
    assert probability([2, 8], parted).tolist() == pytest.approx([1, 0], abs=1e-6)
    assert probability([1, 9], backwards).tolist() == pytest.approx([0.5, 0.5], abs=1e-2)


@quick
@given(st.floats(0, 1e30), st.floats(1e-6, 1e6), st.lists(st.floats(0, 1e30), min_size=2))
def test_a_larger_distance_is_never_more_probable(
    threshold: float, slope: float, distances: list[float]
) -> None:
    values = probability(
        sorted(distances),
        Calibration(threshold, slope, midpoint=threshold, band=Band(threshold, threshold)),
    )
    assert (np.diff(values) <= 0).all()
    assert (values >= 0).all()
    assert (values <= 1).all()


def test_probability_is_one_half_at_the_midpoint_and_keeps_the_shape() -> None:
    fitted = Calibration(2.5, 3.0, midpoint=2.5, band=Band(2.5, 2.5))
    assert float(probability(2.5, fitted)) == 0.5
    assert probability(np.zeros((2, 3), np.float32), fitted).shape == (2, 3)
    assert float(probability(2.0, fitted)) == pytest.approx(1 / (1 + np.exp(-1.5)))


@quick
@given(st.floats(0, 9), st.floats(0.001, 0.999))
def test_the_prior_moves_the_odds_by_its_own(distance: float, prior: float) -> None:
    known = Calibration(2.5, 0.8, midpoint=3.0, band=ANY)
    even, moved = (float(probability(distance, known, each)) for each in (0.5, prior))
    odds = even / (1 - even) * prior / (1 - prior)
    assert moved == pytest.approx(odds / (1 + odds))


def test_calibration_needs_both_kinds_of_pairs() -> None:
    with pytest.raises(ModelInputError, match="no two images by one artist"):
        calibrate(pairs_of([], [1]), ANY)
    with pytest.raises(ModelInputError, match="no two images by different artists"):
        calibrate(pairs_of([1], []), ANY)

"""Metrics against naive loops and against numbers computed by hand."""

import doctest
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import log_loss, roc_curve

from model import metrics
from model.calibration import Band, Calibration, probability
from model.distances import Pairs, TripletDistances, triplet_distances
from model.errors import ModelInputError
from model.metrics import (
    balanced_accuracy,
    cllr,
    eer,
    reliability,
    roc_auc,
    roc_points,
    tar_at_far,
    triplet_accuracy,
    triplet_loss_value,
)

quick = settings(max_examples=50)


def test_the_examples_in_the_docstrings_hold() -> None:
    outcome = doctest.testmod(metrics)
    assert outcome.attempted > 0
    assert outcome.failed == 0


def pairs_of(same: list[float], different: list[float]) -> Pairs:
    """Pairs at the given distances, of any images."""
    distance = np.array([*same, *different], np.float32)
    rows = np.arange(len(distance), dtype=np.int32)
    return Pairs(rows, rows + 1, distance, np.arange(len(distance)) < len(same))


def triplets_of(positive: list[float], negative: list[float]) -> TripletDistances:
    return TripletDistances(np.array(positive, np.float32), np.array(negative, np.float32))


@st.composite
def whole_distances(draw: st.DrawFn) -> Pairs:
    """Pairs of both kinds at small integer distances, so that ties are common."""
    some = st.lists(st.integers(0, 12).map(float), min_size=1, max_size=12)
    return pairs_of(draw(some), draw(some))


def rates(pairs: Pairs, threshold: float) -> tuple[float, float]:
    """False and true positive rate, counted one pair at a time."""
    same = [d <= threshold for d, s in zip(pairs.distance, pairs.same_artist, strict=True) if s]
    other = [
        d <= threshold for d, s in zip(pairs.distance, pairs.same_artist, strict=True) if not s
    ]
    return sum(other) / len(other), sum(same) / len(same)


# Triplets


def test_a_triplet_with_equal_distances_is_a_mistake() -> None:
    assert triplet_accuracy(triplets_of([1, 2, 3, 0], [2, 2, 2, 0])) == 0.25


@quick
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1))
def test_a_triplet_and_its_swap_are_not_both_correct(dist: list[tuple[int, int]]) -> None:
    positive, negative = (list(map(float, column)) for column in zip(*dist, strict=True))
    ties = sum(p == n for p, n in dist) / len(dist)
    both = triplet_accuracy(triplets_of(positive, negative))
    both += triplet_accuracy(triplets_of(negative, positive))
    assert both == pytest.approx(1 - ties)


@pytest.mark.parametrize("margin", [0.5, 1.0, 5.0])
def test_the_loss_equals_torchs(margin: float) -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(40, 8)).astype(np.float32)
    anchor, positive, negative = rng.integers(40, size=(3, 100))
    measured = triplet_distances(points, anchor, positive, negative)
    loss = torch.nn.TripletMarginWithDistanceLoss(
        distance_function=lambda x, y: (x - y).square().sum(1).sqrt(), margin=margin
    )
    expected = loss(*(torch.from_numpy(points[rows]) for rows in (anchor, positive, negative)))
    assert triplet_loss_value(measured, margin) == pytest.approx(float(expected), rel=1e-5)


def test_an_empty_list_of_triplets_is_refused() -> None:
    with pytest.raises(ModelInputError, match="no triplets"):
        triplet_accuracy(triplets_of([], []))
    with pytest.raises(ModelInputError, match="no triplets"):
        triplet_loss_value(triplets_of([], []), margin=5)


# Pairs


@quick
@given(whole_distances())
def test_roc_auc_is_the_share_of_comparisons_won(pairs: Pairs) -> None:
    same, other = pairs.distance[pairs.same_artist], pairs.distance[~pairs.same_artist]
    won = [float(s < o) + float(s == o) / 2 for s in same for o in other]
    assert roc_auc(pairs) == pytest.approx(sum(won) / len(won))


@quick
@given(whole_distances())
def test_a_monotonic_transform_of_the_distances_does_not_change_roc_auc(pairs: Pairs) -> None:
    risen = Pairs(pairs.first_idx, pairs.second_idx, pairs.distance**3 + 7, pairs.same_artist)
    assert roc_auc(risen) == roc_auc(pairs)
    assert eer(risen) == eer(pairs)


@pytest.mark.parametrize(
    ("same", "different", "expected"),
    [
        ([1, 2], [3, 4], 0.0),  # fully separated
        ([3, 4], [1, 2], 1.0),  # fully separated, reversed
        ([1], [1], 0.5),  # indistinguishable
        ([1, 3], [2, 4], 0.5),  # at 2, one of two is accepted and one of two rejected
        ([1, 2, 4], [3, 5], 1 / 3),  # the curve rises through fpr 0 ... 1/2 at tpr 2/3
        ([1, 2], [2, 3], 1 / 4),  # the tie at 2 leads from (0, 1/2) to (1/2, 1): half-way
    ],
)
def test_equal_error_rates_worked_by_hand(
    same: list[float], different: list[float], expected: float
) -> None:
    assert eer(pairs_of(same, different)) == pytest.approx(expected)


@quick
@given(whole_distances())
def test_the_equal_error_rate_is_between_the_errors_around_the_crossing(pairs: Pairs) -> None:
    found = [(0.0, 1.0)]
    for threshold in np.unique(pairs.distance):
        false_positive, true_positive = rates(pairs, threshold)
        found.append((false_positive, 1 - true_positive))
    lower = max(min(errors) for errors in found)
    upper = min(max(errors) for errors in found)
    assert 0 <= lower <= eer(pairs) + 1e-12
    assert eer(pairs) - 1e-12 <= upper <= 1


@quick
@given(whole_distances(), st.integers(-1, 13))
def test_balanced_accuracy_is_the_mean_of_both_rates(pairs: Pairs, threshold: int) -> None:
    false_positive, true_positive = rates(pairs, threshold)
    expected = (true_positive + 1 - false_positive) / 2
    assert balanced_accuracy(pairs, threshold) == pytest.approx(expected)


@quick
@given(whole_distances())
def test_the_plotted_curve_encloses_the_area(pairs: Pairs) -> None:
    curve = roc_points(pairs)
    area = np.trapezoid(curve.true_positive_rate, curve.false_positive_rate)
    assert area == pytest.approx(roc_auc(pairs))


def test_a_thinned_curve_keeps_its_ends_its_order_and_its_area() -> None:
    rng = np.random.default_rng(3)
    pairs = pairs_of(rng.normal(4, 1, 3000).tolist(), rng.normal(5, 1, 3000).tolist())
    curve = roc_points(pairs, limit=200)
    x, y = curve.false_positive_rate, curve.true_positive_rate
    assert len(x) == len(y) == 200
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)
    assert (np.diff(x) >= 0).all()
    assert (np.diff(y) >= 0).all()
    assert np.trapezoid(y, x) == pytest.approx(roc_auc(pairs), abs=1e-3)


KNOWN = Calibration(5.0, 0.7, midpoint=5.0, band=Band(5.0, 5.0))
shares = st.one_of(
    st.just(0.0), st.just(1.0), st.floats(0, 1), st.integers(1, 12).map(lambda n: 1 / n)
)


@quick
@given(whole_distances(), shares)
def test_true_acceptance_is_the_highest_allowed_point_of_the_roc_curve(
    pairs: Pairs, far: float
) -> None:
    false_positive, true_positive, _ = roc_curve(
        pairs.same_artist, -pairs.distance, drop_intermediate=False
    )
    assert tar_at_far(pairs, far) == pytest.approx(true_positive[false_positive <= far].max())


@pytest.mark.parametrize(
    ("same", "different", "far", "expected"),
    [
        ([1, 4], [2, 3, 6, 7], 0.25, 0.5),  # 2 may pass, 3 may not: 1 passes
        ([1, 4], [2, 3, 6, 7], 0.24, 0.5),  # not even 2 may pass
        ([1, 4], [2, 3, 6, 7], 0.5, 1.0),
        ([2, 3], [2, 3, 6, 7], 0.25, 0.5),  # 3 ties with what may not pass
        ([1, 2], [2, 2, 6, 7], 0.25, 0.5),  # two that tie: both or neither
        ([9, 9], [1, 2], 1.0, 1.0),  # all may pass
        ([2, 9], [1, 1], 0.0, 0.0),
    ],
)
def test_true_acceptance_worked_by_hand(
    same: list[float], different: list[float], far: float, expected: float
) -> None:
    assert tar_at_far(pairs_of(same, different), far) == expected


@quick
@given(whole_distances(), st.floats(0, 1), st.floats(0, 1))
def test_more_false_acceptance_never_costs_true_acceptance(
    pairs: Pairs, one: float, other: float
) -> None:
    assert tar_at_far(pairs, min(one, other)) <= tar_at_far(pairs, max(one, other))


@quick
@given(whole_distances())
def test_cllr_is_the_log_loss_in_bits_with_equal_weight_for_both_kinds(pairs: Pairs) -> None:
    same = pairs.same_artist
    weight = np.where(same, 1 / same.sum(), 1 / (~same).sum())
    loss = log_loss(same, probability(pairs.distance, KNOWN), sample_weight=weight, labels=[0, 1])
    assert cllr(pairs, KNOWN) == pytest.approx(loss / np.log(2))


def test_uninformative_ratios_cost_one_bit() -> None:
    assert cllr(
        pairs_of([1, 7], [2, 3, 9]), Calibration(5.0, 1e-12, midpoint=5.0, band=Band(5.0, 5.0))
    ) == pytest.approx(1)
    assert cllr(pairs_of([5], [5]), KNOWN) == 1


def test_reliability_is_that_of_scikit_learns_calibration_curve() -> None:
    rng = np.random.default_rng(5)
    pairs = pairs_of(rng.normal(4, 2, 50).tolist(), rng.normal(6, 2, 50).tolist())
    found = reliability(pairs, KNOWN)
    chances = probability(pairs.distance, KNOWN)
    shares, means = calibration_curve(pairs.same_artist, chances, n_bins=10)
    assert found.same_share == pytest.approx(shares)
    assert found.probability == pytest.approx(means)


def test_cllr_of_extreme_ratios_neither_overflows_nor_warns() -> None:
    sure = Calibration(5.0, 1e6, midpoint=5.0, band=Band(5.0, 5.0))
    assert cllr(pairs_of([1], [1e30]), sure) == 0
    # Wrong by 1e36 nats on the one kind, right on the other.
    mistaken = cllr(pairs_of([1e30], [1e31]), sure)
    assert mistaken == pytest.approx(float(np.float32(1e30)) * 1e6 / np.log(2) / 2)


@pytest.mark.parametrize(
    "metric",
    [
        roc_auc,
        eer,
        roc_points,
        lambda pairs: balanced_accuracy(pairs, 1),
        lambda pairs: tar_at_far(pairs, 0.5),
        lambda pairs: cllr(pairs, KNOWN),
    ],
)
def test_a_split_without_one_kind_of_pair_is_refused(metric: Callable[[Pairs], object]) -> None:
    with pytest.raises(ModelInputError, match="no two images by one artist"):
        metric(pairs_of([], [1, 2]))
    with pytest.raises(ModelInputError, match="no two images by different artists"):
        metric(pairs_of([1, 2], []))

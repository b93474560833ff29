"""Metrics against naive loops that follow their definitions, and against numbers by hand."""

import doctest
from collections.abc import Callable
from random import Random

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from model import metrics
from model.errors import ModelInputError
from model.metrics import (
    Pairs,
    TripletDistances,
    all_pairs,
    balanced_accuracy,
    eer,
    map_at_r,
    recall_at_1,
    roc_auc,
    roc_points,
    triplet_accuracy,
    triplet_loss_value,
)

quick = settings(max_examples=50, deadline=None)  # the machine may be busy
Split = tuple[NDArray[np.float32], NDArray[np.intp]]


def test_the_examples_in_the_docstrings_hold() -> None:
    outcome = doctest.testmod(metrics)
    assert outcome.attempted > 0
    assert outcome.failed == 0


def pairs_of(same: list[float], different: list[float]) -> Pairs:
    """Pairs at the given distances; which images they are of does not matter here."""
    distance = np.array([*same, *different], np.float32)
    rows = np.arange(len(distance), dtype=np.int32)
    return Pairs(rows, rows + 1, distance, np.arange(len(distance)) < len(same))


def triplets_of(positive: list[float], negative: list[float]) -> TripletDistances:
    return TripletDistances(np.array(positive, np.float32), np.array(negative, np.float32))


@st.composite
def whole_distances(draw: st.DrawFn) -> Pairs:
    """Pairs of both kinds at small whole distances, so that ties are common."""
    some = st.lists(st.integers(0, 12).map(float), min_size=1, max_size=12)
    return pairs_of(draw(some), draw(some))


@st.composite
def splits(draw: st.DrawFn) -> Split:
    """Embeddings on a small grid, so that ties are common, of artists of whom one has two."""
    artists = draw(st.lists(st.integers(0, 3), min_size=3, max_size=14))
    assume(1 < len(set(artists)) < len(artists))
    points = [draw(st.tuples(st.integers(0, 4), st.integers(0, 4))) for _ in artists]
    return np.array(points, np.float32), np.array(artists)


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
def test_a_triplet_and_its_swap_are_not_both_right(dist: list[tuple[int, int]]) -> None:
    positive, negative = (list(map(float, column)) for column in zip(*dist, strict=True))
    ties = sum(p == n for p, n in dist) / len(dist)
    both = triplet_accuracy(triplets_of(positive, negative))
    both += triplet_accuracy(triplets_of(negative, positive))
    assert both == pytest.approx(1 - ties)


@pytest.mark.parametrize("margin", [0.5, 1.0, 5.0])
def test_the_loss_is_torch_s_own(margin: float) -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(40, 8)).astype(np.float32)
    anchor, positive, negative = rng.integers(40, size=(3, 100))
    measured = metrics.triplet_distances(points, anchor, positive, negative)
    loss = torch.nn.TripletMarginWithDistanceLoss(
        distance_function=lambda x, y: (x - y).square().sum(1).sqrt(), margin=margin
    )
    expected = loss(*(torch.from_numpy(points[rows]) for rows in (anchor, positive, negative)))
    assert triplet_loss_value(measured, margin) == pytest.approx(float(expected), rel=1e-5)


def test_no_triplets_is_an_error_of_the_user() -> None:
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
def test_a_rising_transform_of_the_distances_changes_no_ranking(pairs: Pairs) -> None:
    risen = Pairs(pairs.first_idx, pairs.second_idx, pairs.distance**3 + 7, pairs.same_artist)
    assert roc_auc(risen) == roc_auc(pairs)
    assert eer(risen) == eer(pairs)


@pytest.mark.parametrize(
    ("same", "different", "expected"),
    [
        ([1, 2], [3, 4], 0.0),  # fully parted
        ([3, 4], [1, 2], 1.0),  # fully parted, the wrong way round
        ([1], [1], 0.5),  # nothing to tell them by
        ([1, 3], [2, 4], 0.5),  # at 2: one of two passes, one of two is stopped
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
def test_the_equal_error_rate_lies_between_the_errors_around_the_crossing(pairs: Pairs) -> None:
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


@pytest.mark.parametrize("metric", [roc_auc, eer, roc_points, lambda p: balanced_accuracy(p, 1)])
def test_a_split_without_one_kind_of_pair_is_told_so(metric: Callable[[Pairs], object]) -> None:
    with pytest.raises(ModelInputError, match="no two images by one artist"):
        metric(pairs_of([], [1, 2]))
    with pytest.raises(ModelInputError, match="no two images by different artists"):
        metric(pairs_of([1, 2], []))


# Retrieval


def ranked(split: Split, query: int) -> list[bool]:
    """Whether each other image is by the query's artist: nearest first, in a tie strangers."""
    points, artists = split
    others = [row for row in range(len(artists)) if row != query]
    others.sort(
        key=lambda row: (((points[row] - points[query]) ** 2).sum(), artists[row] == artists[query])
    )
    return [artists[row] == artists[query] for row in others]


def queries(split: Split) -> list[list[bool]]:
    return [hits for row in range(len(split[1])) if any(hits := ranked(split, row))]


def precision_at_r(split: Split) -> float:
    return float(np.mean([np.mean(hits[: sum(hits)]) for hits in queries(split)]))


@quick
@given(splits())
def test_recall_at_1_is_the_share_of_first_hits(split: Split) -> None:
    assert recall_at_1(*split) == pytest.approx(np.mean([hits[0] for hits in queries(split)]))


@quick
@given(splits())
def test_map_at_r_follows_the_paper_s_sum(split: Split) -> None:
    scores = []
    for hits in queries(split):
        r = sum(hits)
        precisions = [sum(hits[:i]) / i if hits[i - 1] else 0 for i in range(1, r + 1)]
        scores.append(sum(precisions) / r)
    assert map_at_r(*split) == pytest.approx(np.mean(scores))
    assert map_at_r(*split) <= precision_at_r(split) + 1e-12


@quick
@given(st.integers(0, 2**32 - 1), st.integers(2, 12))
def test_with_two_images_an_artist_both_retrieval_metrics_are_one(seed: int, artists: int) -> None:
    points = np.random.default_rng(seed).normal(size=(2 * artists, 3)).astype(np.float32)
    numbers = np.repeat(np.arange(artists), 2)
    assert map_at_r(points, numbers) == pytest.approx(recall_at_1(points, numbers))


@quick
@given(splits(), st.randoms())
def test_the_order_of_the_images_changes_nothing(split: Split, random: Random) -> None:
    order = list(range(len(split[1])))
    random.shuffle(order)
    points, artists = split
    mixed = points[order], artists[order]
    for metric in (recall_at_1, map_at_r):
        assert metric(*mixed) == pytest.approx(metric(*split))
    for judged in (roc_auc, eer):
        assert judged(all_pairs(*mixed)) == pytest.approx(judged(all_pairs(*split)))


def test_embeddings_that_are_all_alike_earn_nothing() -> None:
    points, artists = np.ones((6, 4), np.float32), np.array([0, 0, 0, 1, 1, 1])
    assert recall_at_1(points, artists) == 0
    assert map_at_r(points, artists) == 0
    assert roc_auc(all_pairs(points, artists)) == 0.5


def test_galleries_larger_than_a_block_are_searched_whole() -> None:
    rng = np.random.default_rng(5)
    artists = np.arange(3 * metrics.QUERY_BLOCK // 2) // 3
    points = rng.normal(size=(len(artists) // 3, 8))[artists] * 1.5
    points += rng.normal(size=points.shape)
    gap = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(gap, np.inf)
    expected = np.mean(artists[gap.argmin(axis=1)] == artists)
    assert 0.1 < expected < 0.95
    assert recall_at_1(points.astype(np.float32), artists) == pytest.approx(expected)


def test_retrieval_without_any_match_is_told_so() -> None:
    points = np.eye(3, dtype=np.float32)
    for metric in (recall_at_1, map_at_r):
        with pytest.raises(ModelInputError, match="no two images by one artist"):
            metric(points, np.arange(3))

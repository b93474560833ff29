"""Resampled figures against scikit-learn's weighted ones, and the intervals' coverage."""

import doctest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import f
from sklearn.metrics import roc_auc_score

from model import intervals
from model.errors import ModelInputError
from model.intervals import (
    Interval,
    roc_auc_interval,
    triplet_accuracy_interval,
    weighted_roc_auc,
    weighted_triplet_accuracy,
)
from model.metrics import Pairs, TripletDistances, all_pairs, roc_auc, triplet_accuracy


def test_the_examples_in_the_docstrings_hold() -> None:
    outcome = doctest.testmod(intervals)
    assert outcome.attempted > 0
    assert outcome.failed == 0


def painted(
    seed: int, artists: int, images: int, apart: float, dimensions: int = 4
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Images scattered by 1 about their artist, artists scattered by `apart`."""
    rng = np.random.default_rng(seed)
    artist = np.repeat(np.arange(artists), images)
    points = rng.normal(scale=apart, size=(artists, dimensions))[artist]
    points += rng.normal(size=points.shape)
    return points.astype(np.float32), artist


def some_triplets(
    seed: int, artists: int = 10, count: int = 400
) -> tuple[TripletDistances, NDArray[np.intp], NDArray[np.intp]]:
    rng = np.random.default_rng(seed)
    anchor = np.arange(count) % artists
    negative = (anchor + rng.integers(1, artists, count)) % artists
    positive_dist = rng.integers(0, 8, count).astype(np.float32)
    negative_dist = (rng.integers(1, 8, count) + anchor / artists).astype(np.float32)
    return TripletDistances(positive_dist, negative_dist), anchor, negative


def naive_auc(pairs: Pairs, artist: NDArray[np.intp], times: NDArray[np.float64]) -> float:
    first, second = times[artist[pairs.first_idx]], times[artist[pairs.second_idx]]
    weight = np.where(pairs.same_artist, first, first * second)
    kept = weight > 0
    return float(
        roc_auc_score(pairs.same_artist[kept], -pairs.distance[kept], sample_weight=weight[kept])
    )


@settings(max_examples=25, deadline=None)  # the machine may be busy
@given(st.integers(0, 2**32 - 1), st.integers(2, 5), st.booleans())
def test_a_resample_s_auc_is_scikit_learn_s_weighted_auc(
    seed: int, artists: int, with_ties: bool
) -> None:
    points, artist = painted(seed, artists, images=3, apart=1)
    pairs = all_pairs(points.round() if with_ties else points, artist)
    drawn = np.random.default_rng(seed).integers(1, 4, size=(5, artists)).astype(np.float64)
    drawn[:, :-2] -= 1  # some artists are not drawn at all, two always are
    expected = [naive_auc(pairs, artist, times) for times in drawn]
    assert weighted_roc_auc(pairs, artist, drawn) == pytest.approx(expected)


def test_the_undisturbed_draw_gives_the_plain_figures() -> None:
    points, artist = painted(1, artists=12, images=5, apart=1)
    pairs = all_pairs(points, artist)
    once = np.ones((1, 12))
    assert weighted_roc_auc(pairs, artist, once).item() == pytest.approx(roc_auc(pairs))
    distances, anchor, negative = some_triplets(1)
    figure = weighted_triplet_accuracy(distances, anchor, negative, np.ones((1, 10))).item()
    assert figure == pytest.approx(triplet_accuracy(distances))


def test_a_resample_s_triplet_accuracy_is_the_weighted_mean() -> None:
    distances, anchor, negative = some_triplets(2)
    drawn = np.random.default_rng(3).multinomial(10, [0.1] * 10, 20).astype(np.float64)
    correct = distances.positive_dist < distances.negative_dist
    expected = [np.average(correct, weights=times[anchor] * times[negative]) for times in drawn]
    assert weighted_triplet_accuracy(distances, anchor, negative, drawn) == pytest.approx(expected)


def test_the_interval_lies_between_percentiles_of_a_plain_bootstrap() -> None:
    points, artist = painted(4, artists=15, images=4, apart=1)
    pairs = all_pairs(points, artist)
    rng = np.random.default_rng(99)
    figures = []
    for _ in range(300):
        times = np.bincount(rng.integers(15, size=15), minlength=15).astype(np.float64)
        figures.append(naive_auc(pairs, artist, times))
    low, high = np.percentile(figures, [2.5, 97.5])
    interval = roc_auc_interval(pairs, artist, resamples=2000, seed=0)
    assert interval.low == pytest.approx(low, abs=0.02)
    assert interval.high == pytest.approx(high, abs=0.02)
    assert interval.low < roc_auc(pairs) < interval.high


def test_the_names_of_artists_do_not_matter() -> None:
    points, artist = painted(5, artists=8, images=3, apart=1)
    pairs = all_pairs(points, artist)
    plain = roc_auc_interval(pairs, artist, resamples=50, seed=1)
    assert roc_auc_interval(pairs, artist * 1000 + 7, resamples=50, seed=1) == plain
    distances, anchor, negative = some_triplets(5)
    asked = triplet_accuracy_interval(distances, anchor, negative, resamples=50, seed=1)
    again = triplet_accuracy_interval(distances, anchor + 3, negative + 3, resamples=50, seed=1)
    assert asked == again


def test_a_seed_gives_one_interval_and_another_seed_another() -> None:
    points, artist = painted(6, artists=8, images=3, apart=1)
    pairs = all_pairs(points, artist)
    first, again, other = (
        roc_auc_interval(pairs, artist, resamples=50, seed=seed) for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_more_confidence_is_a_wider_interval() -> None:
    distances, anchor, negative = some_triplets(7)
    half, most = (
        triplet_accuracy_interval(
            distances, anchor, negative, resamples=500, seed=0, confidence=confidence
        )
        for confidence in (0.5, 0.99)
    )
    assert most.low < half.low < triplet_accuracy(distances) < half.high < most.high


def test_a_perfect_split_has_no_width() -> None:
    points, artist = painted(8, artists=5, images=3, apart=1000)
    pairs = all_pairs(points, artist)
    assert roc_auc_interval(pairs, artist, resamples=100, seed=0) == Interval(1.0, 1.0)


def test_resamples_that_hold_nothing_are_skipped_unless_all_are() -> None:
    points, artist = painted(9, artists=2, images=3, apart=1)
    pairs = all_pairs(points, artist)
    figures = weighted_roc_auc(pairs, artist, np.array([[2.0, 0.0], [1.0, 1.0]]))
    assert figures.tolist() == pytest.approx([roc_auc(pairs)])
    with pytest.raises(ModelInputError, match="more resamples or artists"):
        weighted_roc_auc(pairs, artist, np.array([[2.0, 0.0]]))


def test_intervals_need_something_to_judge() -> None:
    points = np.eye(3, dtype=np.float32)
    with pytest.raises(ModelInputError, match="no two images by one artist"):
        roc_auc_interval(all_pairs(points, np.arange(3)), np.arange(3), resamples=5, seed=0)
    nothing = np.zeros(0, np.float32)
    none = np.zeros(0, np.intp)
    with pytest.raises(ModelInputError, match="no triplets"):
        triplet_accuracy_interval(
            TripletDistances(nothing, nothing), none, none, resamples=5, seed=0
        )


def test_about_95_of_100_intervals_hold_the_truth() -> None:
    # Squared distances are chi-squared, times 2 for a same pair and 2 (1 + 1) for a different one:
    # the share of same pairs that are nearer is a point of the F distribution.
    truth = f.cdf(2, dfn=4, dfd=4)
    held = 0
    for seed in range(200):
        points, artist = painted(seed, artists=40, images=4, apart=1)
        interval = roc_auc_interval(all_pairs(points, artist), artist, resamples=200, seed=seed)
        held += interval.low <= truth <= interval.high
    assert 0.9 <= held / 200 <= 0.99

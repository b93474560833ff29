"""Intervals against a plain bootstrap, and how often they contain the truth."""

import doctest

import numpy as np
import pytest
from scipy.stats import chi2, f

from model import intervals
from model.distances import TripletDistances, all_pairs
from model.errors import ModelInputError
from model.intervals import (
    Interval,
    percentile_interval,
    triplet_accuracy_interval,
)
from model.measures import measure_ranking
from model.metrics import roc_auc, triplet_accuracy
from model.resampling import draw_artists, weighted_tar_at_far
from tests.model.resampled import naive_auc, painted, roc_auc_interval, some_triplets


def test_the_examples_in_the_docstrings_hold() -> None:
    outcome = doctest.testmod(intervals)
    assert outcome.attempted > 0
    assert outcome.failed == 0


def test_the_interval_equals_percentiles_of_a_plain_bootstrap() -> None:
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


def test_the_interval_depends_on_the_seed() -> None:
    points, artist = painted(6, artists=8, images=3, apart=1)
    pairs = all_pairs(points, artist)
    first, again, other = (
        roc_auc_interval(pairs, artist, resamples=50, seed=seed) for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_more_confidence_gives_a_wider_interval() -> None:
    distances, anchor, negative = some_triplets(7)
    half, most = (
        triplet_accuracy_interval(
            distances, anchor, negative, resamples=500, seed=0, confidence=confidence
        )
        for confidence in (0.5, 0.99)
    )
    assert most.low < half.low < triplet_accuracy(distances) < half.high < most.high


def test_the_interval_of_a_perfect_split_has_no_width() -> None:
    points, artist = painted(8, artists=5, images=3, apart=1000)
    pairs = all_pairs(points, artist)
    assert roc_auc_interval(pairs, artist, resamples=100, seed=0) == Interval(1.0, 1.0)


def test_resamples_without_a_value_are_skipped_unless_all_are() -> None:
    figures = np.array([np.nan, 0.0, np.nan, 1.0])
    assert percentile_interval(figures, 0.5) == Interval(0.25, 0.75)
    assert percentile_interval(figures[:1]) is None
    points, artist = painted(9, artists=2, images=3, apart=1)
    one_artist = next(seed for seed in range(99) if _draws_one_artist(seed))
    with pytest.raises(ModelInputError, match="more resamples or more artists"):
        roc_auc_interval(all_pairs(points, artist), artist, resamples=1, seed=one_artist)


def _draws_one_artist(seed: int) -> bool:
    return bool((draw_artists(np.arange(2), 1, seed).drawn == 0).any())


def test_intervals_need_pairs_of_both_kinds_or_triplets() -> None:
    points = np.eye(3, dtype=np.float32)
    draws = draw_artists(np.arange(3), resamples=5, seed=0)
    with pytest.raises(ModelInputError, match="no two images by one artist"):
        next(measure_ranking(all_pairs(points, np.arange(3)), draws, None))
    nothing = np.zeros(0, np.float32)
    none = np.zeros(0, np.intp)
    with pytest.raises(ModelInputError, match="no triplets"):
        triplet_accuracy_interval(
            TripletDistances(nothing, nothing), none, none, resamples=5, seed=0
        )


def test_about_95_of_100_intervals_contain_the_truth() -> None:
    # Squared distances are chi-squared, times 2 for a same pair and 2 (1 + 1) for a different one:
    # the share of same pairs that are nearer is a point of the F distribution.
    truth = f.cdf(2, dfn=4, dfd=4)
    held = 0
    for seed in range(200):
        points, artist = painted(seed, artists=40, images=4, apart=1)
        interval = roc_auc_interval(all_pairs(points, artist), artist, resamples=200, seed=seed)
        held += interval.low <= truth <= interval.high
    assert 0.9 <= held / 200 <= 0.99


def test_about_95_of_100_intervals_contain_the_true_acceptance_rate() -> None:
    # As above; a twentieth of the different pairs lies below the chi-squared's own twentieth.
    truth = chi2.cdf(2 * chi2.ppf(0.05, df=4), df=4)
    held = 0
    for seed in range(200):
        points, artist = painted(seed, artists=40, images=4, apart=1)
        draws = draw_artists(artist, 200, seed)
        pairs = all_pairs(points, artist)
        figures = weighted_tar_at_far(pairs, draws.artist, draws.drawn, far=0.05)
        interval = percentile_interval(figures)
        assert interval
        held += interval.low <= truth <= interval.high
    assert 0.9 <= held / 200 <= 0.99

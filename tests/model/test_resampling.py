"""Metrics on every draw against scikit-learn's weighted ones and plain weighted means."""

import doctest
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import log_loss, roc_curve

from model import resampling, weighing
from model.calibration import Band, Calibration, probability
from model.distances import Pairs, all_pairs
from model.metrics import cllr, cllr_min, roc_auc, tar_at_far, triplet_accuracy
from model.resampling import (
    draw_artists,
    weighted_cllr,
    weighted_cllr_min,
    weighted_mean,
    weighted_roc_auc,
    weighted_tar_at_far,
    weighted_triplet_accuracy,
)
from model.retrieval import average_precision_at_r, map_at_r
from tests.model.resampled import naive_auc, painted, some_triplets
from tests.model.resampled import weights as weights_of

quick = settings(max_examples=25)
KNOWN = Calibration(2.5, 1.5, midpoint=2.5, band=Band(2.5, 2.5))


@pytest.mark.parametrize("module", [resampling, weighing])
def test_the_examples_in_the_docstrings_hold(module: ModuleType) -> None:
    outcome = doctest.testmod(module)
    assert outcome.attempted > 0
    assert outcome.failed == 0


def some_draws(seed: int, artists: int, count: int = 5) -> NDArray[np.float64]:
    """Draws that always contain two of the artists."""
    drawn = np.random.default_rng(seed).integers(1, 4, size=(count, artists)).astype(np.float64)
    drawn[:, :-2] -= 1
    return drawn


def test_every_draw_takes_as_many_artists_as_exist() -> None:
    draws = draw_artists(np.array([7, 7, 9, 2, 2, 7]), resamples=3000, seed=1)
    assert draws.artist.tolist() == [1, 1, 2, 0, 0, 1]
    assert (draws.drawn.sum(axis=1) == 3).all()
    # Each of three draws takes an artist with a chance of 1/3.
    assert draws.drawn.mean(axis=0) == pytest.approx([1, 1, 1], abs=0.06)
    assert (draws.drawn == 0).mean() == pytest.approx((2 / 3) ** 3, abs=0.03)


@quick
@given(st.integers(0, 2**32 - 1), st.integers(2, 5), st.booleans())
def test_roc_auc_on_a_draw_equals_scikit_learns_weighted_auc(
    seed: int, artists: int, with_ties: bool
) -> None:
    points, artist = painted(seed, artists, images=3, apart=1)
    pairs = all_pairs(points.round() if with_ties else points, artist)
    drawn = some_draws(seed, artists)
    expected = [naive_auc(pairs, artist, times) for times in drawn]
    assert weighted_roc_auc(pairs, artist, drawn) == pytest.approx(expected)


def test_drawing_every_artist_once_gives_the_plain_metrics() -> None:
    points, artist = painted(1, artists=12, images=5, apart=1)
    pairs = all_pairs(points, artist)
    once = np.ones((1, 12))
    assert weighted_roc_auc(pairs, artist, once).item() == pytest.approx(roc_auc(pairs))
    distances, anchor, negative = some_triplets(1)
    figure = weighted_triplet_accuracy(distances, anchor, negative, np.ones((1, 10))).item()
    assert figure == pytest.approx(triplet_accuracy(distances))
    for far in (0, 0.01, 0.05, 0.3, 1):
        figure = weighted_tar_at_far(pairs, artist, once, far).item()
        assert figure == pytest.approx(tar_at_far(pairs, far))
    assert weighted_cllr(pairs, KNOWN, artist, once).item() == pytest.approx(cllr(pairs, KNOWN))
    scores = average_precision_at_r(points, artist)
    assert weighted_mean(scores, artist, once).item() == pytest.approx(map_at_r(points, artist))


def test_triplet_accuracy_on_a_draw_is_the_weighted_mean() -> None:
    distances, anchor, negative = some_triplets(2)
    drawn = np.random.default_rng(3).multinomial(10, [0.1] * 10, 20).astype(np.float64)
    correct = distances.positive_dist < distances.negative_dist
    expected = [np.average(correct, weights=times[anchor] * times[negative]) for times in drawn]
    assert weighted_triplet_accuracy(distances, anchor, negative, drawn) == pytest.approx(expected)


def naive_tar(
    pairs: Pairs, artist: NDArray[np.intp], times: NDArray[np.float64], far: float
) -> float:
    """The highest allowed point of scikit-learn's weighted ROC curve."""
    weight = weights_of(pairs, artist, times)
    kept = weight > 0
    false_positive, true_positive, _ = roc_curve(
        pairs.same_artist[kept],
        -pairs.distance[kept],
        sample_weight=weight[kept],
        drop_intermediate=False,
    )
    return float(true_positive[false_positive <= far].max())


@quick
@given(
    st.integers(0, 2**32 - 1),
    st.integers(2, 8),
    st.booleans(),
    st.one_of(st.sampled_from([0.0, 0.01, 0.05, 0.125, 0.25, 1.0]), st.floats(0, 1)),
)
def test_true_acceptance_on_a_draw_equals_scikit_learns_weighted_curve(
    seed: int, artists: int, with_ties: bool, far: float
) -> None:
    points, artist = painted(seed, artists, images=5, apart=1)
    pairs = all_pairs(points.round() if with_ties else points, artist)
    drawn = some_draws(seed, artists)
    expected = [naive_tar(pairs, artist, times, far) for times in drawn]
    assert weighted_tar_at_far(pairs, artist, drawn, far) == pytest.approx(expected)


def balanced_weights_of(
    pairs: Pairs, artist: NDArray[np.intp], times: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Weights of the drawn pairs, with the same total for both kinds."""
    weight, same = weights_of(pairs, artist, times), pairs.same_artist
    weight /= np.where(same, weight[same].sum(), weight[~same].sum())
    return weight


@quick
@given(st.integers(0, 2**32 - 1), st.integers(2, 5))
def test_cllr_on_a_draw_equals_scikit_learns_weighted_log_loss(seed: int, artists: int) -> None:
    points, artist = painted(seed, artists, images=3, apart=1)
    pairs = all_pairs(points, artist)
    drawn = some_draws(seed, artists)
    expected = []
    for times in drawn:
        weight, same = balanced_weights_of(pairs, artist, times), pairs.same_artist
        loss = log_loss(same, probability(pairs.distance, KNOWN), sample_weight=weight)
        expected.append(loss / np.log(2))
    assert weighted_cllr(pairs, KNOWN, artist, drawn) == pytest.approx(expected)


@quick
@given(st.integers(0, 2**32 - 1), st.integers(2, 5))
def test_the_least_cllr_on_a_draw_is_that_of_scikit_learns_isotonic_regression(
    seed: int, artists: int
) -> None:
    points, artist = painted(seed, artists, images=5, apart=1)
    pairs = all_pairs(points, artist)
    drawn = some_draws(seed, artists)
    expected = []
    for times in drawn:
        weight, same = balanced_weights_of(pairs, artist, times), pairs.same_artist
        kept, fit = weight > 0, IsotonicRegression(increasing=False, y_min=0, y_max=1)
        judged = pairs.distance[kept].astype(np.float64), same[kept], weight[kept]
        best = fit.fit(*judged).predict(judged[0])
        loss = log_loss(judged[1], best, sample_weight=judged[2], labels=[False, True])
        expected.append(loss / np.log(2))
    # Two distances in one bin count as equal, which costs a little.
    assert weighted_cllr_min(pairs, artist, drawn) == pytest.approx(np.array(expected), abs=0.01)
    once = np.ones((1, artists))
    assert weighted_cllr_min(pairs, artist, once).item() == pytest.approx(cllr_min(pairs))


def test_the_mean_on_a_draw_repeats_the_drawn_artists_queries() -> None:
    points, artist = painted(3, artists=6, images=4, apart=1)
    scores = average_precision_at_r(points, artist)
    scores[[0, 9]] = np.nan
    drawn = some_draws(4, artists=6)
    expected = [
        np.nanmean(np.repeat(scores, times[artist].astype(int)), dtype=np.float64)
        for times in drawn
    ]
    assert weighted_mean(scores, artist, drawn) == pytest.approx(expected)


def test_a_draw_with_nothing_to_evaluate_gives_nan() -> None:
    points, artist = painted(9, artists=3, images=3, apart=1)
    artist[artist == 2] = [2, 3, 4]  # three artists of one image each
    pairs, drawn = all_pairs(points, artist), np.zeros((4, 5))
    drawn[0] = 1
    drawn[1, 0] = 5  # no pair by two artists
    drawn[2, 2:] = [2, 2, 1]  # no pair by one artist
    drawn[3, 2] = 5  # no pair at all
    scores = average_precision_at_r(points, artist)
    for figures in (
        weighted_roc_auc(pairs, artist, drawn),
        weighted_tar_at_far(pairs, artist, drawn, 0.1),
        weighted_tar_at_far(pairs, artist, drawn, 1),
        weighted_cllr(pairs, KNOWN, artist, drawn),
        weighted_cllr_min(pairs, artist, drawn),
    ):
        assert np.isnan(figures).tolist() == [False, True, True, True]
    has_queries = ~np.isnan(weighted_mean(scores, artist, drawn))
    assert has_queries.tolist() == [True, True, False, False]

"""Measures against the metrics called directly, on all and on matched pairs."""

import doctest

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import log_loss, roc_auc_score

from model import measures
from model.calibration import Band, Calibration
from model.distances import Pairs, all_pairs
from model.intervals import percentile_interval
from model.measures import (
    Measure,
    matched_pairs,
    measure_calibration,
    measure_loss,
    measure_ranking,
    measure_retrieval,
    measure_verdicts,
)
from model.metrics import cllr, tar_at_far
from model.resampling import Draws, draw_artists, weighted_tar_at_far
from model.retrieval import map_at_r
from tests.model.resampled import painted, roc_auc_interval

POINTS, ARTIST = painted(1, artists=8, images=5, apart=2)
PAIRS = all_pairs(POINTS, ARTIST)
LABELS = np.random.default_rng(2).integers(-1, 3, len(ARTIST))
DRAWS = draw_artists(ARTIST, 200, seed=3)
KNOWN = Calibration(2.5, 1.5, midpoint=2.5, band=Band(2.5, 2.5))


def test_the_examples_in_the_docstrings_hold() -> None:
    outcome = doctest.testmod(measures)
    assert outcome.attempted > 0
    assert outcome.failed == 0


def found(labels: NDArray[np.integer] | None) -> dict[tuple[str, str], Measure]:
    """Every measure by name and scope."""
    every = [
        *measure_ranking(PAIRS, DRAWS, labels),
        *measure_retrieval(POINTS, ARTIST, DRAWS, labels),
        *measure_calibration(PAIRS, KNOWN, DRAWS, labels),
    ]
    return {(each.name, each.scope): each for each in every}


def test_measures_are_the_metrics_with_their_intervals() -> None:
    every = found(None)
    values = {name: measure.value for (name, _), measure in every.items()}
    assert values == {
        "roc_auc": pytest.approx(roc_auc_score(PAIRS.same_artist, -PAIRS.distance)),
        "tar_at_1_percent_far": tar_at_far(PAIRS, 0.01),
        "tar_at_5_percent_far": tar_at_far(PAIRS, 0.05),
        "map_at_r": map_at_r(POINTS, ARTIST),
        "cllr": cllr(PAIRS, KNOWN),
    }
    assert {scope for _, scope in every} == {"all"}
    assert every["roc_auc", "all"].interval == roc_auc_interval(
        PAIRS, ARTIST, resamples=200, seed=3
    )
    figures = weighted_tar_at_far(PAIRS, DRAWS.artist, DRAWS.drawn, 0.01)
    assert every["tar_at_1_percent_far", "all"].interval == percentile_interval(figures)


def test_every_value_is_within_its_interval() -> None:
    for measure in found(LABELS).values():
        assert measure.interval
        assert measure.interval.low < measure.value < measure.interval.high


def test_matched_pairs_are_those_whose_images_share_a_label() -> None:
    kept = [
        at
        for at, (first, second) in enumerate(zip(PAIRS.first_idx, PAIRS.second_idx, strict=True))
        if LABELS[first] == LABELS[second] != -1
    ]
    assert 0 < len(kept) < len(PAIRS.distance) / 3
    matched = matched_pairs(PAIRS, LABELS)
    assert matched.distance.tolist() == PAIRS.distance[kept].tolist()
    assert matched.first_idx.tolist() == PAIRS.first_idx[kept].tolist()
    assert matched.second_idx.tolist() == PAIRS.second_idx[kept].tolist()
    assert found(LABELS)["roc_auc", "matched"].value == pytest.approx(
        roc_auc_score(PAIRS.same_artist[kept], -PAIRS.distance[kept])
    )


def test_one_label_for_all_matches_everything() -> None:
    every = found(np.zeros_like(ARTIST))
    for (name, scope), measure in every.items():
        if scope == "all":
            matched = every[name, "matched"]
            assert (matched.value, matched.interval) == (measure.value, measure.interval)


@pytest.mark.parametrize(
    "labels",
    [np.full_like(ARTIST, -1), ARTIST, np.arange(len(ARTIST)), np.arange(len(ARTIST)) % 5],
    ids=["blank", "no two artists share one", "no two images do", "no two by one artist do"],
)
def test_without_matched_pairs_of_both_kinds_the_scope_is_left_out(
    labels: NDArray[np.intp],
) -> None:
    assert {scope for _, scope in found(labels)} == {"all"}


def test_a_value_has_no_interval_if_no_resample_can_be_evaluated() -> None:
    draws = draw_artists(ARTIST, 1, seed=0)
    draws.drawn[:] = [8, *[0] * 7]
    for measure in (
        *measure_ranking(PAIRS, draws, None),
        *measure_calibration(PAIRS, KNOWN, draws, None),
    ):
        assert measure.value > 0
        assert measure.interval is None


def test_verdicts_are_counted_as_by_hand() -> None:
    same, different = [1, 2, 5], [3, 4, 8, 9]
    distance = np.array([*same, *different], np.float32)
    rows = np.arange(len(distance), dtype=np.int32)
    pairs = Pairs(rows, rows, distance, np.arange(len(distance)) < len(same))
    once = Draws(np.zeros(len(distance), np.intp), np.ones((1, 1)))
    found = {each.name: each.value for each in measure_verdicts(pairs, Band(3, 4), once)}
    expected = {
        "false_acceptance": 1 / 4,  # 3
        "false_rejection": 1 / 3,  # 5
        "undecided_same": 0,
        "undecided_different": 1 / 4,  # 4
        "same_share": 3 / 7,
        "precision": 2 / 3,  # of 1, 2 and 3
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected)


def test_the_least_cost_is_that_of_scikit_learns_isotonic_regression() -> None:
    share = np.mean(PAIRS.same_artist)
    weight = np.where(PAIRS.same_artist, 0.5 / share, 0.5 / (1 - share))
    fit = IsotonicRegression(increasing=False)
    best = fit.fit(PAIRS.distance, PAIRS.same_artist, weight).predict(PAIRS.distance)
    cost = log_loss(PAIRS.same_artist, best, sample_weight=weight, labels=[False, True])
    least, lost = measure_loss(PAIRS, KNOWN, DRAWS)
    assert least.value == pytest.approx(cost / np.log(2), abs=1e-3)
    assert lost.value > 0
    assert least.value + lost.value == pytest.approx(cllr(PAIRS, KNOWN))


def test_shares_of_verdicts_are_those_of_the_pairs_drawn_out_one_by_one() -> None:
    """A pair by one artist counts as often as the artist, another as often as both together."""
    for measure in measure_verdicts(PAIRS, KNOWN.band, DRAWS):
        figures = []
        for times in DRAWS.drawn:
            first, second = DRAWS.artist[PAIRS.first_idx], DRAWS.artist[PAIRS.second_idx]
            weight = np.where(PAIRS.same_artist, times[first], times[first] * times[second])
            accepted = PAIRS.distance <= KNOWN.band.accept_within
            rejected = PAIRS.distance > KNOWN.band.reject_beyond
            same, undecided = PAIRS.same_artist, ~(accepted | rejected)
            counted, among = {
                "false_acceptance": (accepted, ~same),
                "false_rejection": (rejected, same),
                "undecided_same": (undecided, same),
                "undecided_different": (undecided, ~same),
                "same_share": (same, same | True),
                "precision": (same, accepted),
            }[measure.name]
            figures.append(weight[counted & among].sum() / weight[among].sum())
        assert measure.interval == percentile_interval(np.array(figures))

"""Attribution, against fits that really leave pictures out, and against scikit-learn."""

import doctest

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score

from model import attribution_measures
from model.attribution import (
    BIAS,
    NEAREST,
    RIDGE,
    attribute,
    attribute_gallery,
    fit_choice,
    learn_gallery,
    none_without_artist,
    probabilities,
)
from model.attribution_measures import measure_attribution, weighted_detection_auc
from model.neighbours import nearest

RNG = np.random.default_rng(0)
ARTIST = np.repeat(np.arange(12), 10)
POINTS = (RNG.normal(size=(12, 8))[ARTIST] + 0.8 * RNG.normal(size=(120, 8))).astype(np.float32)
NEIGHBOURS = nearest(POINTS, POINTS, NEAREST, np.arange(120))
GALLERY = learn_gallery(POINTS, ARTIST)
CHOICE = fit_choice(GALLERY, NEIGHBOURS)
LINEAR, NEAR = np.array([50.0, 1e-9, 0.3]), np.array([1e-9, 4.0, -9.0])


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(attribution_measures).failed == 0


def without(rows: list[int]) -> np.ndarray:
    """The ridge regression of scikit-learn, fitted without some pictures."""
    kept = np.delete(np.arange(120), rows)
    inputs = np.column_stack([POINTS, np.full(120, BIAS)]).astype(float)
    penalty = RIDGE * (inputs**2).sum() / 120
    oracle = Ridge(alpha=penalty, fit_intercept=False).fit(inputs[kept], np.eye(12)[ARTIST[kept]])
    count = np.maximum(np.bincount(ARTIST[kept], minlength=12), 1)
    return np.asarray(oracle.predict(inputs[rows]) / np.sqrt(count))


@pytest.mark.parametrize("row", [0, 37, 119])
def test_leaving_a_picture_out_is_fitting_without_it(row: int) -> None:
    found = attribute_gallery(GALLERY, LINEAR, NEIGHBOURS, top=12)
    utility = np.append(LINEAR[0] * without([row])[0], LINEAR[2])
    expected = np.exp(utility) / np.exp(utility).sum()
    given = np.empty(12)
    given[found.artist[row]] = found.probability[row]
    assert np.allclose(given, expected[:12], atol=1e-6)
    assert np.isclose(found.none[row], expected[12], atol=1e-6)
    assert np.isclose(found.own_probability[row], expected[ARTIST[row]], atol=1e-6)
    assert found.own_rank[row] == 1 + (expected[:12] > expected[ARTIST[row]]).sum()


@pytest.mark.parametrize("artist", [0, 5, 11])
def test_leaving_an_artist_out_is_fitting_without_their_pictures(artist: int) -> None:
    rows = np.flatnonzero(artist == ARTIST)
    others = np.delete(LINEAR[0] * without(rows.tolist()), artist, axis=1)
    powers = np.exp(np.column_stack([others, np.full(10, LINEAR[2])]))
    expected = powers[:, -1] / powers.sum(axis=1)
    found = none_without_artist(GALLERY, LINEAR, NEIGHBOURS)
    assert np.allclose(found[rows], expected, atol=1e-6)


def test_nearness_is_the_mean_distance_of_an_artists_two_nearest() -> None:
    row = 42
    distance = np.linalg.norm(POINTS.astype(float) - POINTS[row], axis=1)
    distance[row] = np.inf
    mean = [np.sort(distance[artist == ARTIST])[:2].mean() for artist in range(12)]
    floor = np.sort(distance)[NEAREST - 1]
    nearness = -np.minimum(mean, floor)  # beyond the last neighbour all count as that one
    found = attribute_gallery(GALLERY, NEAR, NEIGHBOURS, top=12)
    expected = np.exp(4 * nearness) / (np.exp(4 * nearness).sum() + np.exp(-9))
    first = found.artist[row, :5]
    assert np.allclose(found.probability[row, :5], expected[first], rtol=0.05)
    assert np.allclose(found.probability[row, :3], np.sort(expected)[::-1][:3], rtol=1e-4)


def test_a_new_picture_is_attributed_to_the_artist_whose_it_is_like() -> None:
    rng = np.random.default_rng(1)
    new = (POINTS + 0.1 * rng.normal(size=POINTS.shape)).astype(np.float32)
    found = attribute(GALLERY, CHOICE, new, nearest(new, POINTS, NEAREST), top=3)
    assert (found.artist[:, 0] == ARTIST).mean() > 0.9
    assert (np.diff(found.probability, axis=1) <= 0).all()
    far = np.full((1, 8), 50, np.float32)
    stranger = attribute(GALLERY, CHOICE, far, nearest(far, POINTS, NEAREST), top=3)
    assert np.isfinite(stranger.none).all()
    assert (found.own_rank == 0).all()


def test_probabilities_add_up_and_leave_out_who_is_left_out() -> None:
    evidence = RNG.normal(size=(5, 4, 2))
    evidence[2, 1] = -np.inf
    given = probabilities(evidence, np.array([1.0, 2.0, 0.5]))
    assert np.allclose(given.sum(axis=1), 1)
    assert given[2, 1] == 0
    utility = evidence[0] @ [1.0, 2.0]
    assert np.allclose(given[0, :4] / given[0, 4], np.exp(utility - 0.5))


def test_the_fit_is_the_likeliest_of_those_nearby() -> None:
    """The log loss of known and unknown pictures, of equal total weight."""

    def loss(choice: np.ndarray) -> float:
        alone = attribute_gallery(GALLERY, choice, NEIGHBOURS, top=1)
        none = none_without_artist(GALLERY, choice, NEIGHBOURS)
        return -float(np.log(alone.own_probability).mean() + np.log(none).mean()) / 2

    best = loss(CHOICE)
    for place in range(3):
        for factor in (0.9, 1.1):
            moved = CHOICE.copy()
            moved[place] *= factor
            assert loss(moved) >= best - 1e-9


def test_measures_are_those_of_scikit_learn() -> None:
    alone = attribute_gallery(GALLERY, CHOICE, NEIGHBOURS, top=5)
    unknown = none_without_artist(GALLERY, CHOICE, NEIGHBOURS)
    top_1, top_5, auc = measure_attribution(GALLERY, alone, unknown, resamples=200, seed=0)
    assert top_1.value == np.mean(alone.artist[:, 0] == ARTIST)
    assert top_5.value == np.mean((alone.artist == ARTIST[:, None]).any(axis=1))
    truth = np.repeat([0, 1], 120)
    assert auc.value == pytest.approx(roc_auc_score(truth, np.append(alone.none, unknown)))
    for measure in (top_1, auc):
        assert measure.interval
        assert measure.interval.low < measure.value < measure.interval.high


def test_a_draw_weighs_pairs_by_how_often_it_took_their_artists() -> None:
    known, unknown = RNG.normal(size=30), RNG.normal(size=40) + 0.5
    of_known, of_unknown = RNG.integers(0, 5, 30), RNG.integers(0, 5, 40)
    drawn = RNG.integers(0, 3, (4, 5)).astype(float)
    found = weighted_detection_auc(known, of_known, unknown, of_unknown, drawn)
    for each, weights in zip(found, drawn, strict=True):
        expected = roc_auc_score(
            np.repeat([0, 1], [30, 40]),
            np.append(known, unknown),
            sample_weight=np.append(weights[of_known], weights[of_unknown]),
        )
        assert each == pytest.approx(expected)


def test_artists_of_one_picture_are_not_counted_among_the_known() -> None:
    artist = np.array([0, 0, 0, 1, 2, 2])
    points = RNG.normal(size=(6, 3)).astype(np.float32)
    neighbours = nearest(points, points, NEAREST, np.arange(6))
    gallery = learn_gallery(points, artist)
    choice = fit_choice(gallery, neighbours)
    alone = attribute_gallery(gallery, choice, neighbours, top=5)
    assert alone.artist.shape == (6, 3)
    unknown = none_without_artist(gallery, choice, neighbours)
    top_1, *_ = measure_attribution(gallery, alone, unknown, resamples=100, seed=0)
    assert top_1.value == np.mean(alone.own_rank[artist != 1] == 1)

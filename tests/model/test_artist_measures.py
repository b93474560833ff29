"""The figures of each artist, against scikit-learn and plain loops."""

import doctest

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from model import artist_measures
from model.artist_measures import measure_artists
from model.distances import all_pairs

RNG = np.random.default_rng(3)
ARTISTS = np.repeat(np.arange(6), [3, 5, 4, 2, 6, 1])
POINTS = (RNG.normal(size=(6, 3))[ARTISTS] + RNG.normal(size=(21, 3))).astype(np.float32)
PAIRS = all_pairs(POINTS, ARTISTS)
FOUND = measure_artists(POINTS, ARTISTS, resamples=500, seed=0)


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(artist_measures).failed == 0


def test_every_artist_has_a_row() -> None:
    assert [each.artist for each in FOUND] == list(range(6))
    assert [each.n_images for each in FOUND] == [3, 5, 4, 2, 6, 1]


@pytest.mark.parametrize("artist", range(5))
def test_the_auc_is_that_of_the_pairs_with_an_image_by_the_artist(artist: int) -> None:
    of_artist = (ARTISTS[PAIRS.first_idx] == artist) | (ARTISTS[PAIRS.second_idx] == artist)
    truth, distance = PAIRS.same_artist[of_artist], PAIRS.distance[of_artist]
    assert FOUND[artist].roc_auc == pytest.approx(roc_auc_score(truth, -distance))


@pytest.mark.parametrize("artist", range(5))
def test_the_accuracy_is_that_of_all_triplets_with_the_artists_anchors(artist: int) -> None:
    own, others = np.flatnonzero(artist == ARTISTS), np.flatnonzero(artist != ARTISTS)
    distance = np.linalg.norm(POINTS[:, None].astype(float) - POINTS, axis=2)
    correct = [
        distance[anchor, positive] < distance[anchor, negative]
        for anchor in own
        for positive in own[own != anchor]
        for negative in others
    ]
    result = FOUND[artist]
    assert result.triplet_accuracy == pytest.approx(np.mean(correct))
    assert result.interval
    assert result.interval.low <= np.mean(correct) <= result.interval.high


@pytest.mark.parametrize("artist", range(6))
def test_the_nearest_artist_is_most_often_the_nearest_of_the_others(artist: int) -> None:
    votes = np.zeros(6, int)
    for image in np.flatnonzero(artist == ARTISTS):
        distance = np.linalg.norm(POINTS.astype(float) - POINTS[image], axis=1)
        distance[artist == ARTISTS] = np.inf
        votes[ARTISTS[distance.argmin()]] += 1
    assert FOUND[artist].nearest_wrong == votes.argmax()


def test_an_artist_of_one_image_is_not_judged() -> None:
    alone = FOUND[5]
    assert (alone.triplet_accuracy, alone.interval, alone.roc_auc) == (None, None, None)

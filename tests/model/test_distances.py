"""Distances of pairs and triplets, against Python's own arithmetic."""

import doctest
import itertools
import math

import numpy as np
import pytest

from model import distances
from model.distances import all_pairs, predicted_same, triplet_distances
from model.errors import ModelInputError


def test_the_examples_in_the_docstrings_hold() -> None:
    outcome = doctest.testmod(distances)
    assert outcome.attempted > 0
    assert outcome.failed == 0


@pytest.mark.parametrize("count", [0, 1, 2, 3, 12])
def test_pairs_are_all_combinations_in_order(count: int) -> None:
    rng = np.random.default_rng(count)
    embeddings = rng.normal(size=(count, 5)).astype(np.float32)
    artists = rng.integers(3, size=count)
    pairs = all_pairs(embeddings, artists)
    expected = list(itertools.combinations(range(count), 2))
    assert list(zip(pairs.first_idx, pairs.second_idx, strict=True)) == expected
    assert pairs.same_artist.tolist() == [artists[a] == artists[b] for a, b in expected]
    by_hand = [math.dist(embeddings[a].tolist(), embeddings[b].tolist()) for a, b in expected]
    assert pairs.distance.tolist() == pytest.approx(by_hand, rel=1e-6)


def test_pairs_use_small_types() -> None:
    pairs = all_pairs(np.zeros((3, 2), np.float32), np.array([0, 0, 1]))
    assert pairs.first_idx.dtype == pairs.second_idx.dtype == np.int32
    assert pairs.distance.dtype == np.float32


def test_equal_embeddings_far_from_the_origin_have_distance_zero() -> None:
    embeddings = np.full((2, 64), 12345.678, np.float32)
    assert all_pairs(embeddings, np.array([0, 0])).distance.tolist() == [0.0]


def test_triplet_distances_equal_those_of_the_same_pairs() -> None:
    rng = np.random.default_rng(1)
    embeddings = rng.normal(size=(20, 64)).astype(np.float32)
    anchor, positive, negative = rng.integers(20, size=(3, 50))
    measured = triplet_distances(embeddings, anchor, positive, negative)
    rows = embeddings.tolist()
    for number in range(50):
        a, p, n = (rows[i[number]] for i in (anchor, positive, negative))
        assert measured.positive_dist[number] == pytest.approx(math.dist(a, p), rel=1e-6)
        assert measured.negative_dist[number] == pytest.approx(math.dist(a, n), rel=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_embeddings_of_a_diverged_network_are_refused(bad: float) -> None:
    embeddings = np.array([[0.0], [bad]], np.float32)
    with pytest.raises(ModelInputError, match="not finite"):
        all_pairs(embeddings, np.array([0, 0]))
    with pytest.raises(ModelInputError, match="not finite"):
        triplet_distances(embeddings, *np.array([[0], [1], [1]]))


def test_a_threshold_between_neighbouring_float32_numbers_separates_them() -> None:
    below = np.float32(1.0000001)
    above = np.nextafter(below, np.float32(2))
    threshold = (float(below) + float(above)) / 2
    assert predicted_same(np.array([below, above]), threshold).tolist() == [True, False]

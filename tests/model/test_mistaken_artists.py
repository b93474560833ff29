"""Artists taken for each other, against counting their pairs one by one."""

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import binomtest

from model.distances import all_pairs
from model.mistaken_artists import mistaken_artists


def test_the_pairs_of_each_two_artists_are_counted() -> None:
    rng = np.random.default_rng(0)
    artists = rng.integers(0, 6, 60)
    points = (rng.normal(size=(60, 3)) + artists[:, None] / 3).astype(np.float32)
    found = mistaken_artists(all_pairs(points, artists), artists, 1.5, 100)
    expected = {}
    for first, second in combinations(range(6), 2):
        apart = np.linalg.norm(
            points[artists == first][:, None] - points[artists == second][None], axis=2
        )
        if (apart <= 1.5).any():
            expected[first, second] = ((apart <= 1.5).sum(), apart.size, apart.min())
    assert {(each.first, each.second) for each in found} == set(expected)
    for each in found:
        accepted, count, nearest = expected[each.first, each.second]
        assert (each.accepted, each.pairs) == (accepted, count)
        assert each.nearest == pytest.approx(nearest)


def test_they_are_ordered_by_the_share_that_is_sure() -> None:
    # Artists 0 and 1 have 4 pairs, all accepted; 2 and 3 have 400, of which 380 are.
    artists = np.repeat([0, 1, 2, 3], [2, 2, 20, 20])
    points = np.concatenate([[0] * 4, [100] * 40]).astype(np.float32)
    points[24] = 500
    first, second = mistaken_artists(all_pairs(points[:, None], artists), artists, 1.0, 2)
    assert (first.first, first.second, first.accepted, first.pairs) == (2, 3, 380, 400)
    assert (second.first, second.second, second.accepted, second.pairs) == (0, 1, 4, 4)
    bounds = [
        binomtest(each.accepted, each.pairs).proportion_ci(method="wilson").low
        for each in (first, second)
    ]
    assert bounds == sorted(bounds, reverse=True)


def test_artists_that_are_never_mistaken_are_left_out() -> None:
    artists = np.array([0, 0, 1, 1])
    pairs = all_pairs(np.array([[0], [1], [50], [51]], np.float32), artists)
    assert mistaken_artists(pairs, artists, 2.0, 10) == []

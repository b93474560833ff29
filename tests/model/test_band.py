"""The band of distances without a verdict keeps the error rates that it was chosen for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.band import choose_band
from model.distances import Float32, Integers, Pairs, all_pairs
from model.errors import ModelInputError
from model.resampling import Draws, draw_artists


def collection(seed: int, artists: int = 20, noise: float = 1.0) -> tuple[Float32, Integers]:
    rng = np.random.default_rng(seed)
    numbers = np.repeat(np.arange(artists), 8)
    points = rng.normal(size=(artists, 4))[numbers] + noise * rng.normal(size=(len(numbers), 4))
    return points.astype(np.float32), numbers


def as_they_are(artists: Integers) -> Draws:
    """One draw that takes every artist once."""
    names, artist = np.unique(artists, return_inverse=True)
    return Draws(artist, np.ones((1, len(names))))


@settings(max_examples=20)
@given(st.integers(0, 99), st.floats(0.0, 0.3), st.floats(0.0, 0.3), st.floats(0.1, 3))
def test_both_rates_are_kept_by_the_widest_verdicts(
    seed: int, false_acceptance: float, false_rejection: float, noise: float
) -> None:
    points, artists = collection(seed, noise=noise)
    pairs = all_pairs(points, artists)
    band = choose_band(pairs, as_they_are(artists), false_acceptance, false_rejection)
    same, different = pairs.distance[pairs.same_artist], pairs.distance[~pairs.same_artist]
    assert band.accept_within <= band.reject_beyond
    assert np.mean(different <= band.accept_within) <= false_acceptance
    assert np.mean(same > band.reject_beyond) <= false_rejection
    if band.accept_within < band.reject_beyond:  # one step further breaks a rate
        further = pairs.distance[pairs.distance > band.accept_within].min()
        assert np.mean(different <= further) > false_acceptance
        nearer = same[same < band.reject_beyond].max(initial=-1)
        assert np.mean(same > nearer) > false_rejection


def test_resampled_artists_leave_more_without_a_verdict() -> None:
    points, artists = collection(seed=3)
    pairs = all_pairs(points, artists)
    plain = choose_band(pairs, as_they_are(artists), 0.05, 0.05)
    careful = choose_band(pairs, draw_artists(artists, 200, seed=0), 0.05, 0.05)
    assert careful.accept_within < plain.accept_within
    assert careful.reject_beyond > plain.reject_beyond


def test_artists_that_are_fully_apart_leave_no_pair_without_a_verdict() -> None:
    points = np.array([[0], [1], [6], [10]], np.float32)
    artists = np.array([0, 0, 1, 1])
    band = choose_band(all_pairs(points, artists), as_they_are(artists), 0.0, 0.0)
    assert (band.accept_within, band.reject_beyond) == (4.5, 4.5)


def test_equal_distances_are_all_undecided_or_all_decided() -> None:
    points, artists = np.zeros((6, 2), np.float32), np.repeat([0, 1], 3)
    band = choose_band(all_pairs(points, artists), as_they_are(artists), 0.05, 0.05)
    assert band.accept_within <= band.reject_beyond


def test_a_band_needs_both_kinds_of_pairs() -> None:
    rows = np.arange(2, dtype=np.int32)
    pairs = Pairs(rows, rows, np.ones(2, np.float32), np.ones(2, np.bool_))
    with pytest.raises(ModelInputError, match="different artists"):
        choose_band(pairs, as_they_are(rows), 0.05, 0.05)

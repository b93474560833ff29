"""Batches by artist on any collection, and against pytorch-metric-learning's sampler."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pytorch_metric_learning.samplers import MPerClassSampler

from model.errors import ModelInputError
from model.recipe import Recipe
from model.samplers import ArtistBatches, TripletBatches, draw_artist_batches, draw_epoch
from model.triplets import Triplets

COLLECTION = st.lists(st.integers(1, 7), min_size=2, max_size=9).filter(
    lambda counts: max(counts) > 1
)


def drawn(
    artists: NDArray[np.int64], per_batch: int, each: int, *, power: float = 0.0, seed: int = 1
) -> ArtistBatches:
    return draw_artist_batches(artists, per_batch, each, power, np.random.default_rng(seed))


@given(COLLECTION, st.integers(2, 6), st.integers(2, 5), st.floats(0, 1), st.integers(0, 99))
def test_every_batch_holds_different_artists_with_different_images(
    counts: list[int], per_batch: int, each: int, power: float, seed: int
) -> None:
    artists = np.repeat(np.arange(len(counts)) * 10, counts)
    for batch in drawn(artists, per_batch, each, power=power, seed=seed):
        (rows,), labels = batch.passes, batch.labels
        assert labels is not None
        assert batch.size == len(rows) == len(np.unique(rows))
        assert (artists[rows] // 10 == labels).all()
        found, times = np.unique(labels, return_counts=True)
        assert len(found) == min(per_batch, len(counts))
        assert times.tolist() == [min(each, counts[label]) for label in found]


@given(COLLECTION, st.integers(2, 6), st.integers(2, 5))
def test_an_epoch_has_as_many_batches_as_hold_all_images(
    counts: list[int], per_batch: int, each: int
) -> None:
    artists = np.repeat(np.arange(len(counts)), counts)
    batches = drawn(artists, per_batch, each)
    size = min(per_batch, len(counts)) * each
    assert len(batches.ends) == max(1, math.ceil(len(artists) / size))
    assert len(batches) == batches.ends[-1] == sum(batch.size for batch in batches)


@pytest.mark.parametrize(("power", "expected"), [(0.0, 1.0), (0.5, 3.0), (1.0, 9.0)])
def test_an_artists_chance_is_their_number_of_images_to_the_power(
    power: float, expected: float
) -> None:
    """One artist has nine times as many images as each of two hundred others."""
    artists = np.concatenate([np.zeros(90, np.int64), np.repeat(np.arange(1, 201), 10)])
    labels = np.concatenate(
        [drawn(artists, 2, 2, power=power, seed=seed).labels[::2] for seed in range(30)]
    )
    times = np.bincount(labels, minlength=201)
    assert times[0] / times[1:].mean() == pytest.approx(expected, rel=0.15)


def test_batches_are_made_as_by_pytorch_metric_learning() -> None:
    artists = np.repeat(np.arange(8), 5)
    theirs = list(MPerClassSampler(artists, m=4, batch_size=16, length_before_new_iter=16))
    (ours,) = next(iter(drawn(artists, 4, 4))).passes
    for rows in (ours, np.array(theirs)):
        assert np.unique(artists[rows], return_counts=True)[1].tolist() == [4, 4, 4, 4]
        assert len(np.unique(rows)) == 16


def test_one_seed_draws_one_epoch() -> None:
    artists = np.repeat(np.arange(5), 4)
    assert (drawn(artists, 3, 2).rows == drawn(artists, 3, 2).rows).all()
    assert (drawn(artists, 3, 2).rows != drawn(artists, 3, 2, seed=2).rows).any()


def test_rows_can_be_renumbered() -> None:
    artists = np.repeat([0, 1], 2)
    batches = drawn(artists, 2, 2)
    elsewhere = batches.of_rows(np.array([10, 11, 12, 13]))
    assert (elsewhere.rows == batches.rows + 10).all()
    assert (elsewhere.labels == batches.labels).all()


@pytest.mark.parametrize("artists", [[0, 0, 0], [0, 1, 2]])
def test_a_collection_without_pairs_of_both_kinds_is_refused(artists: list[int]) -> None:
    with pytest.raises(ModelInputError, match="at least two artists"):
        drawn(np.array(artists), 2, 2)


@pytest.mark.parametrize(("sampler", "kind"), [("triplets", Triplets), ("artists", ArtistBatches)])
def test_the_recipe_chooses_the_sampler(sampler: str, kind: type) -> None:
    recipe = Recipe(sampler=sampler, batch_size=4)  # type: ignore[arg-type]
    found = draw_epoch(np.repeat(np.arange(4), 3), recipe, 12, np.random.default_rng(1))
    assert isinstance(found, kind)


def test_triplets_take_a_pass_for_each_role_or_a_single_pass() -> None:
    triplets = Triplets(*(np.array(role, np.int32) for role in ([0, 1], [1, 0], [2, 2])))
    (by_role,) = TripletBatches(triplets, 2, "roles")
    (together,) = TripletBatches(triplets, 2, "together")
    assert [rows.tolist() for rows in by_role.passes] == [[0, 1], [1, 0], [2, 2]]
    assert [rows.tolist() for rows in together.passes] == [[0, 1, 2]]
    for batch in (by_role, together):
        assert batch.places is not None
        assert np.concatenate(batch.passes)[batch.places].tolist() == [[0, 1], [1, 0], [2, 2]]

"""Batches by artist: properties on any collection, beside pytorch-metric-learning's sampler."""

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


def drawn(artists: NDArray[np.int64], per_batch: int, each: int, seed: int = 1) -> ArtistBatches:
    return draw_artist_batches(artists, per_batch, each, np.random.default_rng(seed))


@given(COLLECTION, st.integers(2, 6), st.integers(2, 5), st.integers(0, 99))
def test_every_batch_holds_different_artists_with_their_own_images(
    counts: list[int], per_batch: int, each: int, seed: int
) -> None:
    artists = np.repeat(np.arange(len(counts)) * 10, counts)
    batches = drawn(artists, per_batch, each, seed)
    together = min(per_batch, len(counts))
    for batch in batches:
        (rows,), labels = batch.passes, batch.labels
        assert labels is not None
        assert (np.unique(artists[rows] // 10) == np.unique(labels)).all()
        assert (artists[rows] // 10 == labels).all()
        assert np.unique(labels, return_counts=True)[1].tolist() == [each] * together
        for label in np.unique(labels):
            times = np.unique(rows[labels == label], return_counts=True)[1]
            assert times.max() - times.min() <= 1
            assert len(times) == min(each, counts[label])


@given(COLLECTION, st.integers(2, 6), st.integers(2, 5))
def test_an_epoch_holds_as_many_images_as_there_are(
    counts: list[int], per_batch: int, each: int
) -> None:
    artists = np.repeat(np.arange(len(counts)), counts)
    batches = drawn(artists, per_batch, each)
    size = min(per_batch, len(counts)) * each
    assert len(batches) - size < len(artists) <= len(batches) or len(batches) == size


def test_every_artist_comes_once_before_any_comes_again() -> None:
    artists = np.repeat(np.arange(7), 30)
    order = drawn(artists, 3, 2).labels[:, ::2].ravel()
    turns = [order[start : start + 7] for start in range(0, len(order) - 6, 7)]
    assert len(turns) > 3
    assert all(len(np.unique(turn)) == 7 for turn in turns)
    assert any((one != turns[0]).any() for one in turns[1:])


def test_a_batch_is_made_as_pytorch_metric_learning_makes_it() -> None:
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


def test_rows_can_stand_for_others() -> None:
    artists = np.repeat([0, 1], 2)
    batches = drawn(artists, 2, 2)
    elsewhere = batches.of_rows(np.array([10, 11, 12, 13]))
    assert (elsewhere.rows == batches.rows + 10).all()
    assert (elsewhere.labels == batches.labels).all()


@pytest.mark.parametrize("artists", [[0, 0, 0], [0, 1, 2]])
def test_a_collection_without_any_pair_of_both_kinds_is_refused(artists: list[int]) -> None:
    with pytest.raises(ModelInputError, match="two artists at least"):
        drawn(np.array(artists), 2, 2)


def test_one_image_of_each_artist_makes_no_pair() -> None:
    with pytest.raises(ModelInputError, match=r"^images_per_batch_artist"):
        drawn(np.repeat([0, 1], 2), 2, 1)


@pytest.mark.parametrize(("sampler", "kind"), [("triplets", Triplets), ("artists", ArtistBatches)])
def test_the_recipe_names_the_sampler(sampler: str, kind: type) -> None:
    recipe = Recipe(sampler=sampler, batch_size=4)  # type: ignore[arg-type]
    found = draw_epoch(np.repeat(np.arange(4), 3), recipe, 12, np.random.default_rng(1))
    assert isinstance(found, kind)


def test_triplets_go_through_in_a_pass_for_each_role_or_in_one() -> None:
    triplets = Triplets(*(np.array(role, np.int32) for role in ([0, 1], [1, 0], [2, 2])))
    (by_role,) = TripletBatches(triplets, 2, "roles")
    (together,) = TripletBatches(triplets, 2, "together")
    assert [rows.tolist() for rows in by_role.passes] == [[0, 1], [1, 0], [2, 2]]
    assert [rows.tolist() for rows in together.passes] == [[0, 1, 2]]
    for batch in (by_role, together):
        assert batch.places is not None
        assert np.concatenate(batch.passes)[batch.places].tolist() == [[0, 1], [1, 0], [2, 2]]

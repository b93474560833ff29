"""Triplets against their rules, image by image."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import chisquare

from model.errors import ModelInputError
from model.triplets import (
    Triplets,
    batch_slices,
    draw_shared_triplets,
    draw_triplets,
    match_negatives,
    shuffled,
    stream,
)

quick = settings(max_examples=50)
Numbers = NDArray[np.intp]


@st.composite
def galleries(draw: st.DrawFn) -> Numbers:
    """Artist numbers of images: at least two artists with at least two images each."""
    counts = draw(st.lists(st.integers(2, 6), min_size=2, max_size=6))
    numbers = draw(st.permutations([7, 3, 100, 0, 42, 5]))
    images = [number for number, count in zip(numbers, counts, strict=False) for _ in range(count)]
    return np.array(draw(st.permutations(images)))


def rows_of(triplets: Triplets) -> list[tuple[int, int, int]]:
    columns = triplets.anchor_idx, triplets.positive_idx, triplets.negative_idx
    return list(zip(*(column.tolist() for column in columns), strict=True))


@quick
@given(galleries(), st.integers(0, 60), st.integers(0, 2**32 - 1))
def test_every_triplet_follows_the_rules(artists: Numbers, count: int, seed: int) -> None:
    triplets = draw_triplets(artists, count, np.random.default_rng(seed))
    in_order = list(dict.fromkeys(artists.tolist()))
    assert len(rows_of(triplets)) == count
    for k, (anchor, positive, negative) in enumerate(rows_of(triplets)):
        assert artists[anchor] == in_order[k % len(in_order)]
        assert anchor != positive
        assert artists[positive] == artists[anchor]
        assert artists[negative] != artists[anchor]


@quick
@given(galleries(), st.integers(0, 2**32 - 1))
def test_one_seed_gives_one_draw(artists: Numbers, seed: int) -> None:
    first, again = (draw_triplets(artists, 40, np.random.default_rng(seed)) for _ in range(2))
    assert rows_of(first) == rows_of(again)


def test_row_numbers_use_small_types() -> None:
    triplets = draw_triplets(np.array([0, 0, 1, 1]), 5, np.random.default_rng(0))
    assert triplets.anchor_idx.dtype == triplets.negative_idx.dtype == np.int32


def test_draws_are_uniform_over_images_pairs_and_artists() -> None:
    artists = np.repeat([4, 9, 2], [2, 3, 10])
    drawn = rows_of(draw_triplets(artists, 30_000, np.random.default_rng(11)))
    pairs = Counter((a, p) for a, p, _ in drawn)
    for number, expected in ((4, 2), (9, 6), (2, 90)):  # ordered pairs of different images
        times = [count for (anchor, _), count in pairs.items() if artists[anchor] == number]
        assert len(times) == expected
        assert sum(times) == 10_000
        assert chisquare(times).pvalue > 1e-3
    # The artist with 10 images is no likelier to be a negative than the one with 2.
    strangers = Counter(int(artists[n]) for a, _, n in drawn if artists[a] == 9)
    assert set(strangers) == {4, 2}
    assert chisquare(list(strangers.values())).pvalue > 1e-3
    images = Counter(n for a, _, n in drawn if artists[a] == 9 and artists[n] == 2)
    assert len(images) == 10
    assert chisquare(list(images.values())).pvalue > 1e-3


@pytest.mark.parametrize(
    ("artists", "message"),
    [([], "two artists"), ([1, 1, 1], "two artists"), ([1, 1, 8, 2, 2], "artist number 8")],
)
def test_collections_without_triplets_are_refused(artists: list[int], message: str) -> None:
    with pytest.raises(ModelInputError, match=message):
        draw_triplets(np.array(artists, dtype=np.intp), 3, np.random.default_rng(0))


@quick
@given(galleries(), st.integers(1, 40), st.integers(2, 12), st.integers(0, 99))
def test_shared_triplets_follow_the_rules_with_no_more_images_than_triplets(
    artists: Numbers, count: int, size: int, seed: int
) -> None:
    drawn = draw_shared_triplets(artists, count, size, np.random.default_rng(seed))
    assert len(drawn.anchor_idx) == len(drawn.positive_idx) == len(drawn.negative_idx) == count
    assert (drawn.anchor_idx != drawn.positive_idx).all()
    assert (artists[drawn.anchor_idx] == artists[drawn.positive_idx]).all()
    assert (artists[drawn.anchor_idx] != artists[drawn.negative_idx]).all()
    for batch in batch_slices(count, size):
        roles = (drawn.anchor_idx[batch], drawn.positive_idx[batch], drawn.negative_idx[batch])
        length = batch.stop - batch.start
        assert len(np.unique(np.concatenate(roles))) <= max(4, length + length % 2)


def test_shared_negatives_are_uniform_over_the_other_artists_of_the_batch() -> None:
    artists = np.repeat(np.arange(5), 2)  # batches hold whole artists, so every image is in one
    drawn = draw_shared_triplets(artists, 20_000, 10, np.random.default_rng(0))
    for image in range(10):
        chosen = drawn.negative_idx[drawn.anchor_idx == image]
        counts = np.bincount(chosen, minlength=10)
        others = artists != artists[image]
        assert counts[~others].sum() == 0
        np.testing.assert_allclose(counts[others] / len(chosen), 1 / 8, atol=0.03)


@pytest.mark.parametrize(
    ("count", "size", "lengths"), [(10, 4, [4, 3, 3]), (8, 7, [4, 4]), (3, 9, [3]), (1, 1, [1])]
)
def test_batches_are_split_as_by_numpy(count: int, size: int, lengths: list[int]) -> None:
    slices = batch_slices(count, size)
    assert [part.stop - part.start for part in slices] == lengths
    split = np.array_split(np.arange(count), len(lengths))
    for part, expected in zip(slices, split, strict=True):
        np.testing.assert_array_equal(np.arange(count)[part], expected)


def test_shuffling_keeps_each_triplet_whole() -> None:
    triplets = draw_triplets(np.repeat(np.arange(20), 3), 500, np.random.default_rng(0))
    mixed = shuffled(triplets, np.random.default_rng(1))
    assert sorted(rows_of(mixed)) == sorted(rows_of(triplets))
    assert rows_of(mixed) != rows_of(triplets)


@quick
@given(galleries(), st.data())
def test_matched_negatives_share_the_label_and_are_found_if_possible(
    artists: Numbers, data: st.DataObject
) -> None:
    labels = np.array([data.draw(st.sampled_from([-1, 0, 1, 5])) for _ in artists])
    triplets = draw_triplets(artists, 30, np.random.default_rng(0))
    matched = match_negatives(triplets, artists, labels, np.random.default_rng(1))
    candidates = [
        {
            row
            for row in range(len(artists))
            if labels[row] == labels[anchor] != -1 and artists[row] != artists[anchor]
        }
        for anchor, _, _ in rows_of(triplets)
    ]
    assert matched.kept.tolist() == [bool(rows) for rows in candidates]
    before = [row for row, kept in zip(rows_of(triplets), matched.kept, strict=True) if kept]
    assert [row[:2] for row in rows_of(matched.triplets)] == [row[:2] for row in before]
    possible = [rows for rows in candidates if rows]
    for (_, _, negative), rows in zip(rows_of(matched.triplets), possible, strict=True):
        assert negative in rows


def test_matched_negatives_are_uniform_over_the_images_of_the_label() -> None:
    artists = np.repeat([0, 1, 2], [3, 4, 5])
    labels = np.array([0, 0, 1, 0, 0, 1, -1, 0, 0, 0, 1, 1])
    triplets = draw_triplets(artists, 30_000, np.random.default_rng(5))
    matched = match_negatives(triplets, artists, labels, np.random.default_rng(6))
    times = Counter(
        n for a, _, n in rows_of(matched.triplets) if artists[a] == 1 and labels[a] == 0
    )
    assert set(times) == {0, 1, 7, 8, 9}
    assert chisquare(list(times.values())).pvalue > 1e-3


def test_streams_depend_only_on_seed_purpose_and_epoch() -> None:
    keys = [(0, "a", 0), (1, "a", 0), (0, "b", 0), (0, "a", 1), (2**40, "a", 0), (0, "", 0)]
    first = [stream(*key).integers(2**63) for key in keys]
    assert len(set(first)) == len(keys)
    assert [stream(*key).integers(2**63) for key in keys] == first
    assert stream(3, "a").integers(2**63) == stream(3, "a", 0).integers(2**63)

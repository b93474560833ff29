"""The hardest pairs, on distances chosen by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.distances import Pairs
from model.hardest import hardest_of_each_kind, hardest_pairs


def pairs_of(distance: list[float], same_artist: list[bool]) -> Pairs:
    """Pairs at the given distances, each of images of its own."""
    rows = 2 * np.arange(len(distance), dtype=np.int32)
    return Pairs(rows, rows + 1, np.array(distance, np.float32), np.array(same_artist, np.bool_))


# At threshold 5 the pairs 0, 1, 3 are wrongly taken for one artist, 4, 6, 7 wrongly for two.
EIGHT = pairs_of(
    [4.0, 1.0, 9.0, 2.0, 6.0, 3.0, 8.0, 7.0],
    [False, False, False, False, True, True, True, True],
)


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, []),
        (1, [1]),
        (2, [1, 6]),
        (3, [1, 3, 6]),
        (4, [1, 3, 6, 7]),
        (6, [1, 3, 0, 6, 7, 4]),
        (100, [1, 3, 0, 6, 7, 4]),  # pairs with a correct verdict are never listed
    ],
)
def test_the_most_confident_mistakes_of_both_kinds_come_first(
    count: int, expected: list[int]
) -> None:
    assert hardest_pairs(EIGHT, 5.0, count).tolist() == expected


def test_a_pair_at_the_threshold_is_predicted_same() -> None:
    assert hardest_pairs(pairs_of([5.0, 5.0], [False, True]), 5.0, 10).tolist() == [0]


def test_the_threshold_is_not_rounded_to_float32() -> None:
    # In float32, 0.1 lies a little above the 0.1 of float64.
    assert hardest_pairs(pairs_of([0.1, 0.1], [False, True]), 0.1, 10).tolist() == [1]


def test_equal_mistakes_keep_their_order() -> None:
    alike = pairs_of([2.0, 2.0, 8.0, 8.0], [False, False, True, True])
    assert hardest_pairs(alike, 5.0, 4).tolist() == [0, 1, 2, 3]


def test_without_mistakes_the_list_is_empty() -> None:
    assert hardest_pairs(pairs_of([1.0, 9.0], [True, False]), 5.0, 10).tolist() == []


def test_no_image_is_in_two_of_the_hardest_pairs() -> None:
    # Image 0 is in the three nearest pairs by two artists, and in the furthest by one.
    first = np.array([0, 0, 0, 1, 0, 4], np.int32)
    second = np.array([1, 2, 3, 2, 5, 5], np.int32)
    distance = np.array([1.0, 1.1, 1.2, 1.3, 9.0, 8.0], np.float32)
    crowded = Pairs(first, second, distance, np.array([False] * 4 + [True] * 2))
    assert hardest_pairs(crowded, 5.0, 8).tolist() == [0, 5]


@given(
    st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=40),
    st.integers(1, 8),
    st.integers(-1, 10),
)
def test_the_hardest_at_any_threshold_are_among_the_hardest_of_each_kind(
    drawn: list[tuple[int, bool]], count: int, threshold: int
) -> None:
    pairs = pairs_of([float(distance) for distance, _ in drawn], [same for _, same in drawn])
    wrong_by = [d - threshold if same else threshold - d for d, same in drawn]
    hardest = sorted(wrong_by, reverse=True)[:count]
    noted = hardest_of_each_kind(pairs, count)
    assert len(set(noted.tolist())) == len(noted) <= 2 * count
    assert sorted((wrong_by[one] for one in noted), reverse=True)[:count] == hardest


def test_the_hardest_of_each_kind_are_sorted() -> None:
    assert hardest_of_each_kind(EIGHT, 3).tolist() == [1, 3, 0, 6, 7, 4]
    alike = pairs_of([2.0, 2.0, 2.0, 8.0, 8.0], [False, False, False, True, True])
    assert hardest_of_each_kind(alike, 2).tolist() == [0, 1, 3, 4]

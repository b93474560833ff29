"""Find the hardest pairs: far apart by one artist, close together by two."""

from collections.abc import Iterator
from itertools import islice

import numpy as np
import numpy.typing as npt

from model.distances import Pairs, predicted_same


def hardest_pairs(pairs: Pairs, threshold: float, count: int) -> npt.NDArray[np.int64]:
    """Indices of at most ``count`` mistakes, those furthest from ``threshold`` first.

    Half of them, rounded up, are pairs by two artists taken for one, the rest pairs by one artist
    taken for two. No image is in two of them, so that one odd image does not fill the list.
    """
    accepted = predicted_same(pairs.distance, threshold)
    seen: set[int] = set()
    chosen: list[int] = []
    for wrong_by, mistaken, wanted in (
        (-pairs.distance, accepted & ~pairs.same_artist, -(-count // 2)),
        (pairs.distance, ~accepted & pairs.same_artist, count // 2),
    ):
        worst_first = _least(-wrong_by, mistaken, len(wrong_by))
        chosen += islice(_of_new_images(pairs, worst_first, seen), wanted)
    return np.array(chosen, dtype=np.int64)


def hardest_of_each_kind(pairs: Pairs, count: int) -> npt.NDArray[np.int64]:
    """Indices of the ``count`` closest pairs by two artists, then the ``count`` furthest by one.

    They include the ``count`` hardest pairs at any threshold.

    >>> from model.distances import all_pairs
    >>> pairs = all_pairs(np.float32([[0], [1], [3], [7]]), np.array([0, 0, 1, 1]))
    >>> pairs.distance[hardest_of_each_kind(pairs, 2)].tolist()
    [2.0, 3.0, 4.0, 1.0]
    """
    nearest = _least(pairs.distance, ~pairs.same_artist, count)
    return np.concatenate([nearest, _least(-pairs.distance, pairs.same_artist, count)])


def _of_new_images(pairs: Pairs, ordered: npt.NDArray[np.int64], seen: set[int]) -> Iterator[int]:
    """Yield the pairs whose images are not in ``seen``, and add them to it."""
    for pair in ordered.tolist():
        images = {int(pairs.first_idx[pair]), int(pairs.second_idx[pair])}
        if not images & seen:
            seen |= images
            yield pair


def _least(
    values: npt.NDArray[np.float32], among: npt.NDArray[np.bool_], count: int
) -> npt.NDArray[np.int64]:
    """Indices of the ``count`` least ``values`` among some, ascending; ties keep their order."""
    candidates = values[among]
    if count < len(candidates):  # avoids sorting millions for the sake of a thousand
        among = among & (values <= np.partition(candidates, count)[count])
    chosen = np.flatnonzero(among)
    return chosen[np.argsort(values[chosen], kind="stable")][:count]

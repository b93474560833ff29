"""Pairs as arrays, the form in which they are stored: millions of them take little memory."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.integer[Any]]
CHUNK = 100_000
NAMES = "pair_index, image_a_id, image_b_id, distance, same_artist"


@dataclass(frozen=True, slots=True)
class PairColumns:
    """Pairs as arrays of one shape (n,); `same_artist` is None if the truth is unknown."""

    pair_index: Integers
    image_a_id: Integers
    image_b_id: Integers
    distance: NDArray[np.floating[Any]]
    same_artist: NDArray[np.bool_] | None

    def __post_init__(self) -> None:
        """Raise `ValueError` if the arrays differ in length."""
        columns = (getattr(self, field.name) for field in fields(self))
        if len({len(column) for column in columns if column is not None}) > 1:
            raise ValueError("the arrays of the pairs differ in length")

    def __len__(self) -> int:
        """Return how many pairs there are."""
        return len(self.pair_index)

    def chunks(self, size: int = CHUNK) -> Iterator["PairColumns"]:
        """Yield the pairs in pieces of at most `size`, without copying."""
        for start in range(0, len(self), size):
            yield self.part(slice(start, start + size))

    def part(self, rows: slice | NDArray[np.intp]) -> "PairColumns":
        """Return some of the pairs, without copying if they are a slice."""
        truth = None if self.same_artist is None else self.same_artist[rows]
        return PairColumns(
            self.pair_index[rows],
            self.image_a_id[rows],
            self.image_b_id[rows],
            self.distance[rows],
            truth,
        )

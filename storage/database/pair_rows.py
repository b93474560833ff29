"""Pairs as arrays, the form in which they are stored: millions of them take little memory."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from storage.files import present

Integers = NDArray[np.integer[Any]]
CHUNK = 100_000
NAMES = "pair_index, image_a_id, image_b_id, distance, same_artist"
PART = 4_000_000
LAST_PART = 15
"""This part has all further indices: an index with large gaps must not make many parts."""
ROW = np.dtype([(name, "<i4") for name in NAMES.split(", ")[:3]] + [("distance", "<f8")])
"""A pair in a file, whose truth is unknown."""


def parts_of(pair_index: Integers) -> Integers:
    """Return the number of the part that each index (n,) belongs to."""
    numbers: Integers = (pair_index // PART).clip(0, LAST_PART)
    return numbers


def bounds_of(part: int) -> tuple[int, int | None]:
    """Return the first index of a part and the first one beyond it, None if there is none."""
    return part * PART, None if part == LAST_PART else (part + 1) * PART


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

    def in_part(self, part: int) -> "PairColumns":
        """Return the pairs of a part, without copying if they are next to each other."""
        rows = np.flatnonzero(parts_of(self.pair_index) == part)
        is_slice = len(rows) > 0 and rows[-1] - rows[0] < len(rows)
        return self.part(slice(rows[0], rows[-1] + 1) if is_slice else rows)


def append_rows(file: BinaryIO, pairs: PairColumns) -> None:
    """Append pairs to a file, which `open_rows` reads."""
    rows = np.empty(len(pairs), ROW)
    for name in ROW.names or ():
        rows[name] = getattr(pairs, name)
    rows.tofile(file)


def open_rows(path: Path) -> PairColumns:
    """Map the pairs in a file."""
    rows = np.memmap(present(path), ROW, mode="r")
    index, first, second, distance = (rows[name] for name in ROW.names or ())
    return PairColumns(index, first, second, distance, None)

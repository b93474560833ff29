"""Pairs to score, as Kaggle writes them, read in pieces from wherever they lie."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from storage.errors import InputError
from storage.pairs.faults import Faults
from storage.pairs.stream import read_batches

MAX_INDEX = 2**31 - 1  # what an integer column of PostgreSQL holds
NO_INDEX = f"the index is no whole number from 0 to {MAX_INDEX}"
NO_IMAGE = "an image is not named"
DOUBLED = "the index was given before"

Report = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class PairPiece:
    """Some consecutive pairs: whole indices (n,), and both images (n,) as places among the names.

    `n_rows` is how many rows of the file have been read so far, faulty ones too.
    """

    index: NDArray[np.int64]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    n_rows: int


@dataclass(frozen=True, slots=True)
class PairSurvey:
    """The images that a file of pairs names, and how many rows it has, faulty ones too."""

    names: tuple[str, ...]
    n_rows: int


def survey_pairs(path: Path) -> PairSurvey:
    """Read a whole file of pairs for the images that it names.

    Raises InputError as `read_pairs` does, and for a file without any pair.
    """
    names: dict[str, None] = {}
    faults, n_rows = Faults(), 0
    for batch in read_batches(path, faults):
        for column in batch.images:
            names.update(dict.fromkeys(column.dictionary.to_pylist()))
        n_rows += len(batch.row)
    named = tuple(name for name in names if name.strip())
    if not named:
        first = f"; row {faults.named[0].row}: {faults.named[0].reason}" if faults.count else ""
        raise InputError(f"{path} holds no pair{first}")
    return PairSurvey(named, n_rows + faults.count)


def read_pairs(path: Path, names: Sequence[str], faults: Faults) -> Iterator[PairPiece]:
    """Read ``index,image1,image2`` piece by piece; compressed files are read in place.

    Rows that are no pairs, that repeat an index, or that name an image not among `names`, are left
    out and added to `faults`; empty rows are passed over. Memory stays flat. Raises InputError
    where the file cannot be read at all.
    """
    known, usable_names = pa.array(names, pa.string()), frozenset(names)
    # 2 GiB that take up room only where written: for Kaggle's 22 million pairs 22 MB.
    seen = np.zeros(MAX_INDEX + 1, np.bool_)
    n_read = 0
    for batch in read_batches(path, faults):
        index = _whole(batch.index)
        first, second = (_places(column, known) for column in batch.images)
        doubled = _doubled(index, seen)
        usable = (index >= 0) & (first >= 0) & (second >= 0) & ~doubled
        for place in np.flatnonzero(~usable):
            images = [column[int(place)].as_py() for column in batch.images]
            reason = _reason(int(index[place]), images, bool(doubled[place]), usable_names)
            faults.add(int(batch.row[place]), reason)
        n_read += len(index)
        yield PairPiece(index[usable], first[usable], second[usable], n_read)


def _whole(column: pa.StringArray) -> NDArray[np.int64]:
    """Return the indices, -1 for what is none."""
    try:
        numbers = pc.cast(column, pa.int64())
    except pa.ArrowInvalid:
        digits = pc.match_substring_regex(column, "^[0-9]{1,18}$")
        numbers = pc.cast(pc.if_else(digits, column, "-1"), pa.int64())
    index = numbers.to_numpy(zero_copy_only=False)
    return np.where((index < 0) | (index > MAX_INDEX), -1, index)


def _places(column: pa.DictionaryArray, known: pa.StringArray) -> NDArray[np.int64]:
    """Return the place of each image among those that are known, -1 where it is not."""
    places = pc.fill_null(pc.index_in(column.dictionary, value_set=known), -1)
    return np.asarray(places.take(column.indices).to_numpy(zero_copy_only=False), np.int64)


def _doubled(index: NDArray[np.int64], seen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which indices were seen before, here or in an earlier piece; all are seen then."""
    doubled = seen[index] & (index >= 0)
    if not (np.diff(index) > 0).all():
        repeated = np.ones(len(index), np.bool_)
        repeated[np.unique(index, return_index=True)[1]] = False
        doubled |= repeated & (index >= 0)
    seen[index[index >= 0]] = True
    return doubled


def _reason(index: int, images: Sequence[Any], doubled: bool, names: frozenset[str]) -> str:
    if index < 0:
        return NO_INDEX
    if doubled:
        return DOUBLED
    if not all(str(image).strip() for image in images):
        return NO_IMAGE
    unknown = next((image for image in images if image not in names), "?")
    return f"the image {unknown} cannot be used"

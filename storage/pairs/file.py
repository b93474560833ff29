"""Read pairs to score from a file like Kaggle's, piece by piece."""

from collections.abc import Iterator, Sequence
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

MAX_INDEX = 2**31 - 1  # the largest value of an integer column in PostgreSQL


@dataclass(frozen=True, slots=True)
class PairPiece:
    """Consecutive pairs: indices (n,), and both images (n,) as places in the list of names.

    `n_rows` is the number of rows read so far, including faulty ones.
    """

    index: NDArray[np.int64]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    n_rows: int


@dataclass(frozen=True, slots=True)
class PairSurvey:
    """The images that a file of pairs names, and its number of rows, including faulty ones."""

    names: tuple[str, ...]
    n_rows: int


def survey_pairs(path: Path) -> PairSurvey:
    """Read a whole file of pairs for the images that it names.

    Raises InputError as `read_pairs` does, and for a file without pairs.
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
    """Read ``index,image1,image2`` piece by piece, in constant memory, also from compressed files.

    Rows that are not pairs, repeat an index, or name an image outside `names` are skipped and added
    to `faults`; empty rows are skipped silently. Raises InputError if the file cannot be read.
    """
    known, usable_names = pa.array(names, pa.string()), frozenset(names)
    # 2 GiB, but only written pages take memory: 22 MB for Kaggle's 22 million pairs.
    seen = np.zeros(MAX_INDEX + 1, np.bool_)
    n_read = 0
    for batch in read_batches(path, faults):
        index = _whole(batch.index)
        first, second = (_places(column, known) for column in batch.images)
        repeated = _repeated(index, seen)
        usable = (index >= 0) & (first >= 0) & (second >= 0) & ~repeated
        for place in np.flatnonzero(~usable):
            images = [column[int(place)].as_py() for column in batch.images]
            reason = _reason(int(index[place]), images, bool(repeated[place]), usable_names)
            faults.add(int(batch.row[place]), reason)
        n_read += len(index)
        yield PairPiece(index[usable], first[usable], second[usable], n_read)


def _whole(column: pa.StringArray) -> NDArray[np.int64]:
    """Parse indices; -1 stands for an invalid one."""
    try:
        numbers = pc.cast(column, pa.int64())
    except pa.ArrowInvalid:
        digits = pc.match_substring_regex(column, "^[0-9]{1,18}$")
        numbers = pc.cast(pc.if_else(digits, column, "-1"), pa.int64())
    index = numbers.to_numpy(zero_copy_only=False)
    return np.where((index < 0) | (index > MAX_INDEX), -1, index)


def _places(column: pa.DictionaryArray, known: pa.StringArray) -> NDArray[np.int64]:
    """Return each image's place among the known ones, or -1."""
    places = pc.fill_null(pc.index_in(column.dictionary, value_set=known), -1)
    return np.asarray(places.take(column.indices).to_numpy(zero_copy_only=False), np.int64)


def _repeated(index: NDArray[np.int64], seen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which indices occurred before, here or in an earlier piece, and mark all as seen."""
    is_valid = index >= 0
    repeated = seen[index]
    if not (np.diff(index) > 0).all():
        later = np.ones(len(index), np.bool_)
        later[np.unique(index, return_index=True)[1]] = False
        repeated |= later
    seen[index[is_valid]] = True
    return repeated & is_valid


def _reason(index: int, images: Sequence[Any], repeated: bool, names: frozenset[str]) -> str:
    if index < 0:
        return f"the index is not a whole number from 0 to {MAX_INDEX}"
    if repeated:
        return "the index occurred before"
    if not all(str(image).strip() for image in images):
        return "an image has no name"
    unknown = next((image for image in images if image not in names), "?")
    return f"the image {unknown} cannot be used"

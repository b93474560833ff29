"""Read the rows of a pair file as columns, from CSV, gzip or zip."""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv

from storage.errors import InputError, unusable
from storage.pairs.faults import Faults

COLUMNS = ("index", "image1", "image2")
BLOCK_BYTES = 1 << 23
IMAGE = pa.dictionary(pa.int32(), pa.string())


@dataclass(frozen=True, slots=True)
class PairBatch:
    """Rows as written: their numbers in the file, the index, and both images, each (n,)."""

    row: NDArray[np.int64]
    index: pa.StringArray
    images: tuple[pa.DictionaryArray, pa.DictionaryArray]


def read_batches(path: Path, faults: Faults) -> Iterator[PairBatch]:
    """Read the rows of a pair file, some hundred thousand at a time.

    Rows with too few or too many fields are skipped and added to `faults`; empty ones are skipped
    silently. Raises InputError naming the file if it cannot be read as a table of pairs.
    """
    skipped: list[int] = []

    def skip(row: csv.InvalidRow) -> str:
        skipped.append(row.number)
        fields = f"{row.actual_columns} fields where the header has {row.expected_columns}"
        faults.add(row.number, fields)
        return "skip"

    with _errors_named(path), _opened(path) as stream:
        reader = csv.open_csv(
            stream,
            # Only in one thread does it number faulty rows, and it is no slower.
            read_options=csv.ReadOptions(block_size=BLOCK_BYTES, use_threads=False),
            parse_options=csv.ParseOptions(invalid_row_handler=skip, ignore_empty_lines=False),
            convert_options=csv.ConvertOptions(
                include_columns=COLUMNS,
                column_types={"index": pa.string(), "image1": IMAGE, "image2": IMAGE},
                strings_can_be_null=False,
            ),
        )
        n_read = 0
        for batch in reader:
            row = _row_numbers(n_read, len(batch), skipped)
            n_read += len(batch)
            index, *images = batch.columns
            yield _without_empty(PairBatch(row, index, (images[0], images[1])))


def _row_numbers(start: int, count: int, skipped: list[int]) -> NDArray[np.int64]:
    """Number in the file the rows read from `start` on; the header is row 1."""
    read = np.arange(start, start + count) + 2
    left_out = np.array(skipped, np.int64)
    return read + np.searchsorted(left_out - np.arange(len(left_out)), read, side="right")


def _without_empty(batch: PairBatch) -> PairBatch:
    blank = pc.equal(batch.index, "")
    if not pc.any(blank).as_py():
        return batch
    for column in batch.images:
        blank = pc.and_(blank, pc.equal(column.cast(pa.string()), ""))
    kept = pc.invert(blank)
    first, second = (column.filter(kept) for column in batch.images)
    return PairBatch(batch.row[kept.to_numpy(False)], batch.index.filter(kept), (first, second))


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    with ExitStack() as stack:
        if path.suffix.lower() != ".zip":
            # A memory map would count the whole file as this process's memory.
            file = stack.enter_context(pa.OSFile(str(path)))
            packed = path.suffix.lower() == ".gz"
            yield stack.enter_context(pa.CompressedInputStream(file, "gzip")) if packed else file
            return
        archive = stack.enter_context(zipfile.ZipFile(path))
        tables = [name for name in archive.namelist() if name.lower().endswith(".csv")]
        if len(tables) != 1:
            raise InputError(f"{path} holds {len(tables)} CSV files; it should hold one")
        yield stack.enter_context(pa.PythonFile(archive.open(tables[0]), mode="r"))


@contextmanager
def _errors_named(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"there is no file {path}") from None
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise InputError(_explained(path, " ".join(str(error).split()))) from None
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise unusable(error, f"{path} cannot be read: {error}") from error


def _explained(path: Path, words: str) -> str:
    """Translate Arrow's message."""
    if "Empty CSV" in words:
        return f"{path} is empty; it needs the columns {', '.join(COLUMNS)}"
    if "invalid UTF8" in words:
        return f"{path} is not UTF-8; save the file as UTF-8"
    for column in COLUMNS:
        if f"'{column}' in include_columns does not exist" in words:
            return f"{path}, row 1: the column {column} is missing"
    return f"{path} is malformed: {words}"

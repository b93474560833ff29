"""Pairs to score, as Kaggle writes them, and the submission that answers them."""

import csv
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
import pandas as pd

from storage.errors import InputError

COLUMNS = ("index", "image1", "image2")
CHUNK = 200_000
MAX_INDEX = 2**31 - 1  # what an integer column of PostgreSQL holds


def read_pairs(path: Path) -> Iterator[pd.DataFrame]:
    """Read ``index,image1,image2`` piece by piece; the table's own index is the row of the file.

    The file may be compressed, as its suffix says; empty rows are passed over. Raises InputError
    naming the file and the row for anything that is no pair, and for an index given twice.
    """
    # 2 GiB that take up room only where written: for Kaggle's 22 million pairs 22 MB.
    seen = np.zeros(MAX_INDEX + 1, np.bool_)
    try:
        with pd.read_csv(
            path,
            dtype=str,
            keep_default_na=False,
            encoding="utf-8-sig",
            chunksize=CHUNK,
            skip_blank_lines=False,  # or the rows could not be counted
        ) as pieces:
            for piece in pieces:
                _check_columns(path, piece)
                yield _checked(path, piece, seen)
    except FileNotFoundError:
        raise InputError(f"there is no file {path}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8; save the file as UTF-8") from None
    except pd.errors.EmptyDataError:
        raise InputError(f"{path} is empty; it needs the columns {', '.join(COLUMNS)}") from None
    except pd.errors.ParserError as error:
        raise InputError(f"{path} is malformed: {' '.join(str(error).split())}") from None
    except (OSError, EOFError, zlib.error, BadZipFile) as error:
        raise InputError(f"{path} cannot be read: {error}") from error


def image_names(path: Path) -> list[str]:
    """Every image that the pairs name, once, in order of first appearance."""
    names: dict[str, None] = {}
    for piece in read_pairs(path):
        names.update(dict.fromkeys(piece[list(COLUMNS[1:])].to_numpy().ravel()))
    if not names:
        raise InputError(f"{path} holds no pair")
    return list(names)


def write_submission(
    path: Path, rows: Iterator[tuple[Sequence[int], npt.NDArray[np.float64]]]
) -> int:
    """Write ``index,sameArtist``, the probability, for pieces of (indices, probabilities).

    Returns how many pairs were written.
    """
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("index", "sameArtist"))
        for indices, probabilities in rows:
            written = (f"{value:.6f}" for value in probabilities)
            writer.writerows(zip(indices, written, strict=True))
            count += len(indices)
    return count


def _check_columns(path: Path, piece: pd.DataFrame) -> None:
    for column in COLUMNS:
        if column not in piece.columns:
            raise InputError(f"{path}, row 1: the column {column} is missing")
    if not isinstance(piece.index, pd.RangeIndex):  # pandas took the first field for a row's name
        raise InputError(f"{path}, row 2: more fields than there are columns")


def _checked(path: Path, piece: pd.DataFrame, seen: npt.NDArray[np.bool_]) -> pd.DataFrame:
    """The piece with whole indices that were not ``seen`` before, and both images named."""
    piece.index += 2  # the header is row 1
    piece = piece[~(piece[list(COLUMNS)].fillna("") == "").all(axis=1)]  # without empty rows
    numbers = pd.to_numeric(piece["index"], errors="coerce")
    wrong = ~numbers.between(0, MAX_INDEX) | (numbers % 1 != 0)
    _refuse(path, wrong, f"the index is no whole number from 0 to {MAX_INDEX}")
    for column in COLUMNS[1:]:
        _refuse(path, piece[column].fillna("").str.strip() == "", "an image is not named")
    indices = numbers.astype(np.int64)
    _refuse(path, indices.duplicated() | seen[indices], "the index was given before")
    seen[indices] = True
    return piece.assign(index=indices)


def _refuse(path: Path, faulty: "pd.Series[bool]", fault: str) -> None:
    """Name the first faulty row."""
    for row in faulty.index[faulty][:1]:
        raise InputError(f"{path}, row {row}: {fault}")

"""Pairs to score, as Kaggle writes them, and the submission that answers them."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from storage.errors import InputError

COLUMNS = ("index", "image1", "image2")
CHUNK = 200_000


def read_pairs(path: Path) -> Iterator[pd.DataFrame]:
    """Read ``index,image1,image2`` piece by piece; the table's own index is the row of the file.

    Raises InputError naming the file and the row for anything that is no pair.
    """
    try:
        with pd.read_csv(
            path, dtype=str, keep_default_na=False, encoding="utf-8-sig", chunksize=CHUNK
        ) as pieces:
            for piece in pieces:
                _check_columns(path, piece)
                yield _checked(path, piece)
    except FileNotFoundError:
        raise InputError(f"there is no file {path}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8; save the file as UTF-8") from None
    except pd.errors.EmptyDataError:
        raise InputError(f"{path} is empty; it needs the columns {', '.join(COLUMNS)}") from None
    except pd.errors.ParserError as error:
        raise InputError(f"{path} is malformed: {' '.join(str(error).split())}") from None


def image_names(path: Path) -> list[str]:
    """Every image that the pairs name, once, in order of first appearance."""
    names: dict[str, None] = {}
    for piece in read_pairs(path):
        for column in COLUMNS[1:]:
            names.update(dict.fromkeys(piece[column]))
    if not names:
        raise InputError(f"{path} holds no pair")
    return list(names)


def write_submission(
    path: Path, rows: Iterator[tuple[Sequence[int], npt.NDArray[np.float64]]]
) -> None:
    """Write ``index,sameArtist``, the probability, for pieces of (indices, probabilities)."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("index", "sameArtist"))
        for indices, probabilities in rows:
            written = (f"{value:.6f}" for value in probabilities)
            writer.writerows(zip(indices, written, strict=True))


def _check_columns(path: Path, piece: pd.DataFrame) -> None:
    for column in COLUMNS:
        if column not in piece.columns:
            raise InputError(f"{path}, row 1: the column {column} is missing")


def _checked(path: Path, piece: pd.DataFrame) -> pd.DataFrame:
    """The piece with whole, non-negative indices, and both images named."""
    piece.index += 2  # the header is row 1
    numbers = pd.to_numeric(piece["index"], errors="coerce")
    wrong = ~(numbers >= 0) | (numbers % 1 != 0)
    blank = (piece["image1"].str.strip() == "") | (piece["image2"].str.strip() == "")
    if (faulty := wrong | blank).any():
        row = piece.index[faulty][0]
        fault = "the index is no whole number" if wrong[row] else "an image is not named"
        raise InputError(f"{path}, row {row}: {fault}")
    return piece.assign(index=numbers.astype(np.int64))

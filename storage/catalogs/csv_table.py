"""CSV files from people and other programs, read strictly: a doubtful row is an error."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from storage.errors import InputError, unusable
from storage.image_files import open_zip


def read_csv_table(path: Path, required: tuple[str, ...] = ()) -> pd.DataFrame:
    """Read a UTF-8 CSV file, or the one in a zip file, every value as text, a blank as "".

    The index, named "row", is the row a spreadsheet shows, with the header in row 1. Empty rows and
    columns without a name are left out. pandas' own reader silently fills short rows and renames
    a repeated column.

    Raises InputError if the file cannot be read, is not UTF-8, is malformed, has no rows, has a
    column twice or lacks one of `required`.
    """
    records = list(_records(path))
    if not records:
        raise InputError(f"{path}: the file is empty; it needs a row of column names")
    header = [name.strip() for name in records[0][1]]
    _check_header(path, header, required)
    rows = [(row, values) for row, values in records[1:] if values]
    if not rows:
        raise InputError(f"{path}: there is no row below the column names")
    for row, values in rows:
        if len(values) != len(header):
            raise InputError(
                f"{path}, row {row}: {len(values)} fields where the header has {len(header)};"
                ' put a field that holds a comma in "quotes"'
            )
    index = pd.Index([row for row, _ in rows], name="row")
    table = pd.DataFrame([values for _, values in rows], columns=header, index=index, dtype="str")
    return table[[name for name in header if name]]


def _records(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield each record with its row; a quoted field may span several lines."""
    reader = csv.reader(io.StringIO(_read_text(path), newline=""), strict=True)
    row = 0
    try:
        for row, values in enumerate(reader, start=1):
            yield row, values
    except csv.Error as error:
        raise InputError(f"{path}, row {row + 1}: malformed CSV ({error})") from error


def _read_text(path: Path) -> str:
    """Read a text file, with or without a byte order mark."""
    try:
        content = _read_zipped(path) if path.suffix.lower() == ".zip" else path.read_bytes()
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise unusable(error, f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}, line {line}: not UTF-8; save the file as UTF-8") from error
    if (position := text.find("\0")) >= 0:
        line = text.count("\n", 0, position) + 1
        raise InputError(f"{path}, line {line}: a NUL character; save the file as UTF-8 text")
    return text


def _read_zipped(path: Path) -> bytes:
    with open_zip(path) as archive:
        names = [name for name in archive.namelist() if name.lower().endswith(".csv")]
        tables = [name for name in names if not name.startswith("__MACOSX/")]
        if len(tables) != 1:
            raise InputError(f"{path}: holds {len(tables)} CSV files instead of one; unpack it")
        return archive.read(tables[0])


def _check_header(path: Path, header: list[str], required: tuple[str, ...]) -> None:
    """Refuse a header with a repeated column or without one of `required`."""
    for name in header:
        if name and header.count(name) > 1:
            raise InputError(f"{path}, row 1: the column {name} appears twice")
    for name in required:
        if name not in header:
            other = next((sign for sign in ";\t|" if sign in "".join(header)), None)
            hint = f"; separate the columns by commas, not by {other!r}" if other else ""
            found = ", ".join(header)
            raise InputError(f"{path}, row 1: the column {name} is missing (found: {found}){hint}")

"""Writing pairs from arrays: a binary COPY on PostgreSQL, fifty rows a statement on SQLite.

Memory is that of one chunk, however many pairs there are.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any, cast

import numpy as np
import psycopg
from numpy.typing import NDArray
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from storage.database.partitions import make_part, partition_of, parts_of

CHUNK = 100_000
NAMES = "pair_index, image_a_id, image_b_id, distance, same_artist"
ROWS_A_STATEMENT = 50  # half of SQLite's time over one; more saves nothing more
SORTING_KILOBYTES = 32_000
SORTED_IMAGES = """
INSERT INTO pair_images (evaluation_id, image_id, pair_index)
SELECT evaluation_id, image_a_id, pair_index FROM pair_predictions WHERE evaluation_id = :id
UNION ALL SELECT evaluation_id, image_b_id, pair_index FROM pair_predictions
WHERE evaluation_id = :id AND image_b_id <> image_a_id
ORDER BY 1, 2, 3
"""
# PostgreSQL's binary COPY: this signature, two words of flags; at the end a row of -1 fields.
COPY_BEGIN = b"PGCOPY\n\xff\r\n\0" + bytes(8)
COPY_END = b"\xff\xff"


@dataclass(frozen=True, slots=True)
class PairColumns:
    """Pairs as arrays of one shape (n,); `same_artist` is None where the truth is unknown."""

    pair_index: NDArray[np.integer[Any]]
    image_a_id: NDArray[np.integer[Any]]
    image_b_id: NDArray[np.integer[Any]]
    distance: NDArray[np.floating[Any]]
    same_artist: NDArray[np.bool_] | None

    def __post_init__(self) -> None:
        """Raise `ValueError` where the arrays differ in length."""
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
        """Return some of the pairs, without copying where they are a slice."""
        truth = None if self.same_artist is None else self.same_artist[rows]
        return PairColumns(
            self.pair_index[rows],
            self.image_a_id[rows],
            self.image_b_id[rows],
            self.distance[rows],
            truth,
        )


def append_pairs(connection: Connection, evaluation_id: int, pairs: PairColumns) -> None:
    """Append pairs to an evaluation, in the connection's transaction."""
    if connection.dialect.name == "sqlite":
        _insert(connection, evaluation_id, pairs)
    else:
        _copy(connection, evaluation_id, pairs)


def note_images(connection: Connection, evaluation_id: int) -> None:
    """On SQLite, note which pairs of an evaluation each image is in; all of them are to be there.

    They are sorted first, in files where they are many, and so end up one behind the other.
    """
    connection.exec_driver_sql(f"PRAGMA cache_size = -{SORTING_KILOBYTES}")
    connection.execute(text(SORTED_IMAGES), {"id": evaluation_id})


def copy_rows(pairs: PairColumns) -> bytes:
    """Return pairs as rows of a binary COPY: each a count of fields, each field after its length.

    All fields are of fixed length, so the rows are a structured array in big-endian order. An
    unknown truth is a field of length -1 without content. See PostgreSQL's manual, COPY.
    """
    known = pairs.same_artist is not None
    layout = [("fields", ">i2")]
    for name in ("pair_index", "image_a_id", "image_b_id"):
        layout += [(f"{name} length", ">i4"), (name, ">i4")]
    layout += [("distance length", ">i4"), ("distance", ">f8"), ("same_artist length", ">i4")]
    rows = np.empty(len(pairs), dtype=[*layout, ("same_artist", "?")] if known else layout)
    rows["fields"] = len(fields(pairs))
    for name in rows.dtype.names or ():
        if name.endswith(" length"):
            column = name.removesuffix(" length")
            rows[name] = rows.dtype[column].itemsize if column in (rows.dtype.names or ()) else -1
        elif name != "fields":
            rows[name] = getattr(pairs, name)
    return rows.tobytes()


def _copy(connection: Connection, evaluation_id: int, pairs: PairColumns) -> None:
    """Send pairs to the tables of their parts, which know of which evaluation they are."""
    numbers = parts_of(pairs.pair_index)
    for part in np.flatnonzero(np.bincount(numbers)).tolist():
        rows = np.flatnonzero(numbers == part)
        is_slice = rows[-1] - rows[0] < len(rows)
        some = pairs.part(slice(rows[0], rows[-1] + 1) if is_slice else rows)
        # Into a table of this very transaction, rows can go as what everybody may see for good:
        # nobody sees the table itself yet, and reading its pairs first rewrites none of them.
        is_new = make_part(connection, evaluation_id, part)
        _copy_into(connection, partition_of(evaluation_id, part), some, is_new)


def _copy_into(connection: Connection, table: str, pairs: PairColumns, is_new: bool) -> None:
    form = "FORMAT BINARY, FREEZE" if is_new else "FORMAT BINARY"
    statement = f"COPY {table} ({NAMES}) FROM STDIN ({form})"
    driver = cast("psycopg.Connection", connection.connection.driver_connection)
    with _errors_of(connection, statement), driver.cursor().copy(statement) as stream:
        stream.write(COPY_BEGIN)
        for chunk in pairs.chunks():
            stream.write(copy_rows(chunk))
        stream.write(COPY_END)


@contextmanager
def _errors_of(connection: Connection, statement: str) -> Iterator[None]:
    """Raise the driver's errors as SQLAlchemy does for what goes through it."""
    try:
        yield
    except psycopg.Error as error:
        dialect = connection.dialect
        raise DBAPIError.instance(statement, None, error, psycopg.Error, dialect=dialect) from error


def _insert(connection: Connection, evaluation_id: int, pairs: PairColumns) -> None:
    row = f"({int(evaluation_id)}, ?, ?, ?, ?, ?)"
    statement = f"INSERT INTO pair_predictions (evaluation_id, {NAMES}) VALUES "
    for chunk in pairs.chunks():
        whole = len(chunk) - len(chunk) % ROWS_A_STATEMENT
        for part, rows in (
            (chunk.part(slice(whole)), ROWS_A_STATEMENT),
            (chunk.part(slice(whole, None)), 1),
        ):
            if len(part):
                many = statement + ", ".join([row] * rows)
                connection.exec_driver_sql(many, _cells(part, rows))


def _cells(pairs: PairColumns, rows: int) -> list[tuple[Any, ...]]:
    """Return the pairs as Python's own numbers, so many rows one after the other in each tuple.

    Columns are put together, not cells: a tuple takes its cells straight from all of them.
    """
    given = [getattr(pairs, field.name) for field in fields(pairs)]
    unknown = [None] * (len(pairs) // rows)
    columns = (
        unknown if column is None else column[row::rows].tolist()
        for row in range(rows)
        for column in given
    )
    return list(zip(*columns, strict=True))

"""SQLite's way of everything that PostgreSQL does differently; see `dialects.Dialect`."""

import math
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, FromClause, case, select, text
from sqlalchemy.exc import DBAPIError, OperationalError

from storage.database.evaluation_tables import PairImage, PairPrediction
from storage.database.pair_rows import NAMES, PairColumns, bounds_of
from storage.errors import InputError, UnavailableError

BUSY_SECONDS = 30
ROWS_A_STATEMENT = 50  # half of SQLite's time over one; more saves nothing more
ROWS_A_DELETE = 200_000
ROWS_AT_ONCE = 250_000
SORTING_KILOBYTES = 32_000
IN_USE = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}
UNUSABLE = {
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_NOLFS,
    sqlite3.SQLITE_AUTH,
    sqlite3.SQLITE_NOTADB,
}
SORTED_IMAGES = """
INSERT INTO pair_images (evaluation_id, image_id, pair_index)
SELECT evaluation_id, image_a_id, pair_index FROM pair_predictions WHERE evaluation_id = :id
UNION ALL SELECT evaluation_id, image_b_id, pair_index FROM pair_predictions
WHERE evaluation_id = :id AND image_b_id <> image_a_id
ORDER BY 1, 2, 3
"""


def checked(address: URL) -> URL:
    """Create the folder of the file. A database in memory would not outlive the run."""
    file = address.database
    if not file or file.startswith((":memory:", "file:")) or address.query:
        shown = address.set(query={}).render_as_string()
        raise InputError(f"{shown} is no plain file; write it as sqlite:///results.db")
    try:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"cannot create the folder of database {file}: {error.strerror}"
        ) from error
    return address


def set_up(connection: sqlite3.Connection, shown: str) -> None:
    """Set patience and foreign keys, and add the function that the views need."""
    connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    connection.execute("PRAGMA foreign_keys = ON")
    try:
        connection.execute("SELECT tanh(0)")
    except sqlite3.OperationalError:  # not every SQLite is built with its mathematics
        connection.create_function("tanh", 1, math.tanh, deterministic=True)


def fault_of(error: DBAPIError) -> type[InputError] | None:
    """Tell faults of the file apart by SQLite's primary result code, the lowest byte."""
    code = getattr(error.orig, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF
    if code in IN_USE:
        return UnavailableError
    return InputError if code in UNUSABLE else None


def take_turn(connection: Connection) -> None:
    """Become the one writer that a file can have, unless the transaction is it already."""
    driver: Any = connection.connection.driver_connection
    if not driver.in_transaction:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def begin_upgrade(connection: Connection) -> None:
    """Let readers read while one writes, which the file remembers, and become its one writer."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            break
        except OperationalError as error:
            # When two processes switch a new file at once, one of them is refused without a wait.
            if fault_of(error) is not UnavailableError or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
    # A table that is dropped to be made anew would take along all rows that refer to it.
    connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
    take_turn(connection)


def create_more(connection: Connection) -> None:
    """Create nothing."""


def sides() -> FromClause:
    """Find the pairs of an image by `PairImage`."""
    pair, image = PairPrediction, PairImage
    same_pair = (pair.evaluation_id == image.evaluation_id) & (pair.pair_index == image.pair_index)
    is_first = pair.image_a_id == image.image_id
    return (
        select(
            pair.evaluation_id,
            image.image_id,
            case((is_first, pair.image_b_id), else_=pair.image_a_id).label("other_id"),
            pair.pair_index,
            pair.distance,
            pair.same_artist,
        )
        .join_from(image, pair, same_pair)
        .subquery("sides")
    )


def begin_writing(connection: Connection) -> None:
    """Do nothing: there is one writer at a time."""


def append_to_part(
    connection: Connection, evaluation_id: int, part: int, pairs: PairColumns
) -> None:
    """Insert many rows with each statement."""
    row = f"({int(evaluation_id)}, ?, ?, ?, ?, ?)"
    statement = f"INSERT INTO pair_predictions (evaluation_id, {NAMES}) VALUES "
    for chunk in pairs.chunks():
        whole = len(chunk) - len(chunk) % ROWS_A_STATEMENT
        for some, rows in (
            (chunk.part(slice(whole)), ROWS_A_STATEMENT),
            (chunk.part(slice(whole, None)), 1),
        ):
            if len(some):
                many = statement + ", ".join([row] * rows)
                connection.exec_driver_sql(many, _cells(some, rows))


store_in_part = append_to_part


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


def writers() -> int:
    """Return one: a file has no room for more."""
    return 1


def missing_of_part(
    connection: Connection, evaluation_id: int, part: int, count: int
) -> Sequence[slice]:
    """Go on after what is stored of the part, in pieces between which others can write."""
    low, high = bounds_of(part)
    below = "" if high is None else f" AND pair_index < {high}"
    query = (
        f"SELECT count(*) FROM pair_predictions WHERE evaluation_id = :id AND pair_index >= {low}"
    )
    stored = connection.execute(text(query + below), {"id": evaluation_id}).scalar_one()
    return [
        slice(start, min(start + ROWS_AT_ONCE, count))
        for start in range(stored, count, ROWS_AT_ONCE)
    ]


def finish_pairs(connection: Connection, evaluation_id: int) -> None:
    """Fill `PairImage`, sorted first, so that its rows end up one behind the other."""
    connection.exec_driver_sql(f"PRAGMA cache_size = -{SORTING_KILOBYTES}")
    connection.execute(text(SORTED_IMAGES), {"id": evaluation_id})


def forget_pairs(connection: Connection, evaluation_id: int) -> None:
    """Delete them."""
    delete = text("DELETE FROM pair_predictions WHERE evaluation_id = :id")
    connection.execute(delete, {"id": evaluation_id})


def empty_pairs(connection: Connection, evaluation_id: int) -> None:
    """Do nothing: here it takes time."""


def remove_pairs(engine: Engine, evaluation_id: int) -> None:
    """Delete in pieces, between which others can write."""
    for table, key in (("pair_images", "image_id"), ("pair_predictions", "pair_index")):
        of_evaluation = f"FROM {table} WHERE evaluation_id = {int(evaluation_id)}"
        first = f"SELECT {key} {of_evaluation} ORDER BY {key} LIMIT {ROWS_A_DELETE}"
        delete = f"DELETE {of_evaluation} AND {key} <= (SELECT max({key}) FROM ({first}))"
        is_any_left = True
        while is_any_left:
            with engine.begin() as connection:
                is_any_left = connection.exec_driver_sql(delete).rowcount > 0

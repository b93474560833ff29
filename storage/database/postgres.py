"""PostgreSQL's way of everything that SQLite does differently; see `dialects.Dialect`."""

import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from select import POLLIN, POLLOUT, poll
from typing import Any, cast

import numpy as np
import psycopg
from psycopg import pq
from psycopg.conninfo import make_conninfo
from psycopg.pq import PollingStatus
from psycopg.pq.abc import PGconn
from sqlalchemy import (
    URL,
    Connection,
    Engine,
    FromClause,
    Select,
    SQLColumnExpression,
    select,
    text,
    union_all,
)
from sqlalchemy.exc import DBAPIError, OperationalError

from storage.database import partitions
from storage.database.evaluation_tables import PairPrediction
from storage.database.pair_rows import NAMES, PairColumns
from storage.errors import InputError, UnavailableError
from storage.threads import available_cores

CONNECT_SECONDS = 10
TURN = 7265737473  # any number of our own
# Classes and codes of https://www.postgresql.org/docs/current/errcodes-appendix.html
UNREACHABLE = {
    "08",  # connection exception
    "40001",  # serialization failure
    "40P01",  # deadlock detected
    "53300",  # too many connections
    "55P03",  # lock not available
    "57P01",  # admin shutdown
    "57P02",  # crash shutdown
    "57P03",  # cannot connect now: starting up, shutting down, in recovery
    "57P05",  # idle session timeout
}
LOST = "08006"
UNUSABLE = {
    "25006",  # read-only transaction
    "28",  # invalid authorization: user, password
    "3D",  # no such database
    "42501",  # insufficient privilege
    "53",  # insufficient resources: disk full, out of memory
    "55",  # object not in the state that is needed
    "57",  # operator intervention
    "58",  # system error: input and output
}
# PostgreSQL's binary COPY: this signature, two words of flags; at the end a row of -1 fields.
COPY_BEGIN = b"PGCOPY\n\xff\r\n\0" + bytes(8)
COPY_END = b"\xff\xff"

writers = available_cores
finish_pairs = partitions.attach_parts
forget_pairs = partitions.discard_parts
empty_pairs = partitions.empty_partition


def checked(address: URL) -> URL:
    """Add the driver, a limit on the wait for the server, and the encoding."""
    if "@" in f"{address.host}{address.database}":
        raise InputError("the database URL cannot be read: write an @ in its password as %40")
    usual = {"connect_timeout": str(CONNECT_SECONDS), "client_encoding": "utf8"}
    return address.set(drivername="postgresql+psycopg", query={**usual, **address.query})


def set_up(connection: psycopg.Connection, shown: str) -> None:
    """Refuse a database that cannot hold every name, and turn off what compiles each query."""
    if (encoding := connection.info.parameter_status("server_encoding")) != "UTF8":
        connection.close()
        raise InputError(
            f"cannot use database {shown}: its encoding is {encoding}; "
            "create one with ENCODING 'UTF8' TEMPLATE template0"
        )
    connection.execute("SET jit = off")  # compiling takes longer than answering
    connection.commit()


def fault_of(error: DBAPIError) -> type[InputError] | None:
    """Tell faults of the server apart by their SQLSTATE; a connection that is lost has none."""
    driver = error.orig
    state = driver.sqlstate if isinstance(driver, psycopg.Error) else ""
    if state is None and isinstance(driver, psycopg.OperationalError):
        state = LOST if driver.pgconn is None else _state_of_refusal(driver.pgconn) or LOST
    codes = {state, state[:2]} if state else set()
    if UNREACHABLE & codes:
        return UnavailableError
    return InputError if UNUSABLE & codes else None


def _state_of_refusal(failed: PGconn) -> str | None:
    """Return the SQLSTATE by which a server refuses a connection, None if it does not answer.

    libpq keeps that code to itself, so ask the server once more and read the trace of its answer.
    """
    given = {option.keyword.decode(): option.val.decode() for option in failed.info if option.val}
    conninfo = make_conninfo(**given).encode()
    trace = _trace_of(conninfo) if sys.platform == "linux" else b""  # psycopg traces there alone
    if found := re.search(rb'ErrorResponse.* C "(\w{5})"', trace):
        return found.group(1).decode()
    is_open = b"ReadyForQuery" in trace  # by now
    # A server that would let others in lacks something of us, as a password.
    return "28000" if not is_open and pq.PGconn.ping(conninfo) == pq.Ping.OK else None


def _trace_of(conninfo: bytes) -> bytes:
    """Attempt to connect, and return what libpq traces; it stays in memory."""
    receiver, sender = os.pipe()
    with os.fdopen(receiver, "rb") as trace:
        with os.fdopen(sender, "wb"):
            attempt = pq.PGconn.connect_start(conninfo)
            attempt.trace(sender)
            _wait_for_answer(attempt)
            attempt.untrace()
            attempt.finish()
        return trace.read()


def _wait_for_answer(attempt: PGconn) -> None:
    """Drive an attempt to connect until it succeeds or fails, or for as long as any may take."""
    deadline, status = time.monotonic() + CONNECT_SECONDS, int(PollingStatus.WRITING)
    events = {int(PollingStatus.READING): POLLIN, int(PollingStatus.WRITING): POLLOUT}
    while status in events and time.monotonic() < deadline:
        waiting = poll()
        waiting.register(attempt.socket, events[status])
        waiting.poll(1000)
        status = attempt.connect_poll()


def take_turn(connection: Connection) -> None:
    """Take a lock that ends with the transaction."""
    connection.execute(text(f"SELECT pg_advisory_xact_lock({TURN})"))


begin_upgrade = take_turn


def create_more(connection: Connection) -> None:
    """Create a foreign key that cannot be in a table before the other one is there.

    And a partition for pairs that come by plain SQL to an evaluation without its own.
    """
    for statement in (
        "ALTER TABLE runs ADD CONSTRAINT fk_runs_model_id"
        " FOREIGN KEY(model_id) REFERENCES models (id) ON DELETE SET NULL",
        "CREATE TABLE pair_predictions_default PARTITION OF pair_predictions DEFAULT",
    ):
        connection.execute(text(statement))


def sides() -> FromClause:
    """Find the pairs of an image by the indexes of both columns.

    A pair of an image with itself is there twice: a condition would keep the indexes from use.
    """
    first, second = PairPrediction.image_a_id, PairPrediction.image_b_id
    return union_all(_side(first, second), _side(second, first)).subquery("sides")


def _side(
    image_id: SQLColumnExpression[int], other_id: SQLColumnExpression[int]
) -> Select[*tuple[Any, ...]]:
    return select(
        PairPrediction.evaluation_id,
        image_id.label("image_id"),
        other_id.label("other_id"),
        PairPrediction.pair_index,
        PairPrediction.distance,
        PairPrediction.same_artist,
    )


def begin_writing(connection: Connection) -> None:
    """Lock a table that attaching locks too, and in the order in which it does."""
    connection.execute(text("LOCK TABLE evaluations IN ROW EXCLUSIVE MODE"))


def append_to_part(
    connection: Connection, evaluation_id: int, part: int, pairs: PairColumns
) -> None:
    """Copy pairs to the table of their part, which knows of which evaluation they are."""
    is_new = partitions.make_part(connection, evaluation_id, part)
    _copy(connection, partitions.partition_of(evaluation_id, part), pairs, is_new)


def _copy(connection: Connection, table: str, pairs: PairColumns, is_new: bool) -> None:
    # FREEZE: the table was created in this transaction, so no one else can see it yet, and reading
    # its rows for the first time rewrites none of them.
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


def missing_of_part(
    connection: Connection, evaluation_id: int, part: int, count: int
) -> Sequence[slice]:
    """Store a part in one transaction, which looks again."""
    return [slice(count)]


def store_in_part(
    connection: Connection, evaluation_id: int, part: int, pairs: PairColumns
) -> None:
    """Copy, index and attach the part, which nobody else sees before, unless it is there."""
    if partitions.begin_part(connection, evaluation_id, part):
        append_to_part(connection, evaluation_id, part, pairs)
        partitions.index_part(connection, evaluation_id, part)
        partitions.attach_part(connection, evaluation_id, part)


def remove_pairs(engine: Engine, evaluation_id: int) -> None:
    """Drop the empty table; it does no harm where others read pairs all the time."""
    try:
        with engine.begin() as connection:
            partitions.drop_partition(connection, evaluation_id)
    except OperationalError as error:
        if fault_of(error) is not UnavailableError:
            raise

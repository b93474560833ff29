"""Opening the results database: connection, settings of SQLite, tables and views."""

import math
import sqlite3
import time
from pathlib import Path

import psycopg
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError

from storage.database.schema import is_current, upgrade
from storage.errors import InputError, UnavailableError

DRIVERS = ("sqlite", "sqlite+pysqlite", "postgresql", "postgresql+psycopg")
EXAMPLES = "sqlite:///results.db or postgresql+psycopg://user:password@host/database"
BUSY_SECONDS = 30
CONNECT_SECONDS = "10"
# Signs of a server that starts, restarts or is out of reach, and of an SQLite file in use.
PASSING = (
    "refused",
    "timeout",
    "starting up",
    "shutting down",
    "closed",
    "lost",
    "reset by peer",
    "in recovery",
    "too many",
    "locked",
    "terminating",
    "deadlock",
)


def open_database(url: str) -> Engine:
    """Open the results database at `url`, creating or upgrading its tables and views.

    Safe while other processes open or use the same database. Raises `InputError` where the URL
    cannot be used, the server or file cannot be reached, or the database is another program's or a
    newer samehand's; no message ever holds the password.
    """
    address = _parse(url)
    if address.get_backend_name() == "sqlite":
        _make_folder(address)
    engine = create_engine(address, pool_pre_ping=True)
    prepare = _prepare_sqlite if engine.dialect.name == "sqlite" else _prepare_postgres
    event.listen(engine, "connect", prepare)
    try:
        _bring_up_to_date(engine)
    except (DBAPIError, InputError) as error:
        engine.dispose()
        raise explained(error, address) from None  # the driver's own error may hold the password
    return engine


def shown(address: URL) -> str:
    """Return a database's URL as it may be shown: password starred, options left out."""
    return address.set(query={}).render_as_string(hide_password=True)


def _parse(url: str) -> URL:
    """Return the URL in its parts; never quote one that cannot be parsed."""
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):
        raise InputError(f"the database URL cannot be read; write it as {EXAMPLES}") from None
    if address.drivername not in DRIVERS:
        raise InputError(
            f"unknown database driver {address.drivername!r}; write the URL as {EXAMPLES}"
        )
    if address.get_backend_name() == "postgresql":
        return _parse_server(address)
    return address


def _parse_server(address: URL) -> URL:
    """Return a server's URL with its driver and a limit on the wait for it.

    Refuses one that was split wrongly.
    """
    if "@" in f"{address.host}{address.database}":
        raise InputError("the database URL cannot be read: an @ in its password is written %40")
    address = address.set(drivername="postgresql+psycopg")
    if "connect_timeout" in address.query:
        return address
    return address.update_query_dict({"connect_timeout": CONNECT_SECONDS})


def _make_folder(address: URL) -> None:
    """Create the folder of an SQLite file; a database in memory would not outlive the run."""
    file = address.database
    if not file or file.startswith((":memory:", "file:")) or address.query:
        raise InputError(f"{shown(address)} is no plain file; write it as sqlite:///results.db")
    try:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"cannot create the folder of database {file}: {error.strerror}"
        ) from error


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    """Set up each new SQLite connection: patience, foreign keys, the tanh of the views."""
    connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    connection.execute("PRAGMA foreign_keys = ON")
    try:
        connection.execute("SELECT tanh(0)")
    except sqlite3.OperationalError:  # SQLite is built with or without its mathematics
        connection.create_function("tanh", 1, math.tanh, deterministic=True)


def _prepare_postgres(connection: psycopg.Connection, _record: object) -> None:
    """Set up each new connection to a server: to compile a question takes longer than to answer."""
    connection.execute("SET jit = off")
    connection.commit()


def _bring_up_to_date(engine: Engine) -> None:
    """Create or upgrade tables and views."""
    name = shown(engine.url)
    with engine.connect() as connection:
        current = is_current(connection, name)
        if engine.dialect.name == "sqlite":
            _switch_to_wal(connection)
    if current:
        return  # without waiting for the lock: another process may be writing for long
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            # A table that is dropped to be made anew would take along all that points to it.
            connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        upgrade(connection, name)
    engine.dispose()  # of that connection


def _switch_to_wal(connection: Connection) -> None:
    """Let readers read while one writes; the file keeps this mode once it is switched.

    Where two processes switch a new file at once, SQLite gives up on one of them without the
    patience it was told to have, so that one asks again.
    """
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            return
        except OperationalError as error:
            if "locked" not in str(error.orig) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def is_of_the_place(error: DBAPIError) -> bool:
    """Tell faults of disk, server, file and rights from those of what is written or asked."""
    return isinstance(error, OperationalError | InterfaceError) or "permission denied" in str(
        error.orig
    )


def explained(error: DBAPIError | InputError, address: URL) -> InputError:
    """Return the error for the user, with the driver's words unless they hold a password."""
    if isinstance(error, InputError):
        return error
    words = " ".join(str(error.orig).split())
    options = [str(value) for key, value in address.query.items() if "pass" in key]
    if any(secret and secret in words for secret in (address.password, *options)):
        words = "the connection failed"
    can_pass = any(sign in words for sign in PASSING)
    kind = UnavailableError if can_pass else InputError
    return kind(f"cannot use database {shown(address)}: {words}")

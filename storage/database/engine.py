"""Opening the results database: one engine per URL, and a schema that is up to date."""

from functools import lru_cache

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from storage.database.dialects import DIALECTS, dialect_of
from storage.database.schema import bring_up_to_date, is_current
from storage.errors import InputError

DRIVERS = ("sqlite", "sqlite+pysqlite", "postgresql", "postgresql+psycopg")
EXAMPLES = "sqlite:///results.db or postgresql+psycopg://user:password@host/database"


def connect(url: str) -> Connection:
    """Open a connection to the results database at `url`, its tables and views up to date.

    Safe while other processes open or use the same database. Raises `InputError` if the URL
    cannot be used, the server or file cannot be reached, or the database is another program's or a
    newer samehand's; no message ever holds the password.
    """
    engine = _engine(_checked(url))
    try:
        connection = engine.connect()
        try:
            _prepare(connection)
        except BaseException:
            connection.close()
            raise
    except DBAPIError as error:
        raise explained(error, engine.url) from None  # the driver's own error may hold the password
    return connection


def open_database(url: str) -> Engine:
    """Return the engine of the database at `url`; see `connect`."""
    with connect(url) as connection:
        return connection.engine


@lru_cache(maxsize=8)
def _engine(address: URL) -> Engine:
    """Return the engine of a URL, the same for the life of the process.

    It holds no idle connection: there is none to close, to share with a forked process, or to
    point at a file that was replaced. A new one takes 5 ms on PostgreSQL, 0.2 ms on SQLite.
    """
    engine = create_engine(address, poolclass=NullPool)
    dialect = dialect_of(engine)

    def set_up(connection: object, _record: object) -> None:
        dialect.set_up(connection, shown(address))

    event.listen(engine, "connect", set_up, insert=True)  # before SQLAlchemy asks for its version
    return engine


def _checked(url: str) -> URL:
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):
        raise InputError(f"the database URL cannot be read; write it as {EXAMPLES}") from None
    if address.drivername not in DRIVERS:
        raise InputError(
            f"unknown database driver {address.drivername!r}; write the URL as {EXAMPLES}"
        )
    return DIALECTS[address.get_backend_name()].checked(address)


def _prepare(connection: Connection) -> None:
    """Create or upgrade tables and views if they are not current, which two short queries tell."""
    name = shown(connection.engine.url)
    current = is_current(connection, name)
    connection.rollback()
    if current:
        return  # without waiting for a turn: another process may be writing for long
    dialect = dialect_of(connection)
    dialect.begin_upgrade(connection)
    bring_up_to_date(connection, name)
    connection.commit()
    dialect.set_up(connection.connection.driver_connection, name)  # an upgrade changes settings


def shown(address: URL) -> str:
    """Return a database's URL as it may be shown: password starred, options left out."""
    return address.set(query={}).render_as_string(hide_password=True)


def explained(error: DBAPIError, address: URL) -> InputError:
    """Return the error for the user, with the driver's words unless they hold a password."""
    words = " ".join(str(error.orig).split())
    options = [str(value) for key, value in address.query.items() if "pass" in key]
    if any(secret and secret in words for secret in (address.password, *options)):
        words = "the connection failed"
    kind = DIALECTS[address.get_backend_name()].fault_of(error) or InputError
    return kind(f"cannot use database {shown(address)}: {words}")

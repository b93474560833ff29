"""One transaction on the results database: all of it is stored, or nothing."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from storage.database.dialects import dialect_of
from storage.database.engine import connect, explained


@contextmanager
def transaction(url: str) -> Iterator[Session]:
    """Open the database at ``url``, yield a session, commit when the block ends well.

    Raises `InputError` in one line if the database itself gives up: a full disk, a lost server,
    a locked file, missing rights.
    """
    with connect(url) as connection:
        try:
            with Session(connection, expire_on_commit=False) as session, session.begin():
                yield session
        except DBAPIError as error:
            if dialect_of(connection).fault_of(error) is None:
                raise
            raise explained(error, connection.engine.url) from None

"""One transaction on the results database: all of it is stored, or nothing."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from storage.database.engine import explained, is_of_the_place, open_database


@contextmanager
def transaction(url: str) -> Iterator[Session]:
    """Open the database at ``url``, yield a session, commit when the block ends well.

    Raises `InputError` in one line where the database itself gives up: a full disk, a lost server,
    a locked file, missing rights.
    """
    engine = open_database(url)
    try:
        with Session(engine, expire_on_commit=False) as session, session.begin():
            yield session
    except DBAPIError as error:
        if is_of_the_place(error):
            raise explained(error, engine.url) from None
        raise
    finally:
        engine.dispose()

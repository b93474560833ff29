"""One transaction on the results database: all of it is stored, or nothing."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session

from storage.database.engine import open_database


@contextmanager
def transaction(url: str) -> Iterator[Session]:
    """Open the database at ``url``, yield a session, commit when the block ends well."""
    engine = open_database(url)
    try:
        with Session(engine, expire_on_commit=False) as session, session.begin():
            yield session
    finally:
        engine.dispose()

"""What differs between SQLite and PostgreSQL, function by function."""

from collections.abc import Sequence
from typing import Any, Final, Protocol

from sqlalchemy import URL, Connection, Engine, FromClause
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from storage.database import postgres, sqlite
from storage.database.pair_rows import PairColumns
from storage.errors import InputError


class Dialect(Protocol):
    """The functions that the modules `sqlite` and `postgres` both have."""

    def checked(self, address: URL) -> URL:
        """Return the URL to connect by. Raises `InputError` if it cannot be used."""

    def set_up(self, connection: Any, shown: str) -> None:
        """Set up a driver's new connection to the database that messages call `shown`."""

    def fault_of(self, error: DBAPIError) -> type[InputError] | None:
        """Return what to raise for a fault of disk, server, file or rights, None for any other.

        That is `UnavailableError` if the fault can pass, told by the driver's error codes.
        """

    def take_turn(self, connection: Connection) -> None:
        """Wait until no other transaction that takes its turn is open, on any machine."""

    def begin_upgrade(self, connection: Connection) -> None:
        """Take a turn to create or change tables."""

    def create_more(self, connection: Connection) -> None:
        """Create what belongs to the tables on this database alone."""

    def sides(self) -> FromClause:
        """Select every pair once for each of its images, for the view `pairs_by_image`."""

    def begin_writing(self, connection: Connection) -> None:
        """Wait for whoever attaches pairs before touching any, not in the middle of it."""

    def append_to_part(
        self, connection: Connection, evaluation_id: int, part: int, pairs: PairColumns
    ) -> None:
        """Append pairs to a part of an evaluation, without asking whether they are there."""

    def writers(self) -> int:
        """Return how many parts of an evaluation are best stored at once."""

    def missing_of_part(
        self, connection: Connection, evaluation_id: int, part: int, count: int
    ) -> Sequence[slice]:
        """Return which of a part's pairs to store yet, a slice for each transaction."""

    def store_in_part(
        self, connection: Connection, evaluation_id: int, part: int, pairs: PairColumns
    ) -> None:
        """Store pairs of a part, unless a transaction that ended meanwhile has stored them."""

    def finish_pairs(self, connection: Connection, evaluation_id: int) -> None:
        """Index and check the pairs of an evaluation once all are written."""

    def forget_pairs(self, connection: Connection, evaluation_id: int) -> None:
        """Remove the pairs of an evaluation that is not complete."""

    def empty_pairs(self, connection: Connection, evaluation_id: int) -> None:
        """Remove the pairs of a complete evaluation if that takes no time."""

    def remove_pairs(self, engine: Engine, evaluation_id: int) -> None:
        """Remove whatever `empty_pairs` left, in transactions of its own."""


DIALECTS: Final[dict[str, Dialect]] = {"sqlite": sqlite, "postgresql": postgres}


def dialect_of(database: Connection | Engine | Session) -> Dialect:
    """Return the module for the database that a connection, an engine or a session is of."""
    bind = database.get_bind() if isinstance(database, Session) else database
    return DIALECTS[bind.dialect.name]

"""All of a transaction is stored, or nothing."""

from typing import Any

import pytest
from sqlalchemy import create_engine, text

from storage.database.records import start_run
from storage.database.session import transaction
from tests.storage.conftest import new_run


def stored(url: str) -> list[Any]:
    """Read the runs past the code under test."""
    engine = create_engine(url)
    with engine.connect() as connection:
        sources = list(connection.execute(text("SELECT source FROM runs ORDER BY id")).scalars())
    engine.dispose()
    return sources


def test_a_block_that_ends_well_is_stored(database_url: str) -> None:
    with transaction(database_url) as session:
        start_run(session, new_run(source="first"))
        start_run(session, new_run(source="second"))
    assert stored(database_url) == ["first", "second"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_block_that_raises_leaves_nothing(database_url: str, error: type[BaseException]) -> None:
    with transaction(database_url) as session:
        start_run(session, new_run(source="before"))

    def interrupted() -> None:
        with transaction(database_url) as session:
            start_run(session, new_run(source="lost"))
            raise error("stop")

    with pytest.raises(error, match="stop"):
        interrupted()
    assert stored(database_url) == ["before"]


def test_rows_can_be_read_after_the_transaction(database_url: str) -> None:
    with transaction(database_url) as session:
        run = new_run(source="sample")
        start_run(session, run)
    assert run.source == "sample"
    assert run.status == "running"

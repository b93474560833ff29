"""All of a transaction is stored, or nothing."""

from typing import Any

import pytest
from sqlalchemy import create_engine, text

from storage.database.records import start_run
from storage.database.session import transaction
from storage.database.tables import Run


def new_run(source: str) -> Run:
    return Run(
        flow_name="train-flow",
        source=source,
        preset="demo",
        settings={},
        seed=0,
        device="cpu",
        code_version="0.1.0",
        library_versions={},
        directory="runs/1",
    )


def stored(url: str) -> list[Any]:
    """Read the runs past the code under test."""
    engine = create_engine(url)
    with engine.connect() as connection:
        sources = list(connection.execute(text("SELECT source FROM runs ORDER BY id")).scalars())
    engine.dispose()
    return sources


def test_a_block_that_ends_well_is_stored(database_url: str) -> None:
    with transaction(database_url) as session:
        start_run(session, new_run("first"))
        start_run(session, new_run("second"))
    assert stored(database_url) == ["first", "second"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_block_that_raises_leaves_nothing(database_url: str, error: type[BaseException]) -> None:
    with transaction(database_url) as session:
        start_run(session, new_run("before"))

    def interrupted() -> None:
        with transaction(database_url) as session:
            start_run(session, new_run("lost"))
            raise error("stop")

    with pytest.raises(error, match="stop"):
        interrupted()
    assert stored(database_url) == ["before"]


def test_rows_can_be_read_after_the_transaction(database_url: str) -> None:
    with transaction(database_url) as session:
        run = new_run("sample")
        start_run(session, run)
    assert run.source == "sample"
    assert run.status == "running"

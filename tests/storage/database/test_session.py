"""All of a transaction is stored, or nothing; one engine serves all transactions of a process."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import copyfile, rmtree
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from storage.database.engine import open_database
from storage.database.records import start_run
from storage.database.session import transaction
from tests.storage.conftest import new_run

FORKING = """
import os
import sys

from storage.database.session import transaction
from tests.storage.conftest import new_run

def write(source):
    with transaction(sys.argv[1]) as session:
        session.add(new_run(source=source))

write("parent")
children = []
for number in range(3):
    child = os.fork()
    if child == 0:
        write(f"child {number}")
        os._exit(0)
    children.append(child)
write("parent again")
assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
"""


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


def test_the_transaction_that_creates_an_sqlite_file_enforces_foreign_keys(tmp_path: Path) -> None:
    with transaction(f"sqlite:///{tmp_path / 'results.db'}") as session:
        assert session.execute(text("PRAGMA foreign_keys")).scalar_one() == 1


def test_one_engine_serves_all_transactions_of_a_url(database_url: str) -> None:
    first = open_database(database_url)
    with transaction(database_url) as session:
        assert session.connection().engine is first
    assert open_database(database_url) is first


def test_threads_share_an_engine(database_url: str) -> None:
    def write(number: int) -> None:
        with transaction(database_url) as session:
            start_run(session, new_run(source=f"{number:02}"))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(write, range(24)))
    assert sorted(stored(database_url)) == [f"{number:02}" for number in range(24)]


def test_forked_processes_share_an_engine_and_leave_nothing_open(database_url: str) -> None:
    command = [sys.executable, "-W", "error", "-X", "dev", "-c", FORKING, database_url]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert sorted(stored(database_url)) == [
        *(f"child {number}" for number in range(3)),
        "parent",
        "parent again",
    ]


def test_a_file_that_is_removed_or_replaced_is_seen_by_the_next_transaction(tmp_path: Path) -> None:
    folder = tmp_path / "home"
    url, other = f"sqlite:///{folder / 'results.db'}", f"sqlite:///{tmp_path / 'other.db'}"
    for source, database in (("first", url), ("of another file", other)):
        with transaction(database) as session:
            start_run(session, new_run(source=source))
    rmtree(folder)
    with transaction(url) as session:
        start_run(session, new_run(source="second"))
    assert stored(url) == ["second"]
    copyfile(tmp_path / "other.db", folder / "results.db")
    with transaction(url) as session:
        start_run(session, new_run(source="third"))
    assert stored(url) == ["of another file", "third"]

"""What befalls a server or a file in mid-write: told in a line, redone, the complete whole."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Timer

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import create_engine, text

from storage.database.datasets import image_ids, record_dataset
from storage.database.evaluation_tables import Evaluation
from storage.database.pair_rows import PairColumns
from storage.database.records import (
    complete_evaluation,
    record_model,
    start_evaluation,
    start_run,
)
from storage.database.session import transaction
from storage.database.tables import Model, Run
from storage.errors import InputError, UnavailableError
from tests.postgres import OwnServer, own_server
from tests.storage.conftest import write_pairs

PAIRS = 20_000
PASSWORD = "0pen-sesame"
HOLDER = """
import sqlite3
import sys

connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.readline()
"""


@pytest.fixture(scope="module")
def server() -> Iterator[OwnServer]:
    """A server that nobody else uses."""
    with own_server() as own:
        if own is None:
            pytest.skip("the programs of a PostgreSQL server are not on this machine")
        yield own


def begin(url: str, gallery: pd.DataFrame, run: Run, model: Model) -> int:
    """Record what an evaluation needs, and one evaluation that is complete; returns its image."""
    nothing = pd.DataFrame({"image_name": [], "reason": []})
    with transaction(url) as session:
        dataset = record_dataset(
            session, source="s", content_hash="c", images=gallery, rejected=nothing
        )
        run.dataset_id = dataset
        model.run_id = start_run(session, run)
        record_model(session, model)
        image = next(iter(image_ids(session, dataset).values()))
    write_all(url, image, new_evaluation(url))
    return image


def new_evaluation(url: str) -> int:
    with transaction(url) as session:
        begun = Evaluation(run_id=1, model_id=1, dataset_id=1, split="test")
        return start_evaluation(session, begun)


def pairs_of(image: int, start: int = 0) -> PairColumns:
    index, same = np.arange(start, start + PAIRS), np.full(PAIRS, image)
    return PairColumns(index, same, same, np.ones(PAIRS), None)


def write_all(url: str, image: int, evaluation_id: int) -> None:
    with transaction(url) as session:
        write_pairs(session, evaluation_id, pairs_of(image))
    with transaction(url) as session:
        complete_evaluation(session, evaluation_id, Evaluation(n_pairs=PAIRS))


def write_for_ever(url: str, image: int, evaluation_id: int) -> None:
    """Write until something happens, in one transaction."""
    with transaction(url) as session:
        for start in range(0, 2**31 - PAIRS, PAIRS):
            write_pairs(session, evaluation_id, pairs_of(image, start))


def complete_ones(url: str) -> list[int]:
    """Count the pairs of each complete evaluation, past the code under test."""
    engine = create_engine(url)
    query = (
        "SELECT count(pair_index) FROM evaluations LEFT JOIN pair_predictions"
        " ON evaluation_id = id WHERE status = 'complete' GROUP BY id"
    )
    with engine.connect() as connection:
        counts = list(connection.execute(text(query)).scalars())
    engine.dispose()
    return counts


def test_a_server_that_restarts_in_mid_write_is_one_line_and_the_next_attempt_succeeds(
    server: OwnServer, gallery: pd.DataFrame, run: Run, model: Model
) -> None:
    image = begin(server.url, gallery, run, model)
    stopped = new_evaluation(server.url)
    restart = Timer(0.3, server.restart)
    restart.start()
    try:
        with pytest.raises(UnavailableError) as told:
            write_for_ever(server.url, image, stopped)
    finally:
        restart.join()
    assert "\n" not in str(told.value)
    assert complete_ones(server.url) == [PAIRS]
    write_all(server.url, image, new_evaluation(server.url))
    assert complete_ones(server.url) == [PAIRS, PAIRS]


@pytest.mark.parametrize("given", [":wr0ng-passw0rd", ""])
def test_a_password_that_the_server_refuses_is_one_line_that_does_not_hold_it(
    guarded: OwnServer, gallery: pd.DataFrame, run: Run, model: Model, given: str
) -> None:
    image = begin(guarded.url, gallery, run, model)
    refused = guarded.url.replace(f":{PASSWORD}@", f"{given}@")
    with pytest.raises(InputError) as told, transaction(refused) as session:
        write_pairs(session, 1, pairs_of(image))
    assert not isinstance(told.value, UnavailableError)  # asking again would not help
    words = str(told.value)
    assert "password" in words
    assert "\n" not in words
    assert not any(secret in words for secret in (PASSWORD, "wr0ng-passw0rd"))
    assert complete_ones(guarded.url) == [PAIRS]


@pytest.fixture
def guarded() -> Iterator[OwnServer]:
    """A server that asks for a password."""
    with own_server(PASSWORD) as own:
        if own is None:
            pytest.skip("the programs of a PostgreSQL server are not on this machine")
        yield own


@pytest.fixture
def small_disk(server: OwnServer) -> Iterator[str]:
    """A database whose tables lie on a disk of 24 MB."""
    disk = server.folder / "small"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m,mode=777", "small", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no small disk can be mounted here: it takes the rights of root")
    engine = create_engine(server.url, isolation_level="AUTOCOMMIT")
    try:
        (disk / "tables").mkdir(mode=0o777)
        subprocess.run(["chown", f"{server.user}", str(disk / "tables")], check=True)
        with engine.connect() as connection:
            connection.execute(text(f"CREATE TABLESPACE small LOCATION '{disk / 'tables'}'"))
            connection.execute(text("CREATE DATABASE small TABLESPACE small"))
        yield server.url.removesuffix("postgres") + "small"
    finally:
        with engine.connect() as connection:
            connection.execute(text("DROP DATABASE IF EXISTS small WITH (FORCE)"))
            connection.execute(text("DROP TABLESPACE IF EXISTS small"))
        engine.dispose()
        subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_under_the_server_is_one_line_and_leaves_nothing_of_the_transaction(
    small_disk: str, gallery: pd.DataFrame, run: Run, model: Model
) -> None:
    image = begin(small_disk, gallery, run, model)
    stopped = new_evaluation(small_disk)
    with pytest.raises(InputError, match="No space left on device") as told:
        write_for_ever(small_disk, image, stopped)
    assert "\n" not in str(told.value)
    assert complete_ones(small_disk) == [PAIRS]
    write_all(small_disk, image, new_evaluation(small_disk))  # there is room for what fits
    assert complete_ones(small_disk) == [PAIRS, PAIRS]


def test_a_file_that_another_process_holds_is_one_line_and_writing_goes_on_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gallery: pd.DataFrame, run: Run, model: Model
) -> None:
    url = f"sqlite:///{tmp_path / 'results.db'}"
    image = begin(url, gallery, run, model)
    number = new_evaluation(url)
    with transaction(url) as session:
        write_pairs(session, number, pairs_of(image))
    monkeypatch.setattr("storage.database.sqlite.BUSY_SECONDS", 1)
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "results.db")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "locked\n"
        with (
            pytest.raises(UnavailableError, match=r"results\.db: database is locked") as told,
            transaction(url) as session,
        ):
            write_pairs(session, number, pairs_of(image, PAIRS))
        assert "\n" not in str(told.value)
        assert complete_ones(url) == [PAIRS]
        holder.communicate("\n")
    with transaction(url) as session:
        write_pairs(session, number, pairs_of(image, PAIRS))
        complete_evaluation(session, number, Evaluation(n_pairs=2 * PAIRS))
    assert complete_ones(url) == [PAIRS, 2 * PAIRS]

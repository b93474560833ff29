"""Shards on the workers of a real Dask scheduler, as processes that come and go."""

import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from threading import Thread, current_thread

import numpy as np
import pandas as pd
import pytest
from distributed import Client
from prefect import flow
from sqlalchemy import text

from benchmarks.pair_storage import begin
from flows.shards import AT_ONCE, SCHEDULER, on_shards
from storage.database import pair_rows
from storage.database.evaluation_tables import Evaluation
from storage.database.pair_rows import PairColumns, append_rows
from storage.database.records import complete_evaluation
from storage.database.session import transaction
from storage.errors import InputError
from storage.shards import Shard, shards_of
from storage.workspace import Workspace
from tasks.scoring import Scored, WrittenScores, store_scores
from tasks.support.run import OpenRun
from tasks.support.step import step
from tests.cluster import Cluster, Process, cluster, kill, other_machine
from tests.flows.conftest import Samehand, tiny_settings
from tests.postgres import own_server
from tests.tasks.conftest import open_run_in


@step()
def note_shard(shard: Shard[int], folder: Path, wait: float) -> str:
    """Leave a file named by the shard, and say which process has done it."""
    time.sleep(wait)
    (folder / f"{shard.number}-{os.getpid()}").touch()
    return f"{shard.number}: {sum(shard.items)}"


@step()
def name_thread(shard: Shard[int]) -> str:
    time.sleep(0.3)
    return f"{os.getpid()} {current_thread().name}"


@flow
def thread_names(at_once: int | None) -> list[str]:
    return on_shards(name_thread, shards_of(range(6), 1), at_once)


@step()
def refuse_shard(shard: Shard[int]) -> None:
    raise InputError(f"shard {shard.number} is refused")


@flow
def note_all(count: int, folder: Path, wait: float = 0) -> list[str]:
    return on_shards(note_shard, shards_of(range(2 * count), 2), folder=folder, wait=wait)


@step()
def lose_file(shard: Shard[int]) -> None:
    raise PermissionError(f"shard {shard.number} may not write")


@step()
def store_small(
    run: OpenRun, written: WrittenScores, shard: Shard[int], lost: int, wait: float
) -> None:
    """Store a part of a thousand pairs; one is lost on the way."""
    time.sleep(wait)
    pair_rows.PART = 1_000  # in the worker's process, too
    if shard.items == (lost,):
        raise ValueError(f"part {lost} is lost")
    store_scores.fn(run, written, shard)


@flow
def store_all(run: OpenRun, written: WrittenScores, lost: int = -1, wait: float = 0) -> None:
    given = {"run": run, "written": written, "lost": lost, "wait": wait}
    on_shards(store_small, written.shards, written.writers, **given)


@flow
def refuse_all() -> None:
    on_shards(refuse_shard, shards_of(range(4), 2))


@flow
def lose_all() -> None:
    on_shards(lose_file, shards_of(range(4), 2))


@pytest.fixture(scope="module")
def shared_cluster(
    prefect_server: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """A scheduler and two workers."""
    with cluster(tmp_path_factory.mktemp("dask"), n_workers=2) as made:
        yield made


@pytest.fixture
def workers(shared_cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> list[Process]:
    """The two workers of the scheduler that the environment names."""
    monkeypatch.setenv(SCHEDULER, shared_cluster.address)
    shared_cluster.complete(2)
    return shared_cluster.workers


def test_results_are_in_the_shards_order_and_come_from_all_workers(
    workers: list[Process], tmp_path: Path
) -> None:
    folder, count = tmp_path / "done", AT_ONCE + 3  # more than are in flight at once
    folder.mkdir()
    assert note_all(count, folder) == [f"{n}: {4 * n - 3}" for n in range(1, count + 1)]
    done = [path.name.split("-") for path in folder.iterdir()]
    assert sorted(int(number) for number, _ in done) == list(range(1, count + 1))
    by = {pid for _, pid in done}
    assert len(by) == 2
    assert str(os.getpid()) not in by


def test_without_a_cluster_as_many_threads_do_the_shards_as_are_asked_for(
    prefect_server: None, caplog: pytest.LogCaptureFixture
) -> None:
    for at_once, expected in ((3, 3), (1, 1), (None, 1)):
        assert len(set(thread_names(at_once))) == expected
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_what_one_process_must_do_is_done_here(workers: list[Process]) -> None:
    assert set(thread_names(1)) == {f"{os.getpid()} MainThread"}


def test_a_fault_in_a_shard_is_the_flows(workers: list[Process]) -> None:
    with pytest.raises(InputError, match="shard 1 is refused"):
        refuse_all()
    with pytest.raises(PermissionError, match="shard 1 may not write"):
        lose_all()  # an OSError, but not that of a missing scheduler


def test_without_a_scheduler_one_line_says_so(
    prefect_server: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SCHEDULER, "tcp://127.0.0.1:9")
    with pytest.raises(InputError, match=r"SAMEHAND_DASK=tcp://127\.0\.0\.1:9: no Dask scheduler"):
        note_all(2, tmp_path)


def test_workers_on_other_machines_need_a_server_that_they_reach(
    prefect_server: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        other_machine() as other,
        cluster(tmp_path / "dask", host=other.reaches if other else "127.0.0.1") as machines,
    ):
        if other is None:
            pytest.skip("this user may not make network namespaces, or there is no `ip`")
        machines.start_worker(dict(os.environ), *other.before)
        monkeypatch.setenv(SCHEDULER, machines.address)
        with Client(machines.address, timeout=60) as client:  # type: ignore[no-untyped-call]
            client.wait_for_workers(1, timeout=60)
        away = r"its worker tcp://198\.18\.77\.2:\d+ cannot reach Prefect's server at http://127\."
        with pytest.raises(InputError, match=away):
            note_all(3, tmp_path)


def test_crops_of_several_workers_are_the_same_to_the_byte(
    workers: list[Process],
    samehand: Samehand,
    paintings: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tasks.prepare.SHARD", 13)
    made: list[dict[str, bytes]] = []
    for home, address in (("together", os.environ[SCHEDULER]), ("alone", "")):
        monkeypatch.setenv("SAMEHAND_HOME", str(tmp_path / home))
        monkeypatch.setenv(SCHEDULER, address)
        result = samehand("prepare", str(paintings), *tiny_settings())
        assert result.exit_code == 0, result.output
        (crops,) = (tmp_path / home).rglob("crops.zip")
        made.append(
            {path.name: path.read_bytes() for path in crops.parent.iterdir() if path.is_file()}
        )
    assert set(made[0]) >= {"catalog.csv", "crops.zip", "pixels.npy", "rejected.csv"}
    assert made[0] == made[1]


def test_scores_stored_by_several_workers_are_in_one_evaluation_once(
    workers: list[Process], postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, run = written_scores(postgres_url, tmp_path, monkeypatch)
    with pytest.raises(ValueError, match="part 4 is lost"):
        store_all(run, written, 4)
    store_all(run, written)  # again: what is stored is not stored twice
    evaluation_id = written.scored.evaluation_id
    with transaction(postgres_url) as session:
        assert session.scalar(text("SELECT count(*) FROM pair_results")) == 0  # visible as a whole
        complete_evaluation(session, evaluation_id, Evaluation(n_pairs=written.scored.n_pairs))
    with transaction(postgres_url) as session:
        assert session.scalar(text("SELECT count(*) FROM pair_results")) == 9_000
    assert stored_pairs(postgres_url) == [(n, n / 4) for n in range(9_000)]


def during_work(folder: Path, happen: Callable[[], None]) -> list[str]:
    """Do twelve shards, and let something happen once four have begun."""
    folder.mkdir()

    def wait_for_four() -> None:
        while len(list(folder.iterdir())) < 4:
            time.sleep(0.05)
        happen()

    other = Thread(target=wait_for_four)
    other.start()
    done = note_all(12, folder, wait=0.2)
    other.join()
    assert {int(path.name.split("-")[0]) for path in folder.iterdir()} == set(range(1, 13))
    return done


ALL = [f"{n}: {4 * n - 3}" for n in range(1, 13)]


def test_a_killed_workers_shards_are_done_by_another(
    workers: list[Process], tmp_path: Path
) -> None:
    assert during_work(tmp_path / "done", lambda: kill(workers[0])) == ALL


def test_a_hanging_workers_shards_are_done_by_another(
    workers: list[Process], tmp_path: Path
) -> None:
    stop = partial(os.killpg, workers[0].pid, signal.SIGSTOP)
    try:
        assert during_work(tmp_path / "done", stop) == ALL
    finally:
        kill(workers[0])


def test_a_lost_schedulers_shards_are_done_when_it_is_back(
    workers: list[Process], shared_cluster: Cluster, tmp_path: Path
) -> None:
    assert during_work(tmp_path / "done", shared_cluster.restart) == ALL


def test_scores_are_stored_once_though_the_database_restarts(
    workers: list[Process], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with own_server() as server:
        if server is None:
            pytest.skip("PostgreSQL's programs are not on this machine")
        written, run = written_scores(server.url, tmp_path, monkeypatch)

        def restart() -> None:
            while not stored_pairs(server.url):
                time.sleep(0.05)
            server.restart()

        other = Thread(target=restart)
        other.start()
        store_all(run, written, wait=0.5)
        other.join()
        with transaction(server.url) as session:
            found = Evaluation(n_pairs=written.scored.n_pairs)
            complete_evaluation(session, written.scored.evaluation_id, found)
        assert stored_pairs(server.url) == [(n, n / 4) for n in range(9_000)]


def stored_pairs(url: str) -> list[tuple[int, float]]:
    """The pairs of all evaluations, complete or not."""
    with transaction(url) as session:
        question = "SELECT pair_index, distance FROM pair_predictions ORDER BY 1"
        return [tuple(row) for row in session.execute(text(question))]


def written_scores(
    url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[WrittenScores, OpenRun]:
    """Nine parts of a thousand scores in a file, in any order."""
    images = pd.DataFrame({"image_name": ["a", "b"], "artist_name": ["x", "y"], "split": "test"})
    with transaction(url) as session:
        evaluation_id, ids = begin(session, images, "scored", None)
    monkeypatch.setattr("storage.database.pair_rows.PART", 1_000)
    index = np.random.default_rng(0).permutation(9_000)
    first, second = (np.full(len(index), ids[name]) for name in ("a", "b"))
    with (folder / "scores.rows").open("wb") as file:
        append_rows(file, PairColumns(index, first, second, index / 4, None))
    scored = Scored(evaluation_id, folder / "out.csv", 2, len(index), 0, 0)
    written = WrittenScores(scored, folder / "scores.rows", shards_of(range(9), 1), 2)
    return written, open_run_in(Workspace(folder, url))

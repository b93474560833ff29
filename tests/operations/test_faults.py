"""Whatever is killed: nothing is lost, both databases tell the truth again, and runs go on."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from storage.locks import try_lock
from tests.operations.conftest import Site, kill_group, tiny, wait_for

LONG = tiny(epochs=400)


@pytest.fixture
def training(site: Site, paintings: Path) -> Iterator[str]:
    """A training run that would take minutes, with two epochs done."""
    site.ensure_up()
    run = site.run("train-flow", source=str(paintings), settings=LONG)
    site.wait_for_epoch(run, 2)
    yield run
    for pid in site.engines(run):
        kill_group(pid)


def test_a_cancelled_run_ends_at_once_and_leaves_nothing_half_made(
    site: Site, training: str
) -> None:
    done = site.prefect("flow-run", "cancel", training)
    assert done.returncode == 0, done.stdout + done.stderr
    took = wait_for(lambda: site.state(training) == "CANCELLED", "it is cancelled", 30)
    took += wait_for(lambda: site.status(training) == "cancelled", "runs say so", 30 - took)
    wait_for(lambda: not site.engines(training), "its process is gone", 30 - took)
    assert list(site.home.rglob("*.partial")) == []
    (folder,) = site.sql("SELECT directory FROM runs WHERE prefect_flow_run_id = ?", training)
    with try_lock(site.home / folder[0] / "run.lock") as is_free:
        assert is_free


def test_a_killed_process_crashes_its_run_which_goes_on_when_retried(
    site: Site, training: str
) -> None:
    for pid in site.engines(training):
        kill_group(pid)
    wait_for_crash(site, training, 60)
    goes_on_when_retried(site, training)


def test_a_killed_worker_crashes_its_runs_which_go_on_when_retried(
    site: Site, training: str
) -> None:
    site.kill("worker")
    wait_for_crash(site, training, 60)
    site.start_worker()
    goes_on_when_retried(site, training)


def test_a_run_outlives_a_restart_of_the_server(site: Site, training: str) -> None:
    site.kill("server")
    seen = site.epochs(training)
    site.start_server()
    site.wait_for_epoch(training, seen + 2)
    assert site.state(training) == "RUNNING"


def test_what_died_with_its_worker_is_found_by_the_automation_and_at_the_next_start(
    site: Site, training: str, paintings: Path
) -> None:
    kill_all(site, training)
    wait_for(lambda: site.state(training) == "CRASHED", "the automation has seen it", 200)
    assert site.status(training) == "running"
    site.start_worker()
    start_another(site, paintings)
    assert site.status(training) == "crashed"


def test_what_died_with_its_worker_is_found_at_the_next_start_alone(
    site: Site, training: str, paintings: Path
) -> None:
    kill_all(site, training)
    assert site.state(training) == "RUNNING"
    site.start_worker()
    start_another(site, paintings)
    assert site.state(training) == "CRASHED"
    assert site.status(training) == "crashed"


def test_two_runs_take_turns_on_the_device_while_others_prepare(
    site: Site, training: str, paintings: Path
) -> None:
    other = site.run("train-flow", source=str(paintings), settings=LONG)
    site.wait_for_epoch(other, 2)
    start_another(site, paintings)
    assert site.state(training) == site.state(other) == "RUNNING"
    for run in (training, other):
        site.cancel(run)
    trained = sorted(epochs_in_prefect(site, training, other))
    assert {run for *_, run in trained} == {training, other}
    assert all(end <= start for (_, end, _), (start, *_) in pairwise(trained))


def wait_for_crash(site: Site, run: str, seconds: float) -> None:
    took = wait_for(lambda: site.state(run) == "CRASHED", "it crashed", seconds)
    wait_for(lambda: site.status(run) == "crashed", "runs say so", seconds - took)


def goes_on_when_retried(site: Site, run: str) -> None:
    question = (
        "SELECT epoch, train_loss, seconds FROM epochs JOIN runs ON runs.id = run_id"
        " WHERE prefect_flow_run_id = ? ORDER BY epoch"
    )
    before = site.sql(question, run)
    done = site.prefect("flow-run", "retry", run)
    assert done.returncode == 0, done.stdout + done.stderr
    site.wait_for_epoch(run, len(before) + 2)
    assert site.sql(question, run)[: len(before)] == before
    assert site.status(run) == "running"


def kill_all(site: Site, run: str) -> None:
    """Kill the worker and, before it notices, the process of a run."""
    engines = site.engines(run)
    site.kill("worker")
    for pid in engines:
        kill_group(pid)


def start_another(site: Site, paintings: Path) -> None:
    run = site.run("prepare-flow", source=str(paintings), settings=tiny(), catalog_only=True)
    site.wait_until(run, "COMPLETED")


def epochs_in_prefect(site: Site, *runs: str) -> list[tuple[Any, ...]]:
    body = {
        "flow_runs": {"id": {"any_": list(runs)}},
        "task_runs": {
            "name": {"like_": "train-epoch-"},
            "state": {"type": {"any_": ["COMPLETED"]}},
        },
    }
    found = site.ask("task_runs/filter", body)
    return [(run["start_time"], run["end_time"], run["flow_run_id"]) for run in found]

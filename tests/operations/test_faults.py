"""Kill a server, a worker or a run: nothing is lost, both databases are true again, runs go on.

`make faults` runs the whole campaign and writes how long everything took.
"""

import asyncio
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from flows.deployment import watch_for_silence
from storage.locks import try_lock
from tests.operations.conftest import Outcome, Site, kill_group, push_step, tiny, wait_for

LONG = tiny(epochs=400)
SECONDS = 240  # to wait at the most; how long it took stands in the table
SILENCE = 10  # seconds, the fewest that Prefect allows; as deployed it is 100
GOES_ON = "a retry continues after the last epoch"


@pytest.fixture
def training(site: Site, paintings: Path) -> str:
    """A training run that would take minutes, with two epochs done or more.

    One that an earlier test has left running serves again: a start takes long.
    """
    site.ensure_up()
    running = {
        "flow_runs": {"state": {"type": {"any_": ["RUNNING"]}}},
        "deployments": {"name": {"any_": ["train-flow"]}},
    }
    runs = [run["id"] for run in site.ask("flow_runs/filter", running)]
    run = str(runs[0]) if runs else site.run("train-flow", source=str(paintings), settings=LONG)
    site.wait_for_epoch(run, 2)
    return run


def test_a_run_continues_without_the_server_and_reappears_when_it_is_back(
    site: Site, training: str, outcomes: list[Outcome]
) -> None:
    lease = take_lease(site)
    site.kill("server")
    seen = site.epochs(training)
    wait_for(lambda: site.epochs(training) >= seen + 2, "two epochs without it", SECONDS)
    start = time.monotonic()
    site.start_server()
    shown = artifacts(site, training)
    wait_for(lambda: artifacts(site, training) > shown, "its curve is shown again", SECONDS)
    took = time.monotonic() - start
    assert site.state(training) == "RUNNING"
    renew = httpx.post(f"{site.api}/v2/concurrency_limits/leases/{lease}/renew", json={})
    assert renew.is_success  # where it fails, Prefect ends runs of deployments with a limit
    missed = "its server does not answer"
    log = site.log("worker")
    # Once an epoch, and once for that which was recorded just before the server was killed.
    assert 1 <= log.count(missed) <= site.epochs(training) - seen + 1
    killed = "`kill -9` of the server, started again two epochs later"
    outcomes.append(Outcome(killed, "the run continues, and the UI shows it again", took))


def test_a_run_whose_process_is_killed_crashes_and_continues_when_retried(
    site: Site, training: str, outcomes: list[Outcome]
) -> None:
    reported = site.reported_kills()
    for pid in site.engines(training):
        kill_group(pid)
    took = wait_for_crash(site, training)
    wait_for(lambda: site.reported_kills() > reported, "the worker is done with it", SECONDS)
    goes_on_when_retried(site, training)
    outcomes.append(Outcome("`kill -9` of the run's process", f"Crashed; {GOES_ON}", took))


def test_a_run_continues_without_its_worker_and_the_next_start_notices_its_death(
    site: Site, training: str, paintings: Path, outcomes: list[Outcome]
) -> None:
    site.kill("worker")
    seen = site.epochs(training)
    took = wait_for(lambda: site.epochs(training) >= seen + 2, "two epochs without it", SECONDS)
    assert site.state(training) == "RUNNING"
    outcomes.append(Outcome("`kill -9` of the worker", "its runs go on to their end", took))
    for pid in site.engines(training):
        kill_group(pid)
    assert site.state(training) == "RUNNING"  # nobody is left to report it
    site.start_worker()
    site.run("prepare-flow", source=str(paintings), settings=tiny())
    took = wait_for_crash(site, training)
    goes_on_when_retried(site, training)
    then = "Crashed, noticed by the next run that started"
    outcomes.append(Outcome("worker and process, one after the other", then, took))


def test_two_runs_take_turns_on_the_device_while_others_prepare(
    site: Site, training: str, paintings: Path
) -> None:
    other, third = (site.run("train-flow", source=str(paintings), settings=LONG) for _ in range(2))
    prepare = site.run("prepare-flow", source=str(paintings), settings=tiny())
    site.wait_for_epoch(other, 2)
    site.wait_until(prepare, "COMPLETED")
    assert site.state(training) == site.state(other) == "RUNNING"
    assert site.state(third) == "SCHEDULED"  # two go on at once
    site.cancel(other, third)
    trained = sorted(epochs_in_prefect(site, training, other))
    assert {run for *_, run in trained} == {training, other}
    assert all(end <= start for (_, end, _), (start, *_) in pairwise(trained))


def test_a_cancelled_run_ends_and_leaves_no_partial_files(
    site: Site, training: str, outcomes: list[Outcome]
) -> None:
    done = site.prefect("flow-run", "cancel", training)
    assert done.returncode == 0, done.stdout + done.stderr
    took = wait_for(lambda: site.state(training) == "CANCELLED", "it is cancelled", SECONDS)
    took += wait_for(lambda: site.status(training) == "cancelled", "runs say so", SECONDS)
    took += wait_for(lambda: not site.engines(training), "its process is gone", SECONDS)
    assert list(site.home.rglob("*.partial")) == []
    (folder,) = site.sql("SELECT directory FROM runs WHERE prefect_flow_run_id = ?", training)
    with try_lock(site.home / folder[0] / "run.lock") as is_free:
        assert is_free
    outcomes.append(
        Outcome("nothing, but run cancelled", "Cancelled; no partial files remain", took)
    )


def test_the_automation_and_the_next_start_notice_a_dead_run(
    site: Site, training: str, paintings: Path
) -> None:
    heartbeat = site.last_event(training, "prefect.flow-run.heartbeat")
    kill_all(site, training)
    assert site.state(training) == "RUNNING"
    with site.here():
        asyncio.run(watch_for_silence(SILENCE))
        site.emit(heartbeat)  # its last one, counted from now
        wait_for(lambda: site.state(training) == "CRASHED", "the automation noticed", SECONDS)
        asyncio.run(watch_for_silence(push_step("flows.deployment.watch_for_silence")["seconds"]))
    assert site.status(training) == "running"  # Prefect's server knows nothing of our database
    site.start_worker()
    site.run("prepare-flow", source=str(paintings), settings=tiny())
    wait_for(lambda: site.status(training) == "crashed", "the next start noticed", SECONDS)


@pytest.mark.campaign
def test_the_automation_notices_a_run_that_died_with_its_worker(
    site: Site, training: str, outcomes: list[Outcome]
) -> None:
    kill_all(site, training)
    took = wait_for(lambda: site.state(training) == "CRASHED", "it is seen", SECONDS)
    assert site.status(training) == "running"
    killed = "worker and process at once, no other run started"
    then = "Crashed in Prefect, noticed by the automation; in `runs` at the next start"
    outcomes.append(Outcome(killed, then, took))


def take_lease(site: Site) -> str:
    """A slot of a limit, lent as it is to a run whose deployment has one."""
    site.ask("v2/concurrency_limits/", {"name": "some", "limit": 1})
    body = {"names": ["some"], "slots": 1}
    return str(site.ask("v2/concurrency_limits/increment-with-lease", body)["lease_id"])


def artifacts(site: Site, run: str) -> int:
    return len(site.ask("artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [run]}}}))


def wait_for_crash(site: Site, run: str) -> float:
    took = wait_for(lambda: site.state(run) == "CRASHED", "it crashed", SECONDS)
    return took + wait_for(lambda: site.status(run) == "crashed", "runs say so", SECONDS)


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


def epochs_in_prefect(site: Site, *runs: str) -> list[tuple[Any, ...]]:
    body = {
        "flow_runs": {"id": {"any_": list(runs)}},
        "task_runs": {
            "name": {"like_": "train epoch "},
            "state": {"type": {"any_": ["COMPLETED"]}},
        },
    }
    found = site.ask("task_runs/filter", body)
    return [(run["start_time"], run["end_time"], run["flow_run_id"]) for run in found]

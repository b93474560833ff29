"""What becomes of runs that end without saying so, and of those that only seem to have ended."""

from pathlib import Path
from uuid import uuid4

import pytest

from storage.database.results import find_run
from storage.database.session import transaction
from storage.locks import try_lock
from storage.workspace import Workspace
from tasks.records import OpenRun, RunStart, end_run_of_flow, mark_running, open_run


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path, f"sqlite:///{tmp_path / 'results.db'}")


def begin(space: Workspace, flow_run: str) -> OpenRun:
    """A run as its flow begins it."""
    start = RunStart("train-flow", flow_run, "sample", "demo", {}, 0, "cpu", "0", {})
    return open_run.fn(start, space)


def status(run: OpenRun, space: Workspace) -> str:
    with transaction(space.database_url) as session:
        return find_run(session, run.id).status


def test_a_second_process_that_is_refused_leaves_the_run_going_on(space: Workspace) -> None:
    flow_run = str(uuid4())
    run = begin(space, flow_run)
    mark_running.fn(run, flow_run, space)
    with try_lock(run.folder.lock):
        end_run_of_flow(flow_run, "failed", "run 1 is going on in another process", space)
        assert status(run, space) == "running"
    end_run_of_flow(flow_run, "failed", "it ended", space)
    assert status(run, space) == "failed"

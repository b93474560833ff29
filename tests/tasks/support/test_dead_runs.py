"""What becomes of runs that end without saying so, and of those that only seem to have ended."""

import os
import time
from pathlib import Path
from uuid import uuid4

import pytest
from prefect import flow
from prefect.runtime import flow_run as current_flow_run

from storage.database.results import find_run
from storage.database.session import transaction
from storage.datasets.dataset import Dataset
from storage.files import replacing
from storage.locks import try_lock
from storage.run_folder import RESUMABLE
from storage.workspace import Workspace
from tasks.runs import NewRun, begin_run, end_run_of_flow, mark_running
from tasks.settings import Settings
from tasks.support.dead_runs import end_dead_runs
from tasks.support.run import OpenRun


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path, f"sqlite:///{tmp_path / 'results.db'}")


def begin(space: Workspace, flow_run: str) -> OpenRun:
    """A run as its flow begins it."""
    return begin_run.fn(NewRun("sample", "demo", Settings()), "train-flow", flow_run, space)


def sweep(space: Workspace) -> None:
    """What the next start of any run does."""
    flow(end_dead_runs.fn)(space)


def status(run: OpenRun, space: Workspace) -> str:
    with transaction(space.database_url) as session:
        return find_run(session, run.id).status


def test_a_second_process_that_is_refused_leaves_the_run_going_on(space: Workspace) -> None:
    flow_run = str(uuid4())
    run = begin(space, flow_run)
    mark_running.fn(run, flow_run)
    with try_lock(run.folder.lock):
        end_run_of_flow(flow_run, "failed", "run 1 is going on in another process", space)
        assert status(run, space) == "running"
    end_run_of_flow(flow_run, "failed", "it ended", space)
    assert status(run, space) == "failed"


def test_a_run_killed_before_it_held_its_lock_has_crashed(space: Workspace) -> None:
    assert status(begin(space, str(uuid4())), space) == "crashed"


def test_a_run_that_goes_on_removes_what_its_killed_process_left(space: Workspace) -> None:
    run = begin(space, str(uuid4()))
    half = run.folder.directory / "checkpoints" / ".epoch-001.onnx.12ab.partial"
    half.parent.mkdir()
    half.write_bytes(b"half")
    mark_running.fn(run, str(uuid4()))
    assert not half.exists()
    assert half.parent.exists()


def test_a_running_run_whose_lock_file_is_gone_has_crashed_unless_prefect_knows_better(
    prefect_server: None, space: Workspace
) -> None:
    @flow
    def run_elsewhere() -> tuple[OpenRun, OpenRun]:
        ours = str(current_flow_run.id)
        alive, dead = begin(space, ours), begin(space, str(uuid4()))
        mark_running.fn(alive, ours)
        mark_running.fn(dead, str(uuid4()))
        sweep(space)
        assert (status(alive, space), status(dead, space)) == ("running", "crashed")
        return alive, dead

    alive, _ = run_elsewhere()
    sweep(space)
    assert status(alive, space) == "crashed"


def test_a_run_of_another_workspace_is_left_alone_unless_prefect_saw_it_end(
    prefect_server: None, space: Workspace, tmp_path: Path
) -> None:
    """Two workspaces on one results database; each may have a Prefect server of its own."""

    @flow
    def end_at_once() -> str:
        return str(current_flow_run.id)

    elsewhere, ended = Workspace(tmp_path / "elsewhere", space.database_url), end_at_once()
    unknown, known = begin(elsewhere, str(uuid4())), begin(elsewhere, ended)
    for run, flow_run in ((unknown, str(uuid4())), (known, ended)):
        mark_running.fn(run, flow_run)
    sweep(space)
    assert (status(unknown, space), status(known, space)) == ("running", "crashed")
    sweep(elsewhere)
    assert status(unknown, space) == "crashed"


def test_a_workspace_keeps_its_identity_where_it_is_moved(space: Workspace, tmp_path: Path) -> None:
    inside = Workspace(tmp_path / "inside", space.database_url)
    made = inside.identity()
    assert made != space.identity()
    moved = inside.home.rename(tmp_path / "moved")
    assert Workspace(moved, space.database_url).identity() == made


def test_what_killed_runs_left_of_datasets_goes_unless_a_run_makes_it_or_can_go_on(
    prefect_server: None, space: Workspace
) -> None:
    made, left, old = (Dataset(space.datasets / name) for name in ("made", "left", "old"))
    for dataset in (made, left, old):
        staged = dataset.directory / "crops.zip.partial" / "crop.jpg"
        for file in (staged, half_written(dataset.crops), half_written(staged)):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
    then = time.time() - RESUMABLE.total_seconds() - 60
    for path in (*old.directory.iterdir(), old.directory):
        os.utime(path, (then, then))
    with try_lock(made.lock):
        sweep(space)
    assert len(files_of(made)) == 3
    assert files_of(left) == ["crop.jpg"]
    assert not old.directory.exists()


def files_of(dataset: Dataset) -> list[str]:
    files = [path for path in dataset.directory.rglob("*") if path.is_file()]
    return [path.name for path in files if path != dataset.lock]


def half_written(target: Path) -> Path:
    """The file that a process killed while writing `target` leaves."""
    with replacing(target) as partial:
        partial.touch()
    target.unlink()
    return partial

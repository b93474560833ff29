"""Dead runs: those whose process was killed before it could record how it ended."""

from pathlib import Path
from typing import Any, Literal

from prefect import get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Crashed

from storage.database import records, results
from storage.database.session import transaction
from storage.database.tables import Run
from storage.datasets.leftovers import remove_leftovers
from storage.files import remove_partials
from storage.run_folder import RunFolder
from storage.workspace import Workspace
from tasks.support.flow_runs import set_state, state_of
from tasks.support.step import step

REASON = "The process of this run is gone."


@step()
def end_dead_runs(space: Workspace) -> None:
    """Make the state of killed runs true again: in the results database, in Prefect, on disk.

    A run lives as long as its lock is held. The lock of a run of another workspace cannot be seen
    here: that run is dead only if it has ended in Prefect.
    """
    with transaction(space.database_url) as session:
        running = results.running_runs(session)
    ours = space.identity()
    for run in running:
        if run.workspace not in (None, ours):
            if _has_ended_in_prefect(run):
                _end(run, space)
        elif _may_be_dead(run, lock := RunFolder(space.home / run.directory).lock, space):
            with space.try_lock(lock) as is_dead:
                if is_dead:
                    _end(run, space)
                    remove_partials(space.home / run.directory)
    remove_leftovers(space)


def _may_be_dead(run: Run, lock: Path, space: Workspace) -> bool:
    """Return False if its folder was removed while it goes on."""
    return not space.has_file_locks or lock.exists() or _has_ended_in_prefect(run) is not False


def _end(run: Run, space: Workspace) -> None:
    """End a run whose process is gone, unless it ended itself a moment ago."""
    with transaction(space.database_url) as session:
        if session.get_one(Run, run.id).status != "running":
            return
    status = _end_in_prefect(run)
    with transaction(space.database_url) as session:
        records.finish_run(session, run.id, status, REASON)
    get_run_logger().warning("Run %d had died: %s", run.id, status)


def _end_in_prefect(run: Run) -> Literal["cancelled", "crashed"]:
    """End a flow run that Prefect believes to be running; its state tells how it ended."""
    state = _state_in_prefect(run)
    if run.prefect_flow_run_id is None or state is None:
        return "crashed"
    is_cancelled = state.is_cancelling() or state.is_cancelled()
    if state.is_running() or state.is_cancelling():
        end = Cancelled if is_cancelled else Crashed
        set_state(run.prefect_flow_run_id, end(message=REASON))
    return "cancelled" if is_cancelled else "crashed"


def _has_ended_in_prefect(run: Run) -> bool | None:
    """Return None if this server does not know the flow run."""
    state = _state_in_prefect(run)
    return None if state is None else state.is_final()


def _state_in_prefect(run: Run) -> State[Any] | None:
    return None if run.prefect_flow_run_id is None else state_of(run.prefect_flow_run_id)

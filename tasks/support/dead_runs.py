"""The dead: runs whose process was killed before it could say how it ended."""

from typing import Any, Literal
from uuid import UUID

from prefect import get_run_logger
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled, Crashed

from storage.database import records, results
from storage.database.session import transaction
from storage.database.tables import Run
from storage.datasets.leftovers import remove_leftovers
from storage.files import remove_partials
from storage.locks import try_lock
from storage.run_folder import RunFolder
from storage.workspace import Workspace
from tasks.support.step import step

REASON = "The process of this run is gone."


@step()
def end_dead_runs(space: Workspace) -> None:
    """Make the state of killed runs true again: in the results database, in Prefect, on disk.

    A run lives as long as its lock is held. One without a lock file goes on in another workspace
    if it does in Prefect.
    """
    with transaction(space.database_url) as session:
        running = results.running_runs(session)
    for run in running:
        lock = RunFolder(space.home / run.directory).lock
        if lock.exists() or not _goes_on_in_prefect(run.prefect_flow_run_id):
            with try_lock(lock) as is_dead:
                if is_dead:
                    _end(run, space)
    remove_leftovers(space.datasets)


def _end(run: Run, space: Workspace) -> None:
    """End a run whose process is gone, unless it ended itself a moment ago."""
    with transaction(space.database_url) as session:
        if session.get_one(Run, run.id).status != "running":
            return
    status = _end_in_prefect(run.prefect_flow_run_id)
    with transaction(space.database_url) as session:
        records.finish_run(session, run.id, status, REASON)
    remove_partials(space.home / run.directory)
    get_run_logger().warning("Run %d had died: %s", run.id, status)


def _end_in_prefect(flow_run_id: str | None) -> Literal["cancelled", "crashed"]:
    """End a flow run that Prefect holds to be going on; returns how it ended, told by its state."""
    if flow_run_id is None or (state := _state_in_prefect(flow_run_id)) is None:
        return "crashed"
    is_cancelled = state.is_cancelling() or state.is_cancelled()
    if state.is_running() or state.is_cancelling():
        end = Cancelled if is_cancelled else Crashed
        with get_client(sync_client=True) as client:
            client.set_flow_run_state(UUID(flow_run_id), end(message=REASON), force=True)
    return "cancelled" if is_cancelled else "crashed"


def _goes_on_in_prefect(flow_run_id: str | None) -> bool:
    state = None if flow_run_id is None else _state_in_prefect(flow_run_id)
    return state is not None and not state.is_final()


def _state_in_prefect(flow_run_id: str) -> State[Any] | None:
    """None where Prefect does not know the flow run: another server's, or deleted there."""
    with get_client(sync_client=True) as client:
        try:
            return client.read_flow_run(UUID(flow_run_id)).state
        except ObjectNotFound:
            return None

"""The dead: runs whose process was killed before it could say how it ended."""

from typing import Literal
from uuid import UUID

from prefect import get_run_logger
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled, Crashed

from storage.database import records, results
from storage.database.session import transaction
from storage.files import remove_partials
from storage.locks import try_lock
from storage.run_folder import RunFolder
from storage.workspace import Workspace
from tasks.step import step

REASON = "The process of this run is gone."


@step()
def end_dead_runs(space: Workspace) -> None:
    """Make the state of killed runs true again: in the results database, in Prefect, on disk.

    A run lives as long as its lock is held. One without a lock file here belongs to another
    machine's workspace.
    """
    with transaction(space.database_url) as session:
        for row in results.running_runs(session):
            folder = RunFolder(space.home / row.directory)
            if not folder.lock.exists():
                continue
            with try_lock(folder.lock) as is_dead:
                if is_dead:
                    status = _end_in_prefect(row.prefect_flow_run_id)
                    records.finish_run(session, row.id, status, REASON)
                    remove_partials(folder.directory)
                    get_run_logger().warning("Run %d had died: %s", row.id, status)


def _end_in_prefect(flow_run_id: str | None) -> Literal["cancelled", "crashed"]:
    """End a flow run that Prefect holds to be going on; returns how it ended, told by its state."""
    if flow_run_id is None:
        return "crashed"
    with get_client(sync_client=True) as client:
        try:
            state = client.read_flow_run(UUID(flow_run_id)).state
        except ObjectNotFound:  # another server's, or deleted there
            return "crashed"
        is_cancelled = state is not None and (state.is_cancelling() or state.is_cancelled())
        if state is not None and (state.is_running() or state.is_cancelling()):
            end = Cancelled if is_cancelled else Crashed
            client.set_flow_run_state(UUID(flow_run_id), end(message=REASON), force=True)
        return "cancelled" if is_cancelled else "crashed"

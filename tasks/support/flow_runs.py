"""Flow runs as Prefect's server knows them: their names and states."""

from typing import Any
from uuid import UUID

from prefect import get_client
from prefect.client.schemas.objects import State, StateType
from prefect.exceptions import ObjectNotFound
from prefect.runtime import flow_run

from tasks.support.artifacts import if_server_answers


def name_flow_run(name: str) -> None:
    """Name the current flow run by what is known only after it has begun."""
    with if_server_answers(), get_client(sync_client=True) as client:
        client.update_flow_run(flow_run.id, name=name)


def state_of(flow_run_id: str) -> State[Any] | None:
    """Return the state of a flow run; None if this server does not know it."""
    with get_client(sync_client=True) as client:
        try:
            return client.read_flow_run(UUID(flow_run_id)).state
        except ObjectNotFound:
            return None


def set_state(flow_run_id: str, state: State[Any]) -> None:
    """Put a flow run into a state, whatever it was in."""
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(UUID(flow_run_id), state, force=True)


def say_who_took_over(former: str, run_id: int) -> None:
    """Have a former flow run of a run say that the current one goes on with it.

    One that counts as going on has died: only its lock tells, and that is ours now.
    """
    with if_server_answers():
        state = state_of(former)
        if state is not None:
            told = f"Run {run_id} went on as flow run {flow_run.name} ({flow_run.id})."
            kind, name = (state.type, state.name) if state.is_final() else (StateType.CRASHED, None)
            set_state(former, State(type=kind, name=name, message=told))

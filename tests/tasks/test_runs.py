"""A run that another flow run goes on with: both databases say so, and it is not begun twice."""

from pathlib import Path
from uuid import UUID, uuid4

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.runtime import flow_run as current_flow_run
from prefect.states import Cancelled
from sqlalchemy import select

from storage.database.session import transaction
from storage.database.tables import Run, RunProcess
from storage.errors import InputError
from storage.workspace import Workspace
from tasks.runs import NewRun, begin_run, mark_running
from tasks.settings import Settings
from tasks.support.flow_runs import say_who_took_over, set_state
from tasks.support.run import OpenRun
from tests.tasks.conftest import workspace_in


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    return workspace_in(tmp_path)


def begin(space: Workspace, flow_run: str, settings: Settings | None = None) -> OpenRun:
    return begin_run.fn(NewRun("s", "demo", settings or Settings()), "train-flow", flow_run, space)


def test_every_process_that_works_on_a_run_is_recorded(space: Workspace) -> None:
    first, second = str(uuid4()), str(uuid4())
    run = begin(space, first, Settings(device="cpu", precision="bfloat16"))
    assert mark_running.fn(run, first) is None
    assert mark_running.fn(run, second) == first
    assert mark_running.fn(run, second) is None  # as when Prefect tries a flow run again
    with transaction(space.database_url) as session:
        found = session.scalars(select(RunProcess).order_by(RunProcess.id)).all()
    assert [one.prefect_flow_run_id for one in found] == [first, second, second]
    assert {one.precision for one in found} == {"bfloat16"}
    assert all(one.device.startswith("cpu (") for one in found)
    assert all(one.library_versions["torch"] and one.code_version for one in found)


def test_a_flow_run_whose_run_went_on_as_another_does_not_begin_it_again(space: Workspace) -> None:
    first, second = str(uuid4()), str(uuid4())
    run = begin(space, first)
    mark_running.fn(run, first)
    mark_running.fn(run, second)
    told = f"run 1 went on as flow run {second}: retry that one"
    with pytest.raises(InputError, match=told):
        begin(space, first)
    assert begin(space, second).id == run.id
    with transaction(space.database_url) as session:
        assert len(session.scalars(select(Run)).all()) == 1


def test_the_former_flow_run_says_which_one_went_on(prefect_server: None) -> None:
    @flow
    def former() -> str:
        return str(current_flow_run.id)

    @flow
    def successor(of: str) -> str:
        say_who_took_over(of, 7)
        return f"Run 7 went on as flow run {current_flow_run.name} ({current_flow_run.id})."

    old = former()
    set_state(old, Cancelled(message="cancelled by hand"))
    told = successor(old)
    state = read(old).state
    assert state is not None
    assert state.is_cancelled()
    assert state.message == told


def read(flow_run: str) -> FlowRun:
    with get_client(sync_client=True) as client:
        return client.read_flow_run(UUID(flow_run))

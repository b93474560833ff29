"""Ctrl-C, kill and hang-up while a flow runs: record the end, say how to continue, end.

Python raises what a signal's handler raises wherever the main thread happens to be. Inside
Prefect's queues or a destructor such an exception is lost, or hangs. So nothing is raised in a
flow: a thread records the end in both databases and ends the process. Whatever a run writes
survives that, as it survives `kill -9`.
"""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from flows.environment import workspace

if TYPE_CHECKING:
    from prefect import Flow
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun, State

RECORDING_SECONDS = 8
BEGINNING_SECONDS = 3
CLEANING_SECONDS = 1


@dataclass(frozen=True, slots=True)
class End:
    """How a signal ends a run, and with which exit status the process."""

    word: str
    status: Literal["cancelled", "crashed"]
    exit_status: int


ENDS = {
    signal.SIGINT: End("interrupted", "cancelled", 130),
    signal.SIGTERM: End("terminated", "crashed", 143),
    signal.SIGHUP: End("terminated", "crashed", 129),
}


@dataclass(slots=True)
class Ending:
    """Hears signals, and ends the process together with the run of the flow in it."""

    continued_by: str | None = None
    is_in_flow: bool = False
    flow_run_id: UUID | None = None
    has_begun: threading.Event = field(default_factory=threading.Event)
    is_ending: threading.Event = field(default_factory=threading.Event)
    is_untold: threading.Lock = field(default_factory=threading.Lock)

    def __reduce__(self) -> tuple[type["Ending"], tuple[()]]:
        """Send a flow that has this as its hook to other machines; there it has nothing to end."""
        return Ending, ()

    def listen(self) -> None:
        """Handle signals from now on, but leave those ignored that our caller ignores."""
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        for number in ENDS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._handle)
        sys.unraisablehook = _tell_errors
        # C writes here at once, even while the main thread is in a call that takes long.
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        threading.Thread(target=self._watch, args=[reader], daemon=True).start()

    @contextmanager
    def in_flow(self, continued_by: str | None = None) -> Iterator[None]:
        """End as this module says for the block, and name the command that continues the run."""
        self.continued_by, self.is_in_flow = continued_by, True
        try:
            yield
        finally:
            if self.is_ending.is_set():
                threading.Event().wait()  # the other thread ends the process
            self.is_in_flow = False

    def note(self, flow: "Flow[..., Any]", flow_run: "FlowRun", state: "State[Any]") -> None:
        """Hook: the flow run is running."""
        self.flow_run_id = flow_run.id
        self.has_begun.set()

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if not self.is_in_flow:
            end = ENDS[signal.Signals(number)]
            self._tell(end)
            raise SystemExit(end.exit_status)

    def _watch(self, reader: int) -> None:
        while heard := os.read(reader, 1):
            if end := ENDS.get(signal.Signals(heard[0])):
                if not self.is_ending.is_set():
                    self.is_ending.set()
                    threading.Thread(target=self._end, args=[end], daemon=True).start()
                elif heard[0] == signal.SIGINT:
                    os._exit(end.exit_status)

    def _end(self, end: End) -> None:
        was_in_flow = self.is_in_flow
        if was_in_flow:
            logging.disable()
            recording = threading.Thread(target=self._record, args=[end], daemon=True)
            recording.start()
            recording.join(RECORDING_SECONDS)
        self._tell(end)
        if not was_in_flow:
            time.sleep(CLEANING_SECONDS)  # the main thread removes what it has half made
        os._exit(end.exit_status)

    def _tell(self, end: End) -> None:
        has_run = self.continued_by and self.flow_run_id
        advice = f"; continue with `{self.continued_by}`" if has_run else ""
        if self.is_untold.acquire(blocking=False):
            with suppress(OSError):
                line = "\n" if sys.stderr.isatty() else ""  # a progress bar may stand there
                os.write(2, f"{line}samehand: {end.word}{advice}\n".encode())

    def _record(self, end: End) -> None:
        """Record the end of the flow run, if it has begun."""
        self.has_begun.wait(BEGINNING_SECONDS)
        if self.flow_run_id is None:
            return
        from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

        try:
            with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 1}):
                _record_in_both(self.flow_run_id, end)
        except Exception:  # Prefect's server does not answer
            _end_in_database([self.flow_run_id], end)


def _record_in_both(flow_run_id: UUID, end: End) -> None:
    """Record the end of a flow run and of those inside it, in Prefect and in our database.

    Prefect first: our database may be locked by what the main thread is writing. A later run then
    learns the end from Prefect.
    """
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        ids = [flow_run_id, *_inner_runs(client, flow_run_id)]
        for each in ids:
            _end_in_prefect(client, each, end)
        known: dict[UUID, str] = {}
        while (statuses := _end_in_database(ids, end)) != known:
            for each, status in statuses.items():
                _end_in_prefect(client, each, end, status)
            known = statuses
        _end_tasks(client, ids, end)


def _tell_errors(lost: "sys.UnraisableHookArgs") -> None:
    """Leave out signals that Prefect raised where nothing can be raised: the thread heard them."""
    if isinstance(lost.exc_value, Exception):
        sys.__unraisablehook__(lost)


def _inner_runs(client: "SyncPrefectClient", flow_run_id: UUID) -> list[UUID]:
    from prefect.client.schemas.filters import FlowRunFilter

    inner = FlowRunFilter.model_validate({"parent_flow_run_id": {"any_": [flow_run_id]}})
    return [run.id for run in client.read_flow_runs(flow_run_filter=inner)]


def _end_in_prefect(
    client: "SyncPrefectClient", flow_run_id: UUID, end: End, status: str | None = None
) -> None:
    """Bring a flow run to the end that our database has, if any; else end it unless it has."""
    from prefect.states import Cancelled, Completed, Crashed, Failed

    states = {"cancelled": Cancelled, "complete": Completed, "crashed": Crashed, "failed": Failed}
    state = client.read_flow_run(flow_run_id).state
    wanted: State[Any] = states[status or end.status](message=f"The run was {end.word}.")
    is_ended = state is not None and state.is_final()
    if not is_ended or (status and state is not None and state.type != wanted.type):
        client.set_flow_run_state(flow_run_id, wanted, force=True)


def _end_tasks(client: "SyncPrefectClient", flow_run_ids: list[UUID], end: End) -> None:
    """End the task runs that Prefect still shows as running.

    It hears of them late: one that begins at this very moment may stay as it is.
    """
    from prefect.client.schemas.filters import FlowRunFilter, TaskRunFilter
    from prefect.states import Cancelled, Crashed

    state = Cancelled if end.status == "cancelled" else Crashed
    of_flows = FlowRunFilter.model_validate({"id": {"any_": flow_run_ids}})
    unfinished = TaskRunFilter.model_validate({"state": {"type": {"any_": ["PENDING", "RUNNING"]}}})
    for run in client.read_task_runs(flow_run_filter=of_flows, task_run_filter=unfinished):
        client.set_task_run_state(run.id, state(message=f"The run was {end.word}."), force=True)


def _end_in_database(flow_run_ids: list[UUID], end: End) -> dict[UUID, str]:
    """End the runs of these flow runs that go on; return how each has ended."""
    from storage.database import records, results
    from storage.database.session import transaction
    from storage.files import remove_partials

    space, statuses = workspace(), {}
    with transaction(space.database_url) as session:
        for flow_run_id in flow_run_ids:
            if run := results.run_of_flow_run(session, str(flow_run_id)):
                if run.finished_at is None:
                    records.finish_run(session, run.id, end.status, f"The run was {end.word}.")
                    remove_partials(space.home / run.directory)
                statuses[flow_run_id] = str(run.status)
    return statuses

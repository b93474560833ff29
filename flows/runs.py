"""What all flows share: their hooks, and a run that is recorded as it begins and as it ends."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from prefect import Flow, flow
from prefect.client.schemas.objects import FlowRun, State
from prefect.runtime import flow_run as current_flow_run

from flows.environment import workspace
from flows.errors import USER_MISTAKES
from storage.errors import InputError
from storage.sources import full_name
from tasks.models import StoredModel, find_model
from tasks.runs import (
    NewRun,
    begin_run,
    end_run_of_flow,
    find_stopped_run,
    finish_run,
    mark_running,
    stop_run,
)
from tasks.support.dead_runs import end_dead_runs
from tasks.support.flow_runs import name_flow_run, say_who_took_over
from tasks.support.output import log_only, survive_closed_output
from tasks.support.run import OpenRun

__all__ = ["NewRun", "find_model_to_use", "open_run", "recorded_flow"]

P = ParamSpec("P")
R = TypeVar("R")


def recorded_flow(run_name: str) -> Callable[[Callable[P, R]], Flow[P, R]]:
    """Make a function a flow whose runs end in the results database as they end in Prefect.

    A user's mistake is logged in one line, without a traceback.
    """

    def decorate(function: Callable[P, R]) -> Flow[P, R]:
        @wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            log_only(_is_no_mistakes_traceback)
            return function(*args, **kwargs)

        decorator = flow(
            flow_run_name=run_name, on_crashed=[mark_crashed], on_cancellation=[mark_cancelled]
        )
        return decorator(run)

    return decorate


@contextmanager
def open_run(wanted: NewRun | int) -> Iterator[OpenRun]:
    """Record a run for as long as the block lasts: a new one, or a stopped one by its number.

    A new run that Prefect tries again goes on, too. The run is complete when the block ends well,
    failed or cancelled when it raises; hooks record what ends the process.
    """
    space, flow_run_id = workspace(), str(current_flow_run.id)
    flow_name = str(current_flow_run.flow_name)
    if isinstance(wanted, int):
        run = find_stopped_run(wanted, flow_name, space)
    else:
        new = replace(wanted, source=full_name(wanted.source))
        run = begin_run(new, flow_name, flow_run_id, space)
    survive_closed_output()
    # Held, the lock shows that the process lives.
    with space.try_lock(run.folder.lock, is_patient=True) as is_ours:
        if not is_ours:
            raise InputError(f"run {run.id} is going on in another process; wait, or cancel it")
        name_flow_run(f"{flow_name.removesuffix('-flow')} {run.described}")
        end_dead_runs(space)
        former = mark_running(run, flow_run_id)
        if former is not None:
            say_who_took_over(former, run.id)
        try:
            yield run
        except (Exception, KeyboardInterrupt) as error:
            with suppress(InputError):  # of the database, where the disk is full; the first counts
                stop_run(run, error)
            raise
        finish_run(run)


def find_model_to_use(
    named: int | None, resume: int | None = None, source: str | None = None
) -> StoredModel:
    """Find the named model, else the champion of the source; a run that goes on keeps its own."""
    place = source and full_name(source)
    return find_model(named, resume, str(current_flow_run.id), workspace(), place)


def mark_crashed(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Hook: record that a flow run crashed."""
    end_run_of_flow(str(flow_run.id), "crashed", state.message, workspace())


def mark_cancelled(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Hook: record that a flow run was cancelled."""
    end_run_of_flow(str(flow_run.id), "cancelled", state.message, workspace())


def _is_no_mistakes_traceback(record: logging.LogRecord) -> bool:
    """Leave out what is logged with a user's mistake: the state of the flow run says the same."""
    return not (record.exc_info and isinstance(record.exc_info[1], USER_MISTAKES))

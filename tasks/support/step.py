"""What all tasks have in common: names for people, time limits, and retries."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from prefect import Task, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import exponential_backoff
from sqlalchemy.exc import OperationalError

from storage.errors import can_pass

P = ParamSpec("P")
R = TypeVar("R")

RETRIES = 3
FIRST_DELAY_SECONDS = 2


def step(
    run_name: str | None = None, *, hours: float = 1
) -> Callable[[Callable[P, R]], Task[P, R]]:
    """Make a function a task that stops after so many hours and retries passing faults.

    People see it under its function's name in words; ``run_name`` adds its parameters. Nothing is
    cached: tasks hand on paths, numbers and small values, and skip themselves what is done.
    """

    def decorate(function: Callable[P, R]) -> Task[P, R]:
        words = function.__name__.replace("_", " ")
        return task(
            name=words,
            task_run_name=run_name or words,
            cache_policy=NO_CACHE,
            timeout_seconds=hours * 3600,
            retries=RETRIES,
            retry_delay_seconds=exponential_backoff(backoff_factor=FIRST_DELAY_SECONDS),
            retry_jitter_factor=0.5,
            retry_condition_fn=_has_failed_for_now,
        )(function)

    return decorate


def is_worth_another_try(error: BaseException) -> bool:
    """Tell a fault of files or database that can pass from bad input, full disks and bugs."""
    return can_pass(error) or isinstance(error, OperationalError)


def _has_failed_for_now(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    try:
        state.result()
    except Exception as error:
        return is_worth_another_try(error)
    return False

"""Shards wherever a worker is free: on this machine, or on a Dask cluster."""

import os
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from prefect import Task
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from storage.errors import InputError
from storage.shards import Shard
from tasks.support.bar import terminal_bar

R = TypeVar("R")

SCHEDULER = "SAMEHAND_DASK"
AT_ONCE = 64
"""So many shards are in flight, however many there are: each worker has its next at hand."""


def on_shards(
    step: Task[..., R], shards: Sequence[Shard[Any]], at_once: int | None = None, **given: Any
) -> list[R]:
    """Do a step for each shard with the parameters ``given``; results in the shards' order.

    Where ``SAMEHAND_DASK`` is the address of a Dask scheduler, its workers do them, elsewhere
    ``at_once`` threads. None stands for a step that uses all cores of its machine, 1 for one that
    can only be done here and one by one. Raises InputError if no scheduler answers.
    """
    address = None if at_once == 1 else os.environ.get(SCHEDULER)
    if len(shards) < 2 or not (address or (at_once or 1) > 1):
        return [step(shard=shard, **given) for shard in shards]
    done: list[R] = []
    waiting: deque[Any] = deque()
    with _runner(address, at_once or 1) as runner, terminal_bar(step.name, "shard") as progress:

        def finish_first() -> None:
            done.append(waiting.popleft().result())
            progress(len(done), len(shards))

        for shard in shards:
            if len(waiting) == AT_ONCE:
                finish_first()
            waiting.append(runner.submit(step, {"shard": shard, **given}))
        while waiting:
            finish_first()
    return done


@contextmanager
def _runner(address: str | None, at_once: int) -> Iterator[TaskRunner[Any]]:
    if not address:
        threads: TaskRunner[Any] = ThreadPoolTaskRunner(max_workers=at_once)
        with threads:
            yield threads
        return
    try:
        import dask.config  # an extra, and takes a second
        from prefect_dask.task_runners import DaskTaskRunner
    except ImportError as error:
        raise InputError(f"{SCHEDULER} needs prefect-dask: install samehand[several]") from error
    with DaskTaskRunner(address=address) as cluster:
        try:  # only the connecting: a step's own OSError is not the scheduler's
            with dask.config.set({"distributed.comm.timeouts.connect": "5s"}):
                cluster.client.scheduler_info()  # connects, as it is the first use
        except OSError as error:
            raise InputError(f"{SCHEDULER}={address}: no Dask scheduler answers there") from error
        yield cluster

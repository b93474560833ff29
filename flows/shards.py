"""Shards wherever a worker is free: on this machine one by one, or on a Dask cluster."""

import os
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, TypeVar

from prefect import Task

from storage.errors import InputError
from storage.shards import Shard

R = TypeVar("R")

SCHEDULER = "SAMEHAND_DASK"
AT_ONCE = 64
"""So many shards are in flight, however many there are: each worker has its next at hand."""


def on_shards(step: Task[..., R], shards: Sequence[Shard[Any]], **given: Any) -> list[R]:
    """Do a step for each shard with the parameters ``given``; results in the shards' order.

    Where ``SAMEHAND_DASK`` is the address of a Dask scheduler, its workers do them. A step uses all
    cores of its machine by itself, so on one machine nothing is gained by several at once. Raises
    InputError if no scheduler answers.
    """
    address = os.environ.get(SCHEDULER)
    if not address or len(shards) < 2:
        return [step(shard=shard, **given) for shard in shards]
    try:
        import dask.config  # an extra, and takes a second
        from prefect_dask.task_runners import DaskTaskRunner
    except ImportError as error:
        raise InputError(f"{SCHEDULER} needs prefect-dask: install samehand[several]") from error
    done: list[R] = []
    waiting: deque[Any] = deque()
    with ExitStack() as stack:
        runner = stack.enter_context(DaskTaskRunner(address=address))
        try:  # only the connecting: a step's own OSError is not the scheduler's
            with dask.config.set({"distributed.comm.timeouts.connect": "5s"}):
                runner.client.scheduler_info()  # connects, as it is the first use
        except OSError as error:
            raise InputError(f"{SCHEDULER}={address}: no Dask scheduler answers there") from error
        for shard in shards:
            if len(waiting) == AT_ONCE:
                done.append(waiting.popleft().result())
            waiting.append(runner.submit(step, {"shard": shard, **given}))
        done += [each.result() for each in waiting]
    return done

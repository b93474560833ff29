"""Shards wherever a worker is free: on this machine, or on a Dask cluster."""

import logging
import os
import socket
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from socket import AF_INET, AF_INET6
from typing import Any, TypeVar
from urllib.parse import urlsplit

from prefect import Task, get_run_logger
from prefect.settings import PREFECT_API_URL
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from storage.errors import InputError
from storage.shards import Shard
from tasks.support.bar import terminal_bar

R = TypeVar("R")

SCHEDULER = "SAMEHAND_DASK"
AT_ONCE = 64
"""So many shards are in flight, however many there are: each worker has its next at hand."""
LOOPBACK = ("127.0.0.1", "::1", "localhost")
PATIENCE = 600.0  # seconds for a lost scheduler to come back


def on_shards(
    step: Task[..., R], shards: Sequence[Shard[Any]], at_once: int | None = None, **given: Any
) -> list[R]:
    """Do a step for each shard with the parameters ``given``; results in the shards' order.

    Where ``SAMEHAND_DASK`` is the address of a Dask scheduler, its workers do them, elsewhere
    ``at_once`` threads. None stands for a step that uses all cores of its machine, 1 for one that
    can only be done here and one by one. If the scheduler is lost, what was not done is done when
    it is back. Raises InputError if no scheduler answers.
    """
    address = None if at_once == 1 else os.environ.get(SCHEDULER)
    if len(shards) < 2 or not (address or (at_once or 1) > 1):
        return [step(shard=shard, **given) for shard in shards]
    done: dict[int, R] = {}
    if address:
        patience = 0.0
        while len(done) < len(shards):
            with _dask_runner(address, patience) as cluster, _noticing_loss(address):
                _do_rest(cluster, step, shards, given, done)
            patience = PATIENCE
    else:
        threads: TaskRunner[Any] = ThreadPoolTaskRunner(max_workers=at_once)
        with threads:
            _do_rest(threads, step, shards, given, done)
    return [done[shard.number] for shard in shards]


def _do_rest(
    runner: TaskRunner[Any],
    step: Task[..., R],
    shards: Sequence[Shard[Any]],
    given: dict[str, Any],
    done: dict[int, R],
) -> None:
    """Do a step for the shards without a result, and add theirs to ``done``."""
    waiting: deque[tuple[int, Any]] = deque()
    untimed = step.with_options(timeout_seconds=0)  # ends no thread, yet warns in every shard
    with terminal_bar(step.name, "shard") as progress:

        def finish_first() -> None:
            number, future = waiting.popleft()
            done[number] = future.result()
            progress(len(done), len(shards))

        for shard in [each for each in shards if each.number not in done]:
            if len(waiting) == AT_ONCE:
                finish_first()
            waiting.append((shard.number, runner.submit(untimed, {"shard": shard, **given})))
        while waiting:
            finish_first()


@contextmanager
def _dask_runner(address: str, patience: float) -> Iterator[TaskRunner[Any]]:
    """Connect to a scheduler; wait so many seconds for it to answer."""
    deadline = time.monotonic() + patience
    with ExitStack() as opened:
        while (runner := _connect(address, opened)) is None:
            if time.monotonic() > deadline:
                raise InputError(f"{SCHEDULER}={address}: no Dask scheduler answers there")
            time.sleep(1)
        yield runner


def _connect(address: str, opened: ExitStack) -> Any:  # prefect-dask has no types
    """Return a scheduler's task runner, open as long as ``opened``; None if nobody answers."""
    try:
        import dask.config  # an extra, and takes a second
        from prefect_dask.task_runners import DaskTaskRunner
    except ImportError as error:
        raise InputError(f"{SCHEDULER} needs prefect-dask: install samehand[several]") from error
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # we tell of a loss
    with dask.config.set({"distributed.comm.timeouts.connect": "5s"}):
        try:
            runner = opened.enter_context(DaskTaskRunner(address=address))
            workers = runner.client.scheduler_info()["workers"]  # the first use connects
        except OSError:
            opened.close()
            return None
    _check_server_is_reached(address, workers)
    if not workers:
        get_run_logger().warning("%s=%s has no workers; waiting for one", SCHEDULER, address)
    return runner


def _check_server_is_reached(address: str, workers: Iterable[str]) -> None:
    """Raise InputError if a worker is on another machine, and Prefect's server on loopback."""
    server = PREFECT_API_URL.value()
    if server and urlsplit(server).hostname in LOOPBACK:
        for worker in workers:
            if not _is_of_this_machine(urlsplit(worker).hostname or ""):
                raise InputError(
                    f"{SCHEDULER}={address}: its worker {worker} cannot reach Prefect's server at"
                    f" {server}; set PREFECT_API_URL to a server that all machines reach"
                )


def _is_of_this_machine(host: str) -> bool:
    """Tell whether this machine could listen there."""
    try:
        socket.create_server((host, 0), family=AF_INET6 if ":" in host else AF_INET).close()
    except OSError:
        return False
    return True


@contextmanager
def _noticing_loss(address: str) -> Iterator[None]:
    """Warn if the scheduler is lost during the block, which may then be tried again."""
    from distributed import CancelledError
    from distributed.comm.core import CommClosedError

    try:
        yield
    except (CancelledError, CommClosedError):
        get_run_logger().warning("%s=%s is lost; waiting until it is back", SCHEDULER, address)

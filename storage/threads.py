"""One function over many items on all cores, by threads."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

WAITING = 1
"""Threads beyond one a core: while some wait for a disk to read or to sync, no core does."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    progress: Callable[[int, int], None],
) -> list[Result]:
    """Results of `function` in the order of `items`, on all cores.

    Threads, because Pillow and hashlib let go of the interpreter while they work, and because
    forked workers are not safe inside a flow. `progress(done, total)` is called in the calling
    thread after each item. The first error, or an interrupt, is raised at once: items that have
    not begun are dropped.
    """
    with ThreadPoolExecutor(available_cores() + WAITING) as pool:
        futures = [pool.submit(function, item) for item in items]
        try:
            for done, future in enumerate(as_completed(futures), start=1):
                future.result()
                progress(done, len(futures))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [future.result() for future in futures]


def available_cores() -> int:
    """Cores this process may run on, which on a shared machine are fewer than it has."""
    if hasattr(os, "sched_getaffinity"):  # Linux only
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1

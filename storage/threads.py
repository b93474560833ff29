"""Apply a function to many items on all cores, with threads."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

WAITING = 1
"""Threads beyond one per core, so that no core is idle while a thread waits for the disk."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    progress: Callable[[int, int], None],
) -> list[Result]:
    """Return the results of `function` in the order of `items`.

    Threads suffice because Pillow and hashlib release the interpreter lock, and forked processes
    are unsafe inside a flow. `progress(done, total)` is called in this thread after each item. The
    first error or interrupt is raised at once, and items that have not started are dropped.
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
    """The number of cores that this process may use: ``OMP_NUM_THREADS``, or all it is given."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    if told.isdecimal() and int(told) > 0:
        return int(told)
    if hasattr(os, "sched_getaffinity"):  # Linux only
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1

"""Work in a process of its own, so that its memory is its own."""

import json
import multiprocessing
import re
import resource
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.report import Row

EVERY = 0.02  # seconds between looks at how much memory is taken
STATUS = Path("/proc/self/status")


@dataclass(frozen=True, slots=True)
class Peak:
    """Gigabytes: the process's own, and those with the pages of files that it has mapped."""

    own: float
    with_files: float


def apart(work: Callable[..., Any], *arguments: Any) -> Any:
    """Return what ``work`` returns in a process that does nothing else."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        measured = pool.apply(work, arguments)
        pool.close()
        pool.join()  # it ends by itself: one that is ended leaves locks behind
    return measured


def rows_of_module(
    name: str, *arguments: str, environment: Mapping[str, str] | None = None
) -> tuple[Row, ...]:
    """Run a module of benchmarks by itself; return the rows that it prints last, as JSON.

    Raises RuntimeError with its messages if it fails.
    """
    command = [sys.executable, "-m", f"benchmarks.{name}", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return tuple(Row(**row) for row in json.loads(done.stdout.splitlines()[-1]))


def peak_memory() -> float:
    """Return the most gigabytes this process has used, pages of mapped files included."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def peak_of(work: Callable[[], object]) -> Peak:
    """Do the work and watch the memory; off Linux, what is mapped counts as the process's own."""
    if not STATUS.exists():
        work()
        return Peak(peak_memory(), peak_memory())
    seen, done = [_own()], threading.Event()

    def watch() -> None:
        while not done.wait(EVERY):
            seen.append(_own())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        work()
    finally:
        done.set()
        watcher.join()
    return Peak(max(seen), peak_memory())


def _own() -> float:
    found = re.search(r"^RssAnon:\s+(\d+) kB$", STATUS.read_text(encoding="ascii"), re.MULTILINE)
    return int(found[1]) * 1024 / 1e9 if found else 0.0

"""File locks, which the system releases when their process dies."""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

LACKING = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK)


def has_locks(folder: Path) -> bool:
    """Return whether files in a folder can be locked, which not all network file systems allow."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".locks", fallback_to_soft=False):
            return True
    except OSError as error:
        if error.errno in LACKING:
            return False
        raise


@contextmanager
def try_lock(path: Path) -> Iterator[bool]:
    """Hold the lock during the block if it is free; yields whether it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    with suppress(Timeout):
        lock.acquire(timeout=0)
    try:
        yield lock.is_locked
    finally:
        lock.release()


@contextmanager
def wait_lock(path: Path, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Wait for the lock and hold it during the block; calls `waiting` once if it must wait."""
    with try_lock(path) as is_ours:
        if is_ours:
            yield
            return
    waiting()
    with FileLock(path).acquire(poll_interval=0.1):
        yield

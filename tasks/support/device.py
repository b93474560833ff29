"""Taking turns on the machine's accelerators."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from prefect import get_run_logger

from storage.errors import InputError
from storage.locks import wait_lock
from tasks.support.run import OpenRun


@contextmanager
def device_for(run: OpenRun) -> Iterator[None]:
    """Wait until the run has its devices to itself, and hold them for the block.

    The system releases the devices of a process that dies; nobody has to renew anything.
    """
    with ExitStack() as held:
        for device in dict.fromkeys(run.devices):  # always in this order, or two runs deadlock
            lock = lock_of(device)

            def say_who_has_it(device: str = device, lock: Path = lock) -> None:
                who = holder_of(lock)
                get_run_logger().info("Run %d waits for %s: %s has it", run.id, device, who)

            held.enter_context(wait_lock(lock, say_who_has_it))
            _note(lock).write_text(f"run {run.id} in {run.space.home} (process {os.getpid()})")
        yield


def lock_of(device: str) -> Path:
    """Return the lock of a device, which all of the user's runs on this machine take."""
    name = device.replace(":", "-") if ":" in device else f"{device}-0"  # cuda is cuda:0
    return _own_folder() / f"{name}.lock"


def holder_of(lock: Path) -> str:
    """Return which run took a lock last."""
    return _note(lock).read_text() if _note(lock).exists() else "another run"


def _note(lock: Path) -> Path:
    return lock.with_suffix(".holder")


def _own_folder() -> Path:
    """Return a folder for locks in which no other user can make or replace a file."""
    if (runtime := os.environ.get("XDG_RUNTIME_DIR")) and os.access(runtime, os.W_OK):
        folder = Path(runtime) / "samehand"
    else:
        folder = Path(tempfile.gettempdir()) / f"samehand-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not folder.is_dir() or folder.is_symlink() or found.st_uid != os.getuid():
        raise InputError(f"{folder}: belongs to another user; remove it, or set TMPDIR")
    if found.st_mode & 0o077:
        folder.chmod(0o700)
    return folder

"""Locks held by processes that are killed."""

import os
import subprocess
import sys
import threading
from pathlib import Path

from storage.locks import try_lock, wait_lock

HOLD = """
import sys, time
from pathlib import Path
from storage.locks import try_lock
with try_lock(Path(sys.argv[1])) as is_ours:
    print(is_ours, flush=True)
    time.sleep(60)
"""


def hold_elsewhere(path: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", HOLD, str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "True\n"
    return process


def test_a_lock_is_free_after_its_block(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "run.lock"
    with try_lock(path) as is_ours, try_lock(path) as is_ours_again:
        assert is_ours
        assert not is_ours_again
    with try_lock(path) as is_ours:
        assert is_ours


def test_a_lock_is_free_after_its_process_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "run.lock"
    with hold_elsewhere(path) as process:
        with try_lock(path) as is_ours:
            assert not is_ours
        process.kill()
        process.wait()
        with try_lock(path) as is_ours:
            assert is_ours


def test_a_lock_cannot_be_written_by_others(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        with wait_lock(tmp_path / "device.lock"):
            assert not (tmp_path / "device.lock").stat().st_mode & 0o022
    finally:
        os.umask(before)


def test_waiting_is_reported_once_and_ends_when_the_holder_dies(tmp_path: Path) -> None:
    path, said = tmp_path / "device.lock", []
    with hold_elsewhere(path) as process:
        threading.Timer(0.5, process.kill).start()
        with wait_lock(path, lambda: said.append("waiting")):
            assert process.poll() is not None
    with wait_lock(path, lambda: said.append("waiting")):
        pass
    assert said == ["waiting"]

"""Leases held by processes that are killed, and on folders that cannot be locked."""

import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from storage.database import leases
from storage.database.leases import try_lease, wait_lease
from storage.database.session import transaction
from storage.workspace import Workspace

HOLD = """
import sys, time
from storage.database import leases
leases.RENEWED_EVERY = 0.2
with leases.try_lease(sys.argv[1], "run 7") as is_ours:
    print(is_ours, flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leases that run out soon, as nobody wants to wait here."""
    monkeypatch.setattr(leases, "LASTS", timedelta(seconds=3))
    monkeypatch.setattr(leases, "RENEWED_EVERY", 0.2)
    monkeypatch.setattr(leases, "ASKED_EVERY", 0.1)


def hold_elsewhere(url: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", HOLD, url]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "True\n"
    return process


def test_a_lease_is_free_after_its_block(database_url: str) -> None:
    with try_lease(database_url, "run 7") as is_ours, try_lease(database_url, "run 7") as again:
        assert is_ours
        assert not again
        with try_lease(database_url, "run 8") as is_other:
            assert is_other
    with transaction(database_url) as session:
        assert session.scalar(text("SELECT count(*) FROM leases")) == 0


def test_a_lease_outlives_no_process(database_url: str) -> None:
    with hold_elsewhere(database_url) as process:
        with try_lease(database_url, "run 7", is_patient=True) as is_ours:
            assert not is_ours  # it is renewed, so its process lives
        process.kill()
        process.wait()
        with try_lease(database_url, "run 7") as is_ours:
            assert not is_ours  # nobody can know yet
        with try_lease(database_url, "run 7", is_patient=True) as is_ours:
            assert is_ours


def test_waiting_is_reported_once_and_ends_when_the_holder_dies(database_url: str) -> None:
    said: list[str] = []
    with hold_elsewhere(database_url) as process:
        threading.Timer(0.5, process.kill).start()
        with wait_lease(database_url, "run 7", lambda: said.append("waiting")):
            assert process.poll() is not None
    with wait_lease(database_url, "run 7", lambda: said.append("waiting")):
        pass
    assert said == ["waiting"]


def test_a_process_that_lost_its_lease_ends_itself(database_url: str) -> None:
    with hold_elsewhere(database_url) as process:
        with transaction(database_url) as session:
            session.execute(text("UPDATE leases SET holder = 'another'"))
        assert process.wait(30) == -signal.SIGTERM
        assert "another process took over" in process.communicate()[1]
    with transaction(database_url) as session:
        assert session.scalar(text("SELECT holder FROM leases")) == "another"


def test_a_lease_is_only_its_holders_after_the_database_was_away(database_url: str) -> None:
    with try_lease(database_url, "run 7") as is_ours:
        assert is_ours
        with transaction(database_url) as session:
            session.execute(text("DELETE FROM leases"))
        for _ in range(100):  # it takes it again
            with transaction(database_url) as session:
                if session.scalar(text("SELECT count(*) FROM leases")):
                    break
            time.sleep(0.1)
        else:
            pytest.fail("the lease was not taken again")
        with try_lease(database_url, "run 7") as is_ours:
            assert not is_ours


# To a process that runs this, the system refuses `flock`, as on NFS without locks: seccomp's
# filter compares the number of each system call.
REFUSE_FLOCK = """
import ctypes, errno, platform, struct, sys
FLOCK = {"x86_64": 73, "aarch64": 32}[platform.machine()]
steps = [
    (0x20, 0, 0, 0),                             # load the number of the system call
    (0x15, 0, 1, FLOCK),                         # if it is flock,
    (0x06, 0, 0, 0x00050000 | errno.ENOSYS),     # it fails: not there
    (0x06, 0, 0, 0x7FFF0000),                    # all others are allowed
]
filter = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(steps), ctypes.addressof(filter)))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0, ctypes.get_errno()  # PR_SET_NO_NEW_PRIVS
assert libc.prctl(22, 2, program, 0, 0) == 0, ctypes.get_errno()  # PR_SET_SECCOMP
"""
LOCK_TWICE = """
from pathlib import Path
from storage.workspace import Workspace
space = Workspace(Path(sys.argv[1]), sys.argv[2])
lock = space.runs / "run.lock"
with space.try_lock(lock) as is_ours, space.try_lock(lock) as is_ours_again:
    print(space.has_file_locks, is_ours, is_ours_again)
with space.wait_lock(lock):
    print(len(space.identity()))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="seccomp is Linux's")
def test_a_folder_without_file_locks_is_locked_by_leases(database_url: str, tmp_path: Path) -> None:
    script = REFUSE_FLOCK + LOCK_TWICE
    command = [sys.executable, "-c", script, str(tmp_path), database_url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    on_one_machine = database_url.startswith("sqlite")
    assert done.stdout == f"{on_one_machine} True False\n32\n", done.stderr
    here = Workspace(tmp_path, database_url)
    assert here.has_file_locks

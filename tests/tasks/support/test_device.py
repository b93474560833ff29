"""Turns on a device: who waits is told who has it, and no other user can stand in the way."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread

import pytest
from prefect.logging import disable_run_logger

from storage.errors import InputError
from tasks.support.device import device_for, holder_of, lock_of
from tests.tasks.conftest import open_run_in, workspace_in


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The user's own runtime folder; logging is off for all threads together."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with disable_run_logger():
        yield tmp_path


def take(run_id: int, home: Path, then: Callable[[], object]) -> None:
    with device_for(open_run_in(workspace_in(home), run_id)):
        then()


def test_runs_take_turns_and_each_is_told_which_run_has_the_device(
    runtime: Path, tmp_path: Path
) -> None:
    taken, is_over, order = Event(), Event(), list[str]()

    def hold() -> None:
        taken.set()
        is_over.wait()
        order.append("first")

    first = Thread(target=take, args=(7, tmp_path, hold))
    second = Thread(target=take, args=(8, tmp_path, lambda: order.append("second")))
    first.start()
    taken.wait()
    second.start()
    assert holder_of(lock_of("cpu")) == f"run 7 in {tmp_path} (process {os.getpid()})"
    is_over.set()
    first.join()
    second.join()
    assert order == ["first", "second"]
    assert holder_of(lock_of("cpu")).startswith("run 8 ")


def test_the_lock_lies_where_no_other_user_can_reach_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    take(1, tmp_path, lambda: None)
    (folder,) = (path.parent for path in tmp_path.rglob("cpu-0.lock"))
    assert folder.stat().st_mode & 0o077 == 0
    folder.chmod(0o777)  # as an earlier version or a careless umask may have left it
    take(1, tmp_path, lambda: None)
    assert folder.stat().st_mode & 0o077 == 0


def test_a_folder_that_is_a_link_is_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runtime: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (runtime / "samehand").symlink_to(elsewhere)
    with pytest.raises(InputError, match="belongs to another user"):
        take(1, tmp_path, lambda: None)

"""A command that is told to end does, wherever it is at that moment; a real terminal for Ctrl-C."""

import os
import pty
import random
import re
import select
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from flows.cli.ending import ENDS
from tests.flows.conftest import Trained, environment_of, tiny_settings

SAMEHAND = [sys.executable, "-c", "from flows.cli import main; main()"]
COMMAND = """
import os, signal, sys, time
from flows.cli.ending import Ending

class EndsAsItIsDestroyed:
    def __del__(self):
        os.kill(os.getpid(), getattr(signal, sys.argv[2]))
        for _ in range(1000):
            pass  # the signal is handled here, where what its handler raises ends nothing

def work():
    EndsAsItIsDestroyed()
    time.sleep(20)

for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)  # whatever those who run the tests have us ignore
ending = Ending()
ending.listen()
if sys.argv[1] == "by itself":
    work()
with ending.in_flow("samehand train --resume last"):  # the first signal waits for a flow run
    if sys.argv[1] == "twice":
        EndsAsItIsDestroyed()
    work()
"""
FIGURES = (
    "SELECT epoch, train_loss, train_accuracy, validation_loss, test_loss FROM epochs ORDER BY 1",
    "SELECT pair_index, distance FROM pair_predictions ORDER BY 1",
)

# One try is enough for each change; `make faults` makes 30, at every stage of a training.
ATTEMPTS = [0, *(pytest.param(number, marks=pytest.mark.campaign) for number in range(1, 30))]
STAGES = (
    "Epoch 1: validation",
    "starting Prefect's server",
    "Beginning flow run",
    "images in",
    "Task run .* images are used",
    "Epoch 1: loss",
    "Epoch 2: loss",
    "Epoch 2: validation",
    "exported, relative error",
)


@pytest.mark.parametrize("place", ["by itself", "in a flow"])
@pytest.mark.parametrize(
    ("name", "told", "status"),
    [("SIGINT", "interrupted", 130), ("SIGTERM", "terminated", 143), ("SIGHUP", "terminated", 129)],
)
def test_told_to_end_in_a_destructor_a_command_ends(
    place: str, name: str, told: str, status: int
) -> None:
    process = subprocess.run(
        [sys.executable, "-c", COMMAND, place, name],
        stderr=subprocess.PIPE,
        text=True,
        timeout=15,
        check=False,
    )
    assert process.returncode == status
    assert process.stderr == f"samehand: {told}\n"  # no run to continue


def test_a_second_interrupt_ends_at_once() -> None:
    process = subprocess.run(
        [sys.executable, "-c", COMMAND, "twice", "SIGINT"],
        stderr=subprocess.PIPE,
        timeout=15,
        check=False,
    )
    assert (process.returncode, process.stderr) == (130, b"")  # before anything could be told


@dataclass
class Terminal:
    """A command that is the foreground of a terminal of its own."""

    pid: int
    screen: int
    shown: str = ""

    def show_until(self, pattern: str) -> None:
        """Read what is printed until the pattern appears."""
        while not re.search(pattern, self.shown):
            assert self._read(), self.shown

    def end(self, seconds: float) -> int:
        """Read to the end, which has to come in time; returns the exit status."""
        deadline = time.monotonic() + seconds
        while self._read(max(0, deadline - time.monotonic())):
            pass
        _, status = os.waitpid(self.pid, 0)
        os.close(self.screen)
        return os.waitstatus_to_exitcode(status)

    def _read(self, seconds: float = 200) -> bool:
        ready, _, _ = select.select([self.screen], [], [], seconds)
        assert ready, f"nothing more was printed:\n{self.shown}"
        try:
            data = os.read(self.screen, 65536)
        except OSError:  # how Linux says that nobody is left to write
            return False
        self.shown += re.sub(r"\x1b\[[0-9;]*m|\r", "", data.decode(errors="replace"))
        return bool(data)


@pytest.fixture
def terminal() -> Iterator[Callable[..., Terminal]]:
    started: list[Terminal] = []

    def start(environment: dict[str, str], *arguments: str) -> Terminal:
        pid, screen = pty.fork()
        if pid == 0:
            for number in ENDS:
                signal.signal(number, signal.SIG_DFL)
            os.execvpe(SAMEHAND[0], [*SAMEHAND, *arguments], environment)
        started.append(Terminal(pid, screen))
        return started[-1]

    yield start
    for each in started:
        if Path(f"/proc/{each.pid}").exists():
            os.kill(each.pid, signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_an_interrupted_training_is_cancelled_and_continues_to_the_same_figures(
    attempt: int,
    terminal: Callable[..., Terminal],
    trained: Trained,
    paintings: Path,
    tmp_path: Path,
) -> None:
    home, in_prefect = tmp_path / "home", tmp_path / "prefect" / "prefect.db"
    nobody = "127.0.0.1:9"  # loopback is asked without a proxy
    proxies = {"HTTP_PROXY": f"http://{nobody}", "ALL_PROXY": f"socks5://{nobody}"}
    environment = environment_of(home) | proxies
    arguments = ["train", str(paintings), *tiny_settings()]
    training = terminal(environment, *arguments)
    training.show_until(STAGES[attempt % len(STAGES)])
    time.sleep(random.Random(attempt).uniform(0, 2) if attempt else 0)
    os.write(training.screen, b"\x03")
    assert training.end(10) == 130
    assert_no_process_is_left(tmp_path)
    told = training.shown.splitlines()[-1]
    if told == "samehand: interrupted":  # before there was a run
        assert not (home / "results.db").exists()
    else:
        assert told == "samehand: interrupted; continue with `samehand train --resume last`"
        assert ask(home / "results.db", "SELECT status FROM runs") == [("cancelled",)]
        assert ask(in_prefect, "SELECT state_type FROM flow_run") == [("CANCELLED",)]
        tasks = ask(in_prefect, "SELECT count(*) FROM task_run WHERE state_type = 'RUNNING'")
        assert tasks <= [(1,)]  # one that began at that moment, and that Prefect heard of late
        arguments = ["train", "--resume", "last"]
    resumed = terminal(environment, *arguments, "--quiet")
    assert resumed.end(200) == 0
    assert "starting" not in resumed.shown
    assert "INFO" not in resumed.shown
    assert "it/s" not in resumed.shown
    assert "image/s" not in resumed.shown
    for figures in FIGURES:
        assert ask(home / "results.db", figures) == ask(trained.database, figures)


def test_a_killed_command_leaves_no_server(
    terminal: Callable[..., Terminal], paintings: Path, tmp_path: Path
) -> None:
    training = terminal(environment_of(tmp_path / "home"), "train", str(paintings))
    training.show_until("starting Prefect's server …")
    while not processes_of(tmp_path) - {training.pid}:
        time.sleep(0.05)
    os.kill(training.pid, signal.SIGKILL)
    os.waitpid(training.pid, 0)
    assert_no_process_is_left(tmp_path)


def assert_no_process_is_left(folder: Path) -> None:
    for _ in range(300):
        if not processes_of(folder):
            return
        time.sleep(0.1)
    assert not processes_of(folder)


def processes_of(folder: Path) -> set[int]:
    """The processes that are told of a folder by their environment."""
    found = set()
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if f"{folder}/".encode() in (path / "environ").read_bytes():
                found.add(int(path.name))
        except OSError:  # it has ended, or is another user's
            continue
    return found


def ask(database: Path, question: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(database) as connection:
        return connection.execute(question).fetchall()

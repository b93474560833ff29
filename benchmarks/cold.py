"""Time whole commands, each in a fresh process that imports and opens everything anew."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.paintings import paint
from benchmarks.report import Row, Table
from benchmarks.timing import alternate, compared

# A training run of a minute or two, whose network is that of preset best.
TRAIN = (
    "train",
    "--preset=best",
    "--set=train_triplets=8",
    "--set=validation_triplets=50",
    "--set=test_triplets=50",
    "--set=epochs=2",
    "--set=resamples=100",
)
SAMEHAND = "from flows.cli import main; main()"
SECOND_EPOCH = "runs/*/triplets/train-002.npz"
COMMANDS = ("--help", "results runs", "compare", "evaluate")


def measure(*, rounds: int = 2) -> Table:
    """Train a network in a workspace of its own, and time commands that use it."""
    with TemporaryDirectory() as folder:
        environment = {
            "SAMEHAND_HOME": str(Path(folder) / "home"),
            "PREFECT_HOME": str(Path(folder) / "prefect"),
        }
        run_samehand(environment, *TRAIN)
        table = time_commands(environment, COMMANDS, rounds)
        return replace(table, rows=(*table.rows, time_resumed(environment, TRAIN, rounds)))


def time_commands(environment: Mapping[str, str], commands: Sequence[str], rounds: int) -> Table:
    """Time commands in a workspace that has a model, against what importing torch takes.

    ``compare`` compares two full-size JPEGs.
    """
    with TemporaryDirectory() as folder:
        images = [write_painting(Path(folder) / f"{number}.jpg", number) for number in range(2)]
        ways: dict[str, Callable[[], object]] = {
            "python with torch": partial(run_python, environment, "-c", "import torch")
        }
        for command in commands:
            rest = images if command == "compare" else []
            ways[f"samehand {command}"] = partial(
                run_samehand, environment, *command.split(), *rest
            )
        seconds = alternate(ways, rounds)
    by_torch = seconds["python with torch"]
    notes = {name: f"{taken / by_torch:.2f} of torch's time" for name, taken in seconds.items()}
    rows = compared(seconds, notes)
    return Table("cold", "a command, its files in the system's cache", tuple(rows))


def time_resumed(environment: Mapping[str, str], train: Sequence[str], rounds: int) -> Row:
    """Time a resumed training from its command until it draws the next triplets."""
    seconds = []
    run_until_second_epoch(environment, *train)
    for _ in range(rounds):
        max(second_epochs(environment)).unlink()  # of the newest run
        seconds.append(run_until_second_epoch(environment, "train", "--resume", "last"))
    return Row("samehand train --resume last", median(seconds), "s", None, "until it trains")


def run_until_second_epoch(environment: Mapping[str, str], *arguments: str) -> float:
    """Stop a training as its second epoch begins; returns after how many seconds that was."""
    before, start = second_epochs(environment), time.perf_counter()
    with start_python(environment, "-c", SAMEHAND, *arguments) as process:
        while second_epochs(environment) == before:
            if process.poll() is not None:
                raise RuntimeError(f"{' '.join(arguments)} ended: {process.communicate()[1]}")
            time.sleep(0.01)
        seconds = time.perf_counter() - start
        process.terminate()
        process.communicate()
    return seconds


def second_epochs(environment: Mapping[str, str]) -> set[Path]:
    """The triplets of all runs' second epochs."""
    return set(Path(environment["SAMEHAND_HOME"]).glob(SECOND_EPOCH))


def write_painting(path: Path, seed: int) -> str:
    """A full-size JPEG; returns its path."""
    path.write_bytes(paint(1600, 1200, seed, seed))
    return str(path)


def run_samehand(environment: Mapping[str, str], *arguments: str) -> None:
    """Run the command line as it is installed."""
    run_python(environment, "-c", SAMEHAND, *arguments)


def run_python(environment: Mapping[str, str], *arguments: str) -> None:
    """Run Python, which must not fail."""
    with start_python(environment, *arguments) as process:
        _, told = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{' '.join(arguments)} failed: {told}")


def start_python(environment: Mapping[str, str], *arguments: str) -> subprocess.Popen[str]:
    """Start Python with this environment and nothing of ours or Prefect's."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PREFECT", "SAMEHAND"))
    }
    return subprocess.Popen(
        [sys.executable, *arguments],
        env=kept | dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )

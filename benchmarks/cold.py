"""Whole commands, each in a fresh process: what is imported and opened counts."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.paintings import paint
from benchmarks.report import Row, Table
from benchmarks.timing import alternate

# A training run of a minute, whose network is as large as the reference's.
TRAIN = (
    "train",
    "--set=crop_size=224",
    "--set=train_triplets=8",
    "--set=validation_triplets=50",
    "--set=test_triplets=50",
    "--set=epochs=1",
    "--set=resamples=100",
)
COMMANDS = ("--help", "results runs", "compare", "evaluate")


def measure(*, rounds: int = 2) -> Table:
    """Train a network in a workspace of its own, and time commands that use it."""
    with TemporaryDirectory() as folder:
        environment = {
            "SAMEHAND_HOME": str(Path(folder) / "home"),
            "PREFECT_HOME": str(Path(folder) / "prefect"),
        }
        run_samehand(environment, *TRAIN)
        return time_commands(environment, COMMANDS, rounds)


def time_commands(environment: Mapping[str, str], commands: Sequence[str], rounds: int) -> Table:
    """Time commands in a workspace that has a model; ``compare`` compares two full-size JPEGs."""
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
    rows = [Row(name, taken, "s") for name, taken in seconds.items()]
    return Table("cold", "a command, its files in the system's cache", tuple(rows))


def write_painting(path: Path, seed: int) -> str:
    """A full-size JPEG; returns its path."""
    path.write_bytes(paint(1600, 1200, seed, seed))
    return str(path)


def run_samehand(environment: Mapping[str, str], *arguments: str) -> None:
    """Run the command line as it is installed."""
    run_python(environment, "-c", "from flows.cli import main; main()", *arguments)


def run_python(environment: Mapping[str, str], *arguments: str) -> None:
    """Run Python, which must not fail, with this environment and nothing of ours or Prefect's."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PREFECT", "SAMEHAND"))
    }
    command = [sys.executable, *arguments]
    ran = subprocess.run(
        command, env=kept | dict(environment), capture_output=True, text=True, check=False
    )
    if ran.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {ran.stderr}")

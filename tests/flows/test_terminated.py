"""A command that is told to end does, wherever it is at that moment."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.flows.conftest import environment_of

COMMAND = """
import os
import signal
import sys
import time

from prefect import flow

from flows.cli import app, main
from flows.cli.errors import one_line_errors

class Ending:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(1000):
            pass  # the signal is handled here, where what its handler raises ends nothing

def work():
    Ending()
    time.sleep(20)

@app.command()
def by_itself():
    with one_line_errors(debug=False, going_on="samehand train --resume last"):
        work()

@app.command()
def in_a_flow():
    with one_line_errors(debug=False, going_on="samehand train --resume last"):
        flow(work)()

main()
"""


@pytest.mark.parametrize("command", ["by-itself", "in-a-flow"])
def test_told_to_end_in_a_destructor_a_command_ends(command: str, tmp_path: Path) -> None:
    process = subprocess.run(
        [sys.executable, "-c", COMMAND, command],
        env=environment_of(tmp_path),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert process.returncode == 143
    told = " ".join(process.stderr.split())
    assert "samehand: terminated; `samehand train --resume last` goes on" in told

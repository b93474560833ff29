"""What is logged to a pipe that nobody reads any more ends nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import logging, os, sys
from pathlib import Path
from prefect.logging.configuration import setup_logging
from tasks.support.output import survive_closed_output

setup_logging()
if sys.argv[1] == "survives":
    survive_closed_output()
reader, writer = os.pipe()
os.dup2(writer, 1)
os.dup2(writer, 2)
os.close(writer)
os.close(reader)
for _ in range(2):
    logging.getLogger("prefect").warning("the reader of this is gone")
Path(sys.argv[2]).touch()
"""


@pytest.mark.parametrize(("how", "is_finished"), [("survives", True), ("as Prefect does", False)])
def test_a_run_goes_on_where_nobody_reads_its_log(
    how: str, is_finished: bool, tmp_path: Path
) -> None:
    subprocess.run([sys.executable, "-c", PROGRAM, how, str(tmp_path / "finished")], check=False)
    assert (tmp_path / "finished").exists() is is_finished

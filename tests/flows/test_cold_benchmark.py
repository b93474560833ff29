"""The benchmark of whole commands, on one of them."""

from benchmarks.cold import time_commands
from tests.flows.conftest import Trained


def test_commands_are_timed_in_processes_of_their_own(trained: Trained) -> None:
    table = time_commands({"SAMEHAND_HOME": str(trained.home)}, ["compare"], rounds=1)
    assert [row.what for row in table.rows] == ["python with torch", "samehand compare"]
    assert all(row.value > 0 for row in table.rows)

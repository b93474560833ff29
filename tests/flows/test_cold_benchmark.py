"""The benchmark of whole commands, on one of them."""

from pathlib import Path

import pytest

from benchmarks.cold import time_commands, time_resumed
from tests.flows.conftest import Trained, environment_of, tiny_settings


def test_each_command_is_timed_in_its_own_process(trained: Trained) -> None:
    table = time_commands({"SAMEHAND_HOME": str(trained.home)}, ["compare"], rounds=1)
    assert [row.what for row in table.rows] == ["python with torch", "samehand compare"]
    by_torch, compare = table.rows
    assert by_torch.value > 0
    assert compare.ratio == pytest.approx(by_torch.value / compare.value)
    assert compare.note == f"{compare.value / by_torch.value:.2f} of torch's time"


def test_a_resumed_training_is_timed_until_it_continues(
    paintings: Path, tmp_path: Path, prefect_api: str
) -> None:
    environment = {
        name: value
        for name, value in environment_of(tmp_path / "home", prefect_api).items()
        if name.startswith(("SAMEHAND", "PREFECT"))
    }
    row = time_resumed(environment, ["train", str(paintings), *tiny_settings()], rounds=1)
    assert row.value > 0

"""Checkpoints on a disk that is full."""

from pathlib import Path

import pytest
import torch

from storage.errors import InputError
from tasks.epoch_job import replacing_weights

FULL = Path("/dev/full")  # every write to it says that the disk is full


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_told_in_one_line_that_names_the_file(tmp_path: Path) -> None:
    target = tmp_path / "epoch-001.pt"

    def save() -> None:
        with replacing_weights(target) as partial:
            partial.symlink_to(FULL)
            torch.save({"weights": torch.zeros(1 << 20)}, partial)

    with pytest.raises(InputError) as refusal:
        save()
    assert str(refusal.value) == f"{target}: cannot be written; is the disk full?"
    assert list(tmp_path.iterdir()) == []


def test_another_error_of_torch_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="sizes"), replacing_weights(tmp_path / "a.pt"):
        raise RuntimeError("sizes do not fit")

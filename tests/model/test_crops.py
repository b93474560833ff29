"""Crops are gathered from disk and from a copy on the device."""

from pathlib import Path

import numpy as np
import pytest
import torch

from model.crops import Crops, copied, resident, streamed

PIXELS = np.random.default_rng(0).integers(256, size=(2500, 4, 4, 3), dtype=np.uint8)
ROWS = np.array([2499, 0, 7, 7], dtype=np.int32)


def test_a_copy_and_the_mapped_file_give_the_same_crops(tmp_path: Path) -> None:
    np.save(tmp_path / "pixels.npy", PIXELS)
    mapped = np.load(tmp_path / "pixels.npy", mmap_mode="r")
    cpu = torch.device("cpu")
    for crops in (streamed(mapped, "cpu"), Crops(mapped, copied(mapped, cpu), cpu)):
        np.testing.assert_array_equal(crops.gather(ROWS).numpy(), PIXELS[ROWS])


def test_crops_are_not_copied_on_a_cpu() -> None:
    assert resident(PIXELS, "cpu").resident is None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_crops_are_copied_once_to_a_gpu() -> None:
    crops = resident(PIXELS, "cuda")
    assert crops.resident is not None
    np.testing.assert_array_equal(crops.gather(ROWS).cpu().numpy(), PIXELS[ROWS])

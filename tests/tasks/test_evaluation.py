"""The threshold from validation pairs, and a network that tells nothing apart."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from prefect.logging import disable_run_logger

from storage.arrays import save_arrays
from storage.datasets.dataset import Dataset
from tasks.evaluation import choose_threshold
from tasks.models import Threshold
from tasks.settings import Settings

ARTISTS = np.repeat(["Monet", "Manet", "Degas"], 3)


def threshold_of(folder: Path, vectors: np.ndarray) -> Threshold:
    images = pd.DataFrame({"artist_name": ARTISTS, "file": "a.jpg", "split": "validation"})
    images["image_name"] = [f"{n}.jpg" for n in range(len(ARTISTS))]
    images["crop"] = range(len(ARTISTS))
    images.to_csv(folder / "catalog.csv", index=False)
    save_arrays(folder / "embeddings.npz", {"embeddings": vectors.astype(np.float32)})
    with disable_run_logger():
        return choose_threshold.fn(folder / "embeddings.npz", Dataset(folder), Settings())


@pytest.mark.parametrize("at", [0.0, 0.25, -300.0])
def test_a_network_that_embeds_all_alike_is_named_as_collapsed(tmp_path: Path, at: float) -> None:
    rounding = np.random.default_rng(0).normal(scale=1e-7, size=(9, 4)) * abs(at)
    assert threshold_of(tmp_path, np.full((9, 4), at) + rounding).has_collapsed


def test_a_poor_network_has_not_collapsed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    noise = np.random.default_rng(0).normal(scale=1e-2, size=(9, 4))
    assert not threshold_of(tmp_path, 1 + noise).has_collapsed

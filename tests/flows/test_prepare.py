"""Several runs that need the same dataset."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd

from flows.prepare import Prepared, prepare_flow
from flows.settings import Overrides
from storage.datasets.building import SplitCatalog
from storage.datasets.dataset import load_split
from storage.datasets.pixels import open_pixels

RUNS = 3


def test_one_of_several_runs_makes_the_crops_that_all_need(
    prefect_server: None, home: Path, paintings: Path
) -> None:
    def prepare(_run: int) -> SplitCatalog | Prepared:
        settings: Overrides = {"crop_size": 32, "validation_artists": 4, "test_artists": 4}
        return prepare_flow(str(paintings), "demo", settings)

    with ThreadPoolExecutor(RUNS) as pool:
        made = [one for one in pool.map(prepare, range(RUNS)) if isinstance(one, Prepared)]
    assert len(made) == RUNS
    (folder,) = (home / "datasets").iterdir()
    assert sorted(path.name for path in folder.iterdir()) == [
        ".lock",
        "catalog.csv",
        "crops.zip",
        "near-duplicates.csv",
        "pixels.npy",
        "rejected.csv",
    ]
    assert len(pd.read_csv(folder / "catalog.csv")) == 48
    dataset = made[0].dataset
    assert len(open_pixels(dataset.pixels)) == 48
    assert len(load_split(dataset, "test").names) == 16

"""What killed runs leave among datasets and features."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from storage.datasets.dataset import Dataset
from storage.datasets.features import FeatureStore, save_shard
from storage.datasets.leftovers import remove_leftovers
from storage.locks import try_lock
from storage.run_folder import RESUMABLE
from storage.workspace import Workspace


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path, f"sqlite:///{tmp_path / 'results.db'}")


def half_made(space: Workspace) -> tuple[Dataset, FeatureStore]:
    """A dataset and features of which a shard is done."""
    dataset, store = Dataset(space.datasets / "d"), FeatureStore(space.features / "f")
    for folder in (dataset.staging, store.staging):
        save_shard(folder / "00001.npy", np.zeros((2, 3), np.float32))
    return dataset, store


def complete(made: tuple[Dataset, FeatureStore]) -> None:
    """Write what completes them, as if the process died in that moment."""
    dataset, store = made
    dataset.catalog.write_bytes(b"image_name")
    save_shard(store.array, np.zeros((2, 3), np.float32))


def test_shards_wait_until_their_whole_is_complete(space: Workspace) -> None:
    made = half_made(space)
    remove_leftovers(space)
    assert all(each.staging.exists() for each in made)
    complete(made)
    remove_leftovers(space)
    assert not any(each.staging.exists() for each in made)
    assert all(each.is_complete for each in made)


def test_shards_of_a_process_at_work_are_left_alone(space: Workspace) -> None:
    dataset, store = made = half_made(space)
    complete(made)
    with try_lock(dataset.lock), try_lock(store.lock):
        remove_leftovers(space)
        assert all(each.staging.exists() for each in made)


def test_an_unfinished_whole_is_removed_after_a_week(space: Workspace) -> None:
    made = half_made(space)
    long_ago = time.time() - RESUMABLE.total_seconds() - 60
    for each in made:
        os.utime(each.staging, (long_ago, long_ago))
    remove_leftovers(space)
    assert not any(each.directory.exists() for each in made)

"""Stored features: shards joined in their order, named by what they were made from."""

from pathlib import Path

import numpy as np
import pytest

from storage.datasets.features import (
    FeatureStore,
    open_features,
    pack_shards,
    save_shard,
    store_of,
)
from storage.errors import InputError

ROWS = np.arange(5, dtype=np.int64)


def test_shards_are_joined_in_their_order_and_gone_after_that(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path / "features")
    parts = [np.full((size, 3), size, np.float32) for size in (2, 4, 1)]
    for number, part in enumerate(parts, start=1):
        save_shard(store.shard(number), part)
    assert not store.is_complete
    pack_shards(store, [store.shard(number) for number in (1, 2, 3)])
    assert store.is_complete
    assert (open_features(store.array) == np.concatenate(parts)).all()
    assert list(store.directory.rglob("*.npy")) == [store.array]


def test_features_are_mapped_read_only(tmp_path: Path) -> None:
    save_shard(tmp_path / "features.npy", np.zeros((2, 3), np.float32))
    features = open_features(tmp_path / "features.npy")
    assert isinstance(features, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        features[0] = 1


def test_a_store_is_named_by_crops_rows_and_what_makes_it(tmp_path: Path) -> None:
    crops, others = tmp_path / "crops.zip", tmp_path / "others.zip"
    crops.write_bytes(b"crops")
    others.write_bytes(b"others")
    one = store_of(tmp_path, crops, ROWS, "backbone")
    assert one == store_of(tmp_path, crops, ROWS.copy(), "backbone")
    different = {
        store_of(tmp_path, others, ROWS, "backbone"),
        store_of(tmp_path, crops, ROWS[:4], "backbone"),
        store_of(tmp_path, crops, ROWS, "another backbone"),
    }
    assert len(different | {one}) == 4


@pytest.mark.parametrize(
    "content", [None, b"", b"not an array", np.zeros(3, np.float32), np.zeros((2, 3))]
)
def test_a_file_without_features_is_refused(tmp_path: Path, content: object) -> None:
    path = tmp_path / "features.npy"
    if isinstance(content, np.ndarray):
        np.save(path, content)
    elif isinstance(content, bytes):
        path.write_bytes(content)
    with pytest.raises(InputError, match="not features"):
        open_features(path)


def test_pickled_objects_are_not_read(tmp_path: Path) -> None:
    np.save(tmp_path / "features.npy", np.array([[object()]], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="not features"):
        open_features(tmp_path / "features.npy")

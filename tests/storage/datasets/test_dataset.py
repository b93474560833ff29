"""What of a prepared dataset is handed to the model."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from storage.catalogs.catalog import write_catalog
from storage.datasets.dataset import Dataset, content_hash, load_split
from storage.errors import InputError

ROWS = [
    ("b1", "Bosch", "test", "Gothic", "0"),
    ("a1", "Arp", "train", "Dada", "1"),
    ("c1", "Klee", "test", "", "2"),
    ("b2", "Bosch", "test", "Surreal", "3"),
    ("c2", "Klee", "test", "Gothic", "4"),
    ("c3", "Klee", "test", "Gothic", ""),
    ("d1", "Dix", "excluded", "Dada", "5"),
    ("e1", "Ernst", "test", "  ", "7"),
]


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    columns = ["image_name", "artist_name", "split", "style", "crop"]
    images = pd.DataFrame(ROWS, columns=columns, dtype="str")
    made = Dataset(tmp_path)
    write_catalog(images.assign(file=images["image_name"], sha256="5a"), made.catalog)
    return made


def test_the_parts_of_a_dataset_lie_in_its_folder() -> None:
    parts = Dataset(Path("d"))
    names = {parts.catalog.name, parts.rejected.name, parts.crops.name, parts.pixels.name}
    assert names == {"catalog.csv", "rejected.csv", "crops.zip", "pixels.npy"}


def test_a_splits_images_are_those_with_a_crop_in_the_catalogs_order(dataset: Dataset) -> None:
    images = load_split(dataset, "test")
    assert images.names == ("b1", "c1", "b2", "c2", "e1")
    assert images.artist_names == ("Bosch", "Klee", "Bosch", "Klee", "Ernst")
    assert images.rows.tolist() == [0, 2, 3, 4, 7]
    assert images.artists.tolist() == [0, 1, 0, 1, 2]
    assert images.labels.tolist() == [-1] * 5
    assert {array.dtype for array in (images.rows, images.artists, images.labels)} == {
        np.dtype(np.int64)
    }


def test_labels_number_the_values_of_a_column_and_blanks_are_minus_one(dataset: Dataset) -> None:
    assert load_split(dataset, "test", "style").labels.tolist() == [0, -1, 1, 0, -1]


def test_a_missing_column_is_named_with_the_existing_ones(dataset: Dataset) -> None:
    known = "image_name, artist_name, split, style, sha256"
    fault = rf"^matched_on: .*catalog\.csv has no column 'genre'; it has {known}$"
    with pytest.raises(InputError, match=fault):
        load_split(dataset, "test", "genre")


def test_a_split_without_artists_is_empty(dataset: Dataset) -> None:
    images = load_split(dataset, "validation", "style")
    assert (images.names, images.rows.shape, images.labels.shape) == ((), (0,), (0,))


def test_the_content_hash_tells_what_was_painted_by_whom_in_which_split() -> None:
    columns = ["image_name", "artist_name", "split", "sha256", "title"]
    images = pd.DataFrame([("1", "A", "train", "aa", ""), ("2", "B", "test", "bb", "")])
    images.columns = pd.Index(columns)
    assert content_hash(images.assign(title="Sea")) == content_hash(images)
    changed = [images.assign(**{column: ["x", images[column][1]]}) for column in columns[:4]]
    assert len({content_hash(table) for table in [images, *changed]}) == 5

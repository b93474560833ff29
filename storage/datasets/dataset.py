"""A prepared dataset: a folder with a catalog, crops and their pixels."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from storage.catalogs.catalog import read_catalog
from storage.catalogs.checks import EXCLUDED
from storage.datasets.crop import CropRules
from storage.datasets.crop_archive import staging_of
from storage.datasets.decoding import DECODING
from storage.errors import InputError
from storage.files import present
from storage.image_files import find_file

CROPPED = "crop"
"""Column of a dataset's catalog: the image's place among the crops, blank where it has none."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """The folder of a prepared dataset, complete once its catalog is there."""

    directory: Path

    @property
    def is_complete(self) -> bool:
        """Whether it is ready to use."""
        return present(self.catalog).exists()

    @property
    def lock(self) -> Path:
        """Held by the run that makes the dataset."""
        return self.directory / ".lock"

    @property
    def catalog(self) -> Path:
        """Every usable image with its split, the hash of its file and its place in the crops."""
        return self.directory / "catalog.csv"

    @property
    def rejected(self) -> Path:
        """The images that cannot be used, and why."""
        return self.directory / "rejected.csv"

    @property
    def near_duplicates(self) -> Path:
        """The images that show the same picture, where they were looked for."""
        return self.directory / "near-duplicates.csv"

    @property
    def crops(self) -> Path:
        """The crops, JPEGs in one zip."""
        return self.directory / "crops.zip"

    @property
    def staging(self) -> Path:
        """The folder of the crops, until they are packed."""
        return staging_of(self.crops)

    @property
    def pixels(self) -> Path:
        """The crops decoded, (N, S, S, 3) uint8."""
        return self.directory / "pixels.npy"


@dataclass(frozen=True, slots=True)
class SplitImages:
    """The N images of one split, or of all, in the catalog's order.

    ``rows`` are their places in the pixels; ``artists`` and ``labels`` number the artists and the
    values of one chosen column (-1: blank) from 0, in order of first appearance. ``titles`` are
    blank where the catalog has none.
    """

    names: tuple[str, ...]
    artist_names: tuple[str, ...]
    titles: tuple[str, ...]
    splits: tuple[str, ...]
    rows: npt.NDArray[np.int64]
    artists: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]


def load_split(dataset: Dataset, split: str | None, label_column: str | None = None) -> SplitImages:
    """Read the images of ``split``, or of all. Raises InputError without its ``label_column``."""
    images = read_catalog(dataset.catalog)
    images = images[(images["split"] == (split or images["split"])) & (images[CROPPED] != "")]
    labels = np.full(len(images), -1, dtype=np.int64)
    if label_column is not None:
        if label_column not in images.columns:
            known = ", ".join(name for name in images.columns if name not in ("file", CROPPED))
            raise InputError(
                f"matched_on: {dataset.catalog} has no column {label_column!r}; it has {known}"
            )
        values = images[label_column]
        labels = pd.factorize(values.where(values.str.strip() != ""))[0].astype(np.int64)
    return SplitImages(
        names=tuple(images["image_name"]),
        artist_names=tuple(images["artist_name"]),
        titles=tuple(images["title"]) if "title" in images.columns else ("",) * len(images),
        splits=tuple(images["split"]),
        rows=np.array(images[CROPPED].to_numpy(), dtype=np.int64),
        artists=pd.factorize(images["artist_name"])[0].astype(np.int64),
        labels=labels,
    )


def read_near_duplicates(dataset: Dataset) -> pd.DataFrame:
    """Return the images that show the same picture: filename, duplicate_of, kind, similarity."""
    if not present(dataset.near_duplicates).exists():  # of a dataset made by an earlier version
        return pd.DataFrame(columns=["filename", "duplicate_of", "kind", "similarity"])
    texts = {"filename": str, "duplicate_of": str, "kind": str}
    return pd.read_csv(dataset.near_duplicates, dtype=texts, keep_default_na=False)


def has_column(dataset: Dataset, name: str) -> bool:
    """Return whether a dataset's catalog has a column of that name."""
    return name in read_catalog(dataset.catalog).columns


def dataset_key(root: Path, catalog: Path, rules: CropRules) -> str:
    """Hash what a dataset is made from, so that only the very same is used again.

    Sizes and times stand for the files' bytes, as reading them all costs as much as cropping.
    """
    digest = hashlib.sha256(f"{root}\n{rules} {DECODING}\n".encode())
    digest.update(present(catalog).read_bytes())
    images = read_catalog(catalog)
    for file in images.loc[images["split"] != EXCLUDED, "file"]:
        digest.update(_stamp(root, file).encode())
    return digest.hexdigest()[:12]


def content_hash(images: pd.DataFrame) -> str:
    """Hash a dataset's content: each image's name, artist, split and bytes."""
    columns = images[["image_name", "artist_name", "split", "sha256"]]
    return hashlib.sha256(columns.to_csv(index=False).encode()).hexdigest()


def _stamp(root: Path, file: str) -> str:
    """Return the size and time of a file, or of the zip that holds it."""
    path, _ = find_file(root, file)
    if not path.is_file():
        return f"{file} missing\n"
    found = path.stat()
    return f"{file} {found.st_size} {found.st_mtime_ns}\n"

"""Features of crops from a frozen backbone, stored once for all runs."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from storage.errors import unusable
from storage.files import present, remove, replacing, sha256_of

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FeatureStore:
    """The folder of one set of features: shards at first, then one array."""

    directory: Path

    @property
    def is_complete(self) -> bool:
        """Whether it is ready to use."""
        return present(self.array).exists()

    @property
    def lock(self) -> Path:
        """Held by the run that makes the features."""
        return self.directory / ".lock"

    @property
    def array(self) -> Path:
        """The features (N, D) float32, in the order of the images."""
        return self.directory / "features.npy"

    @property
    def staging(self) -> Path:
        """The folder of the shards, until they are joined."""
        return self.directory / "shards"

    def shard(self, number: int) -> Path:
        """The features of one shard."""
        return self.staging / f"{number:05d}.npy"


def store_of(folder: Path, crops: Path, rows: npt.NDArray[np.int64], made_by: str) -> FeatureStore:
    """Return the store of features of the crops in ``rows``, whether it exists or not.

    Its name depends on the zip of crops, the rows, and ``made_by``: the network and the warp.
    """
    digest = hashlib.sha256(f"{sha256_of(crops)} {made_by}\n".encode() + rows.tobytes())
    return FeatureStore(folder / digest.hexdigest()[:16])


def save_shard(path: Path, features: Float32) -> None:
    """Write the features of one shard atomically."""
    with replacing(path) as partial, partial.open("wb") as file:
        np.save(file, features, allow_pickle=False)


def pack_shards(store: FeatureStore, shards: Sequence[Path]) -> None:
    """Join the shards, in order, into the array, with one of them in memory at a time."""
    parts = [open_features(path) for path in shards]
    shape = (sum(len(part) for part in parts), parts[0].shape[1])
    with replacing(store.array) as partial:
        whole = np.lib.format.open_memmap(partial, mode="w+", dtype=np.float32, shape=shape)
        start = 0
        for part in parts:
            whole[start : start + len(part)] = part
            start += len(part)
        whole.flush()
    remove(store.staging)


def open_features(path: Path) -> Float32:
    """Map the features in a file, (N, D), read-only; never unpickles.

    Raises InputError if the file is missing or holds something else.
    """
    try:
        features: Float32 = np.load(present(path), mmap_mode="r", allow_pickle=False)
        if features.ndim != 2 or features.dtype != np.float32:
            raise ValueError(f"{features.dtype} of shape {features.shape}")
    except (OSError, ValueError, EOFError) as error:
        raise unusable(error, f"{path}: not features ({error}); delete it") from error
    return features

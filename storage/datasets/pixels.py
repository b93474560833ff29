"""The crops decoded once into an array on disk, which is then read in place."""

import os
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np
import numpy.typing as npt
from PIL import Image

from storage.datasets.crop_archive import entry_name
from storage.errors import InputError, unusable
from storage.files import present, replacing
from storage.threads import in_threads


def unpack_pixels(
    archive: Path,
    names: Sequence[str],
    target: Path,
    size: int,
    progress: Callable[[int, int], None],
) -> None:
    """Decode the crops of the images `names`, in order, from the zip `archive` to `target`.

    `target` becomes a .npy of uint8 RGB, shape (len(names), size, size, 3), written atomically.

    Raises InputError if the zip, an entry or its size is wrong, and OSError, before anything is
    decoded, if the disk is full.
    """
    with _opened(archive) as crops, replacing(target) as partial:
        _refuse_missing(crops, names, archive)
        pixels = _room_for(partial, (len(names), size, size, 3))

        def unpack(row: int) -> None:
            pixels[row] = _decode(crops, entry_name(names[row]), size, archive)

        in_threads(unpack, range(len(names)), progress)
        pixels.flush()


def open_pixels(path: Path) -> npt.NDArray[np.uint8]:
    """Map the array of `unpack_pixels`, shape (N, size, size, 3), read-only.

    Raises InputError if the file is missing or is not such an array; never unpickles.
    """
    try:
        pixels = np.lib.format.open_memmap(present(path), mode="r")
    except (OSError, ValueError) as error:
        raise unusable(error, f"{path}: not an array of pixels ({error}): {_CURE}") from error
    square = pixels.ndim == 4 and pixels.shape[1] == pixels.shape[2] and pixels.shape[3] == 3
    if not square or pixels.dtype != np.uint8:
        found = f"{pixels.dtype} of shape {pixels.shape}"
        raise InputError(f"{path}: {found} instead of uint8 (N, size, size, 3): {_CURE}")
    return pixels


_CURE = "delete it and prepare again"


def _opened(archive: Path) -> ZipFile:
    try:
        return ZipFile(present(archive))
    except (OSError, BadZipFile) as error:
        raise unusable(error, f"{archive}: not a zip of crops ({error}): {_CURE}") from error


def _refuse_missing(crops: ZipFile, names: Sequence[str], archive: Path) -> None:
    present = set(crops.namelist())
    missing = [name for name in names if entry_name(name) not in present]
    if missing:
        raise InputError(f"{archive}: {len(missing)} crops missing, first {missing[0]}: {_CURE}")


def _room_for(path: Path, shape: tuple[int, int, int, int]) -> np.memmap[Any, Any]:
    """Map a new array, reserving its disk space: a full disk later would kill the process."""
    pixels = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    if hasattr(os, "posix_fallocate"):  # not on macOS
        with path.open("rb+") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return pixels


def _decode(crops: ZipFile, entry: str, size: int, archive: Path) -> npt.NDArray[np.uint8]:
    """Decode one crop, shape (size, size, 3)."""
    try:
        image = Image.open(BytesIO(crops.read(entry)), formats=("JPEG",)).convert("RGB")
    except (OSError, BadZipFile) as error:
        raise unusable(error, f"{archive}: {entry} is damaged ({error}): {_CURE}") from error
    if image.size != (size, size):
        found = f"{image.width} x {image.height}"
        raise InputError(f"{archive}: {entry} is {found}, not {size} x {size}: {_CURE}")
    return np.asarray(image)

"""Crops of images outside datasets: two to compare, or those of a pair file."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from storage.datasets.crop import CropRules, crop, encode
from storage.datasets.decoding import without_pillow_warnings
from storage.errors import InputError, reason_of
from storage.file_names import file_name_fault
from storage.image_files import find_file
from storage.threads import in_threads


@dataclass(frozen=True, slots=True)
class LooseCrops:
    """The usable images among those given: ``pixels`` (N, S, S, 3) and N ``names``."""

    names: tuple[str, ...]
    pixels: npt.NDArray[np.uint8]
    rejected: tuple[tuple[str, str], ...]


def crop_loose(
    files: Sequence[tuple[str, str]],
    read: Callable[[str], bytes],
    rules: CropRules,
    progress: Callable[[int, int], None],
) -> LooseCrops:
    """Crop images given as (name, file), through JPEG like those of a dataset.

    A fault that may pass is raised; any other rejects its image.
    """

    def attempt(entry: tuple[str, str]) -> npt.NDArray[np.uint8] | str:
        try:
            cropped = encode(crop(read(entry[1]), rules), rules.quality)
        except (InputError, OSError) as error:
            return reason_of(error)
        return np.asarray(Image.open(io.BytesIO(cropped)).convert("RGB"))

    with without_pillow_warnings():
        outcomes = in_threads(attempt, files, progress)
    pairs = list(zip((name for name, _ in files), outcomes, strict=True))
    usable = [(name, made) for name, made in pairs if not isinstance(made, str)]
    pixels = np.stack([made for _, made in usable]) if usable else _none(rules.size)
    return LooseCrops(
        tuple(name for name, _ in usable),
        pixels,
        tuple((name, made) for name, made in pairs if isinstance(made, str)),
    )


def locate_images(root: Path, names: Sequence[str]) -> list[tuple[str, str]]:
    """Pair each name with its file in ``root``, or in Kaggle's test folder or zip."""
    from storage.sources.kaggle import files_by_name  # takes pandas along

    listed = files_by_name(root, "test")
    return [(name, name if _is_file(root, name) else listed.get(name, name)) for name in names]


def _is_file(root: Path, name: str) -> bool:
    return file_name_fault(name) is None and find_file(root, name)[0].is_file()


def _none(size: int) -> npt.NDArray[np.uint8]:
    return np.empty((0, size, size, 3), np.uint8)

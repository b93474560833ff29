"""Crops of images outside datasets: two to compare, or those of a pair file."""

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from storage.datasets.colour import rgb
from storage.datasets.crop import CropRules, crop_and_shrink, encode
from storage.datasets.decoding import decoding_errors, open_image, upright, without_pillow_warnings
from storage.datasets.near_duplicates import SIDE, Small
from storage.errors import InputError, reason_of
from storage.file_names import file_name_fault
from storage.image_files import find_file
from storage.threads import in_threads

_Made = tuple[tuple[int, int], str, npt.NDArray[np.uint8], Small]


@dataclass(frozen=True, slots=True)
class LooseCrops:
    """The usable images among those given: of each its file's SHA-256, its crop, and all of it.

    ``small`` are pictures as `near_duplicates` compares them.
    """

    names: tuple[str, ...]
    sizes: tuple[tuple[int, int], ...]  # (width, height) in pixels
    sha256: tuple[str, ...]
    pixels: npt.NDArray[np.uint8]  # (N, S, S, 3)
    small: npt.NDArray[np.uint8]  # (N, SIDE, SIDE)
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

    def attempt(entry: tuple[str, str]) -> _Made | str:
        try:
            content = read(entry[1])
            cropped, small = crop_and_shrink(content, rules)
            with open_image(content) as image:
                size = image.size
        except (InputError, OSError) as error:
            return reason_of(error)
        encoded = io.BytesIO(encode(cropped, rules.quality))
        pixels = np.asarray(Image.open(encoded).convert("RGB"))
        return size, hashlib.sha256(content).hexdigest(), pixels, small

    with without_pillow_warnings():
        outcomes = in_threads(attempt, files, progress)
    pairs = list(zip((name for name, _ in files), outcomes, strict=True))
    usable = [(name, *made) for name, made in pairs if not isinstance(made, str)]
    return LooseCrops(
        tuple(name for name, *_ in usable),
        tuple(size for _, size, *_ in usable),
        tuple(sha256 for _, _, sha256, *_ in usable),
        np.stack([pixels for *_, pixels, _ in usable]) if usable else _none(rules.size),
        np.stack([small for *_, small in usable]) if usable else _none(SIDE)[..., 0],
        tuple((name, made) for name, made in pairs if isinstance(made, str)),
    )


def read_small(content: bytes, side: int) -> npt.NDArray[np.uint8]:
    """Return a picture to look at, (H, W, 3), no side longer than ``side`` pixels.

    Raises InputError if it cannot be decoded.
    """
    with decoding_errors():
        image = open_image(content)
        image.draft(None, (side, side))
        small = rgb(upright(image))
        small.thumbnail((side, side))
        return np.asarray(small)


def locate_images(root: Path, names: Sequence[str]) -> list[tuple[str, str]]:
    """Pair each name with its file in ``root``, or in Kaggle's test folder or zip."""
    from storage.sources.kaggle import files_by_name  # takes pandas along

    listed = files_by_name(root, "test")
    return [(name, name if _is_file(root, name) else listed.get(name, name)) for name in names]


def _is_file(root: Path, name: str) -> bool:
    return file_name_fault(name) is None and find_file(root, name)[0].is_file()


def _none(size: int) -> npt.NDArray[np.uint8]:
    return np.empty((0, size, size, 3), np.uint8)

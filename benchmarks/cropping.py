"""Cropping full-size JPEGs: decode only what the crop needs, on all cores."""

import io
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image
from torchvision.transforms.functional import center_crop

from benchmarks.paintings import paint
from benchmarks.report import Row, Table
from benchmarks.timing import alternate, compared
from storage.datasets.crop import CropRules, crop, encode
from storage.datasets.crop_archive import SourceImage, pack_crops, stage_crops, without_leaks

RULES = CropRules()
COPIES = 5  # of each original in a dataset: what is done once weighs little beside hundreds
PAINTED = ((1600, 1200), (1200, 1700), (2000, 1300), (1400, 1100))


def measure(originals: Path | None, *, count: int = 60, rounds: int = 5) -> Table:
    """Measure on at most ``count`` JPEGs below ``originals``; painted ones where None is given."""
    files = read_originals(originals, count) if originals else paint_originals(count)
    ways = {
        "Pillow, the whole image": partial(_each, crop_whole, files),
        "what the crop needs": partial(_each, crop_ours, files),
        "limit: its bits alone, read at an eighth of the size": partial(_each, read_bits, files),
    }
    seconds = alternate(ways, rounds)
    seconds[list(ways)[-1]] *= float(np.mean([share_above(file) for file in files]))
    rows = compared({name: 1000 * taken / len(files) for name, taken in seconds.items()}, {})
    rows = [Row(row.what, row.value, "ms an image, one core", row.ratio) for row in rows]
    rows += _by_cores(files, 3 * rounds)  # of which the ratio is needed closely
    apart = max(farthest(crop(file, RULES), whole_crop(file)) for file in files)
    rows.append(Row("farthest from the whole image's crop", apart, "grey levels"))
    source = "originals" if originals else "painted originals"
    return Table("cropping", f"{len(files)} {source} to 224 x 224", tuple(rows))


def read_originals(folder: Path, count: int) -> list[bytes]:
    """The first ``count`` JPEGs below a folder."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    return [path.read_bytes() for path in paths[:count]]


def paint_originals(count: int) -> list[bytes]:
    """JPEGs of the sizes that photographs of paintings have."""
    return [paint(*PAINTED[seed % len(PAINTED)], seed, seed) for seed in range(count)]


def whole_crop(file: bytes) -> Image.Image:
    """The reference's crop."""
    return center_crop(Image.open(io.BytesIO(file)).convert("RGB"), [RULES.size, RULES.size])  # type: ignore[no-any-return]


def crop_whole(file: bytes) -> bytes:
    """The reference's way, from the bytes of the painting to those of the crop."""
    return encode(whole_crop(file), RULES.quality)


def crop_ours(file: bytes) -> bytes:
    """Our way."""
    return encode(crop(file, RULES), RULES.quality)


def read_bits(file: bytes) -> None:
    """Read all bits of a JPEG, none of which can be skipped, and compute next to nothing."""
    image = Image.open(io.BytesIO(file))
    image.draft("RGB", (1, 1))
    image.load()


def share_above(file: bytes) -> float:
    """The share of an image's lines that come before the end of its crop."""
    height = Image.open(io.BytesIO(file)).height
    return min(1.0, (height + RULES.size) / 2 / height)


def farthest(one: Image.Image, other: Image.Image) -> int:
    """The greatest difference of two images in any pixel's red, green or blue."""
    return int(np.abs(np.asarray(one).astype(int) - np.asarray(other).astype(int)).max())


def _each(work: Callable[[bytes], object], files: Sequence[bytes]) -> None:
    for file in files:
        work(file)


def _by_cores(files: Sequence[bytes], rounds: int) -> list[Row]:
    """Files to zip, as a dataset is built, on one core and on all."""
    files = [_with_comment(file, copy) for copy in range(COPIES) for file in files]
    if not hasattr(os, "sched_setaffinity"):  # Linux only
        return []
    all_cores = os.sched_getaffinity(0)
    ways = {
        f"files to zip, cores: {len(cores)}": partial(_to_zip, files, cores)
        for cores in ({min(all_cores)}, all_cores)
    }
    try:
        return compared(alternate(ways, rounds), {})
    finally:
        os.sched_setaffinity(0, all_cores)


def _with_comment(file: bytes, number: int) -> bytes:
    """A JPEG with a comment after its first two bytes, so that no copy is taken for another."""
    return file[:2] + b"\xff\xfe\x00\x03" + bytes([number]) + file[2:]


def _to_zip(files: Sequence[bytes], cores: set[int]) -> None:
    """Threads that are started from here run on these cores."""
    os.sched_setaffinity(0, cores)
    images = [SourceImage(f"{place}.jpg", str(place), "", "") for place in range(len(files))]
    with TemporaryDirectory() as folder:
        target = Path(folder) / "crops.zip"
        made = stage_crops(images, lambda file: files[int(file)], target, RULES, lambda *_: None)
        pack_crops(without_leaks(images, made).crops, target, RULES)

"""Near-duplicates: copies made from paintings that are found, and different pairs that are not."""

import io
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.paintings import paint_crops
from benchmarks.report import Row, Table
from storage.datasets.crop import shrink_image
from storage.datasets.near_duplicates import find_near_duplicates

COPIED = 200
MOST = 20_000  # paintings, so that all their pairs are compared within minutes

Change = Callable[[Image.Image], Image.Image]


def cropped(left: float, top: float, right: float, bottom: float) -> Change:
    """Return a change that keeps what lies between these shares of width and height."""

    def change(image: Image.Image) -> Image.Image:
        width, height = image.size
        return image.crop(
            (round(left * width), round(top * height), round(right * width), round(bottom * height))
        )

    return change


CHANGES: dict[str, Change] = {
    "saved with JPEG quality 50": lambda image: image,
    "half the size": lambda image: image.resize((image.width // 2, image.height // 2)),
    "cropped by 3 % on each side": cropped(0.03, 0.03, 0.97, 0.97),
    "cropped by 3 % on one side": cropped(0, 0, 0.97, 1),
    "grey": lambda image: image.convert("L"),
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
}


def measure(originals: Path | None) -> Table:
    """Change paintings, of a folder or painted ones, and look for the copies among all of them."""
    files = _files(originals)
    started = time.perf_counter()
    pictures = np.stack([shrink_image(file) for file in files])
    shrunk = time.perf_counter()
    false = find_near_duplicates(pictures)
    compared = time.perf_counter()
    n_pairs = len(files) * (len(files) - 1) // 2
    rows = [
        Row("read and shrink", shrunk - started, "s", note=f"{len(files)} paintings"),
        Row("compare all pairs", compared - shrunk, "s", note=f"{n_pairs:,} pairs"),
        Row("different pairs taken for copies", len(false), "", note="look at them: some are none"),
    ]
    chosen = np.random.default_rng(0).permutation(len(files))[:COPIED]
    for name, change in CHANGES.items():
        quality = 50 if "quality" in name else 90
        found = [_is_found(pictures[row], files[row], change, quality) for row in chosen]
        rows.append(Row(f"{name}: found", 100 * float(np.mean(found)), "%", note=f"{len(found)}"))
    return Table("near duplicates", f"{len(files)} paintings", tuple(rows))


def _is_found(picture: np.ndarray, file: bytes, change: Change, quality: int) -> bool:
    buffer = io.BytesIO()
    change(Image.open(io.BytesIO(file)).convert("RGB")).save(buffer, "JPEG", quality=quality)
    return bool(find_near_duplicates(np.stack([picture, shrink_image(buffer.getvalue())])))


def _files(originals: Path | None) -> list[bytes]:
    if originals is None:
        return list(paint_crops(np.arange(400) % 40, 224))
    return [file.read_bytes() for file in sorted(originals.rglob("*.jpg"))[:MOST]]

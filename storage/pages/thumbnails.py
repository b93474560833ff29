"""Thumbnails in a few sheets, so that a page of 20,000 pictures opens few files."""

from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from storage.files import write_atomically
from storage.threads import in_threads

SIDE = 128  # pixels of a thumbnail
ACROSS = 16  # thumbnails across a sheet, and down
PER_SHEET = ACROSS * ACROSS
QUALITY = 80
LEVELS = 10  # bits of a position in the order on the map


def write_sheets(
    folder: Path,
    names: Sequence[str],
    read: Callable[[str], bytes],
    progress: Callable[[int, int], None],
) -> None:
    """Write the thumbnails of the images `names` to sheet-0.jpg and so on, in their order.

    Each sheet has `PER_SHEET` of them, row by row. `read` returns the bytes of an image file; what
    it raises is raised.
    """

    def write(number: int) -> None:
        own = names[number * PER_SHEET : (number + 1) * PER_SHEET]
        sheet = Image.new("RGB", (ACROSS * SIDE, -(-len(own) // ACROSS) * SIDE))
        for place, name in enumerate(own):
            row, column = divmod(place, ACROSS)
            sheet.paste(_thumbnail(read(name)), (column * SIDE, row * SIDE))
        sheet.save(jpeg := BytesIO(), "JPEG", quality=QUALITY)
        write_atomically(folder / f"sheet-{number}.jpg", jpeg.getvalue())

    in_threads(write, range(-(-len(names) // PER_SHEET)), progress)


def order_on_map(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    """Order pictures at `x`, `y` (N,) between 0 and 1 so that a view needs few sheets: (N,).

    First come pictures from all over the map, which fill the first sheet, for the view of all;
    then all others along a curve that keeps neighbours together (Morton 1966).
    """
    column, row = ((np.clip(each, 0, 1) * (2**LEVELS - 1)).astype(np.int64) for each in (x, y))
    curve = np.argsort(_interleaved(column, row), kind="stable")
    cell = (column * ACROSS >> LEVELS) * ACROSS + (row * ACROSS >> LEVELS)
    _, first = np.unique(cell[curve], return_index=True)  # at most one sheet
    spread = curve[first]
    return np.concatenate([spread, curve[~np.isin(curve, spread)]])


def _thumbnail(data: bytes) -> Image.Image:
    image = Image.open(BytesIO(data))
    image.draft("RGB", (SIDE, SIDE))
    return ImageOps.fit(image.convert("RGB"), (SIDE, SIDE), Image.Resampling.BILINEAR)


def _interleaved(
    column: npt.NDArray[np.int64], row: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Mix the bits of two numbers (N,), from the highest down: (N,)."""
    mixed = np.zeros_like(column)
    for bit in range(LEVELS):
        mixed |= (column >> bit & 1) << 2 * bit | (row >> bit & 1) << 2 * bit + 1
    return mixed

"""Part of a JPEG decoded without the rest: nothing below it, and above and beside it no pixels.

A JPEG's bits can only be read from the start, but they need not all become pixels. Pillow has no
way to leave any out; nvImageCodec has, and it is libjpeg-turbo as Pillow's own decoder is, so that
the pixels are the same. Its GPU is not asked for: this works on any machine that has its wheel.
"""

import os
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from types import ModuleType

import numpy as np
from PIL import Image
from PIL.ExifTags import Base

from storage.datasets.jpeg_holes import refuse_hole

Box = tuple[int, int, int, int]

END_OF_IMAGE = b"\xff\xd9"
WORTH = 3  # times as many pixels in the image as in the part: with fewer, Pillow decodes it faster
MARGIN = 16  # pixels: at its edges a part lacks the neighbours from which colours are interpolated
LARGE = 2**29  # bytes of pixels: of a larger image, nvImageCodec decodes the whole
_loading = threading.Lock()
_decoding_large = threading.Lock()  # one at a time, so that memory suffices


def decode_part(data: bytes, image: Image.Image, box: Box) -> Image.Image | None:
    """The pixels of `image`, opened from `data`, inside `box` (left, top, right, bottom).

    None where all of it has to be decoded or may as well be: anything but a plain, upright, whole
    JPEG in RGB, a part that is not small, no nvImageCodec. Damage below the box stays unnoticed
    where restart markers show that it is below. Raises InputError for a hole above.
    """
    left, top, right, bottom = box
    is_small = WORTH * (right - left) * (bottom - top) <= image.width * image.height
    codec = _codec() if is_small and _is_plain(data, image) else None
    if codec is None:
        return None
    refuse_hole(data, rows=bottom + MARGIN)
    first, above = max(left - MARGIN, 0), max(top - MARGIN, 0)
    last, below = min(right + MARGIN, image.width), min(bottom + MARGIN, image.height)
    part = codec.CodeStream(data).get_sub_code_stream(
        region=codec.Region(above, first, below, last)
    )
    # A decoder takes one call at a time. To make another costs less than to share one.
    decoder = codec.Decoder(
        max_num_cpu_threads=1,
        device_id=codec.NVIMGCODEC_DEVICE_CPU_ONLY,
        backends=[codec.Backend(codec.CPU_ONLY)],
    )
    is_large = 3 * image.width * image.height > LARGE
    with _decoding_large if is_large else nullcontext():
        decoded = decoder.decode(part)
    if decoded is None:
        return None
    pixels = np.asarray(decoded)
    return Image.fromarray(pixels).crop((left - first, top - above, right - first, bottom - above))


def _is_plain(data: bytes, image: Image.Image) -> bool:
    """Whether the image is stored as it is shown, line by line, and ends where it should."""
    return (
        image.format == "JPEG"
        and image.mode == "RGB"
        and "progressive" not in image.info
        and data.endswith(END_OF_IMAGE)
        and _is_upright(image)
    )


def _is_upright(image: Image.Image) -> bool:
    try:
        return bool(image.getexif().get(Base.Orientation, 1) == 1)
    except (SyntaxError, ValueError, TypeError, struct.error):
        return False


@cache
def _codec() -> ModuleType | None:
    """The library, loaded when first needed, or None where it has no wheel."""
    with _loading, _silence():
        try:
            from nvidia import nvimgcodec
        except ImportError:
            return None
        return nvimgcodec  # type: ignore[no-any-return]


@contextmanager
def _silence() -> Iterator[None]:
    """Keep what the library writes to standard error, about codecs for GPUs, from the user."""
    os.environ.setdefault("PYNVIMGCODEC_VERBOSITY", "0")
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)

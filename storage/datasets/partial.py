"""Decodes part of a JPEG without computing the pixels around it.

A JPEG's bits can only be read from the start, but need not all become pixels. Pillow always
decodes the whole. nvImageCodec need not, and uses libjpeg-turbo like Pillow, so its pixels are the
same. No GPU is used.
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
WORTH = 3  # times the part's pixels: Pillow decodes smaller images faster
MARGIN = 16  # pixels, from which colours at the part's edges are interpolated
LARGE = 2**29  # bytes of pixels: of a larger image, nvImageCodec decodes the whole
_loading = threading.Lock()
_decoding_large = threading.Lock()  # one at a time, so that memory suffices


def decode_part(data: bytes, image: Image.Image, box: Box) -> Image.Image | None:
    """Return the pixels of `image`, opened from `data`, inside `box` (left, top, right, bottom).

    Returns None if the whole should be decoded: for anything but a plain, upright, complete JPEG
    in RGB, for a large part, and without nvImageCodec. Raises InputError for a hole in the data
    that is not known to be below the box.
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
    # A decoder takes one call at a time, and making one costs less than sharing it.
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
    """Return whether the image is stored as shown, line by line, and complete."""
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
    """Load nvImageCodec when first needed; None if it is not installed."""
    with _loading, _silence():
        try:
            from nvidia import nvimgcodec
        except ImportError:
            return None
        return nvimgcodec  # type: ignore[no-any-return]


@contextmanager
def _silence() -> Iterator[None]:
    """Discard the library's messages about GPU codecs on standard error."""
    os.environ.setdefault("PYNVIMGCODEC_VERBOSITY", "0")
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)

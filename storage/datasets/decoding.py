"""Decodes an image file, or explains in one line why it cannot be decoded."""

import math
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile

from storage.datasets.jpeg_holes import SOI
from storage.datasets.tiff import heed_tags
from storage.errors import InputError

DECODING = 2
"""Raised whenever the same file would give other pixels; names of datasets depend on it."""

# Only these: other formats may start another program (EPS runs Ghostscript).
FORMATS = ("JPEG", "PNG", "GIF", "TIFF", "BMP", "WEBP", "JPEG2000", "AVIF", "PPM")


def open_image(data: bytes) -> Image.Image:
    """Read an image's header, not its pixels yet; of several frames the first.

    Raises InputError for no bytes and for a size that the bytes cannot hold, and whatever Pillow
    raises for the rest: use it inside `decoding_errors`.
    """
    if not data:
        raise InputError("empty file")
    try:
        image: Image.Image = Image.open(BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError:
        if not data.startswith(SOI):
            raise
        image = JpegImageFile(BytesIO(data))
        if "progressive" in image.info or _is_impossible(image, len(data)):
            raise  # progressive ones need memory for the whole
    _refuse_impossible_size(image, len(data))
    heed_tags(image)
    return image


def upright(image: Image.Image) -> Image.Image:
    """Decode an image and turn it as its EXIF says; unturned where its EXIF cannot be read.

    Raises InputError for more than twice Pillow's `MAX_IMAGE_PIXELS`.
    """
    if image.width * image.height > 2 * (Image.MAX_IMAGE_PIXELS or math.inf):
        raise InputError(f"too many pixels to decode safely: {image.width} x {image.height}")
    image.load()
    try:
        ImageOps.exif_transpose(image, in_place=True)
    except (SyntaxError, ValueError, TypeError, struct.error):
        return image  # its pixels are whole, and most such pictures are upright anyway
    return image


@contextmanager
def decoding_errors() -> Iterator[None]:
    """Turn any error while Pillow decodes, except MemoryError, into InputError with a reason."""
    try:
        yield
    except (InputError, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise InputError("not an image, or of an unknown format") from error
    except Image.DecompressionBombError as error:
        raise InputError(f"too many pixels to decode safely: {error}") from error
    except Exception as error:  # broken bytes surface as whatever struct, zlib or indexing raises
        message = " ".join(str(error).split()) or type(error).__name__
        reason = (
            "truncated file" if "truncated" in message.lower() else f"cannot be decoded: {message}"
        )
        raise InputError(reason) from error


@contextmanager
def without_pillow_warnings() -> Iterator[None]:
    """Silence Pillow's warnings about single files, such as a large size or odd EXIF.

    Whatever cannot be used is rejected with a reason anyway. Warning filters belong to the whole
    process: enter this around a pool of threads, not in them.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def _refuse_impossible_size(image: Image.Image, n_bytes: int) -> None:
    """Refuse a JPEG too short for the size it claims: the decoder would fill it up with grey."""
    if _is_impossible(image, n_bytes):
        claimed = f"{image.width} x {image.height} pixels"
        raise InputError(f"truncated file: {n_bytes} bytes cannot hold the {claimed} it claims")


def _is_impossible(image: Image.Image, n_bytes: int) -> bool:
    """Return whether a JPEG is too short: it has at least a bit for each 8 x 8 pixels."""
    return image.format in ("JPEG", "MPO") and image.width * image.height > 64 * 8 * n_bytes

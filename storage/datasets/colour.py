"""Converts pixels of any kind to 8-bit sRGB, following their colour profile."""

from functools import lru_cache
from io import BytesIO
from typing import Final

import numpy as np
from PIL import Image, ImageCms

from storage.datasets.tiff import GREY_RANGE
from storage.errors import InputError

# sRGB profiles round differently. Profiles within this many levels count as sRGB.
SAME_WITHIN: Final = 2

_PROFILED: Final = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
"""Pillow's mode for each colour space that a profile can describe."""


def rgb(image: Image.Image) -> Image.Image:
    """Convert an image to sRGB: transparency over black, 16-bit greys scaled to 8 bits.

    Raises InputError for 32-bit pixels, whose range is unknown.
    """
    profile = image.info.get("icc_profile")
    if image.mode == "F":
        raise InputError("32-bit float pixels have no known range: save it with 8 or 16 bits")
    if image.mode == "I" or image.mode.startswith("I;16"):
        return in_srgb(_from_16_bits(image), profile)
    if image.has_transparency_data:
        with_alpha = image.convert("RGBA")
        colours = image.convert("L") if image.mode in ("L", "LA") else with_alpha.convert("RGB")
        opaque = Image.new("RGB", image.size)
        opaque.paste(in_srgb(colours, profile), mask=with_alpha.getchannel("A"))
        return opaque
    return in_srgb(image, profile)


def in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert opaque pixels to sRGB, following an ICC profile if there is one.

    Broken profiles, and profiles of another colour space than the image's, are ignored.
    """
    if image.mode not in _PROFILED.values():
        image = image.convert("RGB")
    transform = _transform(profile, image.mode) if isinstance(profile, bytes) else None
    if transform is None:
        return image if image.mode == "RGB" else image.convert("RGB")
    return transform.apply(image.convert(transform.input_mode))


@lru_cache(maxsize=32)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Prepare the conversion from a profile to sRGB; None if it would change nothing."""
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        profiled = _PROFILED.get(source.profile.xcolor_space.strip())
        if profiled is None or (mode, profiled) not in _SUITED:
            return None
        srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
        # The cache of a transform is shared by all threads that use it.
        transform = ImageCms.ImageCmsTransform(
            source, srgb, profiled, "RGB", flags=ImageCms.Flags.NOCACHE
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
    return None if _changes_nothing(transform) else transform


# A grey image may have an RGB profile, but not the reverse.
_SUITED: Final = (("RGB", "RGB"), ("L", "L"), ("L", "RGB"), ("CMYK", "CMYK"))


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    """Try all greys and a grid of colours."""
    if transform.input_mode == "CMYK":
        return False
    grid = np.stack(np.meshgrid(*[np.arange(0, 256, 15)] * 3), axis=-1).reshape(1, -1, 3)
    greys = np.arange(256).repeat(3).reshape(1, -1, 3)
    probe = np.concatenate([greys] if transform.input_mode == "L" else [greys, grid], axis=1)
    image = Image.fromarray(probe.astype(np.uint8))
    made = np.asarray(transform.apply(image.convert(transform.input_mode)))
    return bool(np.abs(made - probe).max() <= SAME_WITHIN)


def _from_16_bits(image: Image.Image) -> Image.Image:
    """Scale greys to 0-255, rounded; Pillow's own conversion clips them at 255."""
    grey = np.asarray(image).astype(np.int64)
    if grey.min() < 0 or grey.max() > 65535:
        raise InputError("32-bit integer pixels have no known range: save it with 8 or 16 bits")
    black, white = image.info.get(GREY_RANGE, (0, 65535))
    return Image.fromarray(((grey - black) / (white - black) * 255).round().astype(np.uint8))

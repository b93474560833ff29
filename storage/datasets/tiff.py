"""TIFF files whose pixels Pillow silently misreads."""

from typing import Final

from PIL import Image, TiffImagePlugin

from storage.errors import InputError

GREY_RANGE: Final = "grey range"
"""Key of an image's `info`: the 16-bit values of black and of white."""

_GREYS_FROM_WHITE: Final = 0  # of the tag PhotometricInterpretation
_PLANES: Final = 2  # of the tag PlanarConfiguration


def heed_tags(image: Image.Image) -> None:
    """Record in `image.info` which 16-bit greys are black and white.

    Raises InputError if the pixels are in separate planes that Pillow misreads.
    """
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return
    tags = image.tag_v2
    bits: tuple[int, ...] = tags.get(TiffImagePlugin.BITSPERSAMPLE, (1,))
    if image.mode.startswith("I;16"):
        white = 2 ** bits[0] - 1
        is_negative = tags[TiffImagePlugin.PHOTOMETRIC_INTERPRETATION] == _GREYS_FROM_WHITE
        image.info[GREY_RANGE] = (white, 0) if is_negative else (0, white)
    if tags.get(TiffImagePlugin.PLANAR_CONFIGURATION) == _PLANES:
        is_raw = image.info["compression"] == "raw"
        if image.mode == "LA" or (is_raw and (bits[0] != 8 or len(bits) < 3)):
            raise InputError(
                f"{bits[0]}-bit TIFF in separate planes: save it with interleaved pixels"
            )

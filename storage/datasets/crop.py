"""Crops the square centre of a painting, from the bytes of its file to those of a JPEG."""

from dataclasses import dataclass
from io import BytesIO

from PIL import Image

from storage.datasets.colour import in_srgb, rgb
from storage.datasets.decoding import decoding_errors, open_image, upright
from storage.datasets.jpeg_holes import refuse_hole
from storage.datasets.near_duplicates import SIDE, Small, shrink
from storage.datasets.partial import Box, decode_part
from storage.errors import InputError

# Images are first shrunk by whole factors, which is fast, to at least this many times the wanted
# size, which keeps the result close to exact resampling. Pillow's thumbnails use the same value.
REDUCING_GAP = 2.0


@dataclass(frozen=True, slots=True)
class CropRules:
    """How an image becomes a crop; the defaults are the reference's.

    `size` is the side of the square in pixels. The image's shorter side is first resized to
    `short_side` pixels, unless None. `quality` is the JPEG's. With `no_near_duplicates`, of images
    that show the same picture one is kept. Raises InputError naming the setting.
    """

    size: int = 224
    short_side: int | None = None
    quality: int = 75
    no_near_duplicates: bool = False

    def of_one_image(self) -> dict[str, int | None]:
        """Return the rules that concern a single image, as an exported network describes them."""
        return {"size": self.size, "short_side": self.short_side, "quality": self.quality}

    def __post_init__(self) -> None:
        """Refuse impossible rules."""
        if self.size < 1:
            raise InputError(f"crop_size is {self.size}: set it to 1 or more")
        if self.short_side is not None and self.short_side < self.size:
            raise InputError(
                f"resize_short_side is {self.short_side}, less than crop_size: "
                f"set it to {self.size} or more, or leave it out"
            )
        if not 1 <= self.quality <= 100:
            raise InputError(f"jpeg_quality is {self.quality}: set it to 1 to 100")


def crop(data: bytes, rules: CropRules) -> Image.Image:
    """Return the centre of an image: sRGB, `rules.size` square, turned upright as its EXIF says.

    Without resizing, an image that is too small is centred on black. Transparent parts are black
    too, as neither is paint. The first of several frames is used.
    Raises InputError with a short reason, without the file's name, for anything but a whole image
    of a known format, and if more than twice Pillow's `MAX_IMAGE_PIXELS` had to be decoded; a
    larger JPEG can be decoded in part or at a reduced size.
    """
    with decoding_errors():
        image = open_image(data)
        if rules.short_side is None:
            return _centre(data, image, rules.size)
        whole = rgb(_drafted(data, image, rules.short_side))
        return _resized_centre(whole, rules.size, rules.short_side)


def crop_and_shrink(data: bytes, rules: CropRules) -> tuple[Image.Image, Small]:
    """Return the same crop, and the whole image as `near_duplicates` compares it.

    The image is decoded once if it is resized. Raises what `crop` raises.
    """
    with decoding_errors():
        image = open_image(data)
        if rules.short_side is None:
            return crop(data, rules), shrink_image(data)
        whole = rgb(_drafted(data, image, rules.short_side))
        return _resized_centre(whole, rules.size, rules.short_side), shrink(whole)


def shrink_image(data: bytes) -> Small:
    """Return the whole image as `near_duplicates` compares it. Raises what `crop` raises."""
    with decoding_errors():
        return shrink(rgb(_drafted(data, open_image(data), 2 * SIDE)))


def encode(image: Image.Image, quality: int) -> bytes:
    """Return the image as JPEG bytes, the same for the same pixels and Pillow version."""
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _centre(data: bytes, image: Image.Image, size: int) -> Image.Image:
    """Crop as torchvision's CenterCrop does, decoding no more than the crop if possible.

    The crop is converted to RGB before it is padded with black, because zero is white in CMYK and
    any colour in a palette.
    """
    part = decode_part(data, image, _middle(image, size))
    if part is None:
        refuse_hole(data)
        whole = upright(image)
        inside = rgb(whole.crop(_middle(whole, size)))
    else:
        inside = in_srgb(part, image.info.get("icc_profile"))
    square = Image.new("RGB", (size, size))
    square.paste(inside, ((size - inside.width) // 2, (size - inside.height) // 2))
    return square


def _middle(image: Image.Image, size: int) -> Box:
    """Return the box of the image's middle: `size` square, or less in a smaller image."""
    left, top = (_offset(length, size) for length in image.size)
    return left, top, min(left + size, image.width), min(top + size, image.height)


def _offset(length: int, size: int) -> int:
    """Return where a crop of `size` begins on a side of `length`, rounded as torchvision does."""
    return max(0, round((length - size) / 2))


def _drafted(data: bytes, image: Image.Image, short_side: int) -> Image.Image:
    """Decode a whole image, a JPEG at a half, quarter or eighth if that is large enough."""
    refuse_hole(data)
    share = min(1.0, REDUCING_GAP * short_side / min(image.size))
    image.draft(None, (max(1, round(image.width * share)), max(1, round(image.height * share))))
    return upright(image)


def _resized_centre(image: Image.Image, size: int, short_side: int) -> Image.Image:
    """Resize and crop in one step, so that a long, thin image is never enlarged as a whole."""
    side = min(image.size) * size / short_side
    left, top = ((length - side) / 2 for length in image.size)
    box = (left, top, left + side, top + side)
    lanczos = Image.Resampling.LANCZOS
    return image.resize((size, size), lanczos, box=box, reducing_gap=REDUCING_GAP)

"""The square centre of one painting, from the bytes of its file to those of a JPEG."""

from dataclasses import dataclass
from io import BytesIO

from PIL import Image

from storage.datasets.colour import in_srgb, rgb
from storage.datasets.decoding import decoding_errors, open_image, upright
from storage.datasets.jpeg_holes import refuse_hole
from storage.datasets.partial import Box, decode_part
from storage.errors import InputError

# Before exact resampling an image is shrunk by whole factors, which is fast, to no less than this
# many times the size asked for, which keeps the result close. It is what Pillow's thumbnails use.
REDUCING_GAP = 2.0


@dataclass(frozen=True, slots=True)
class CropRules:
    """How an image becomes a crop; the defaults are the reference's.

    `size` is the side of the square in pixels. `short_side` is the length in pixels to which the
    image's shorter side is resized first, None for no resizing. `quality` is that of the JPEG.
    Raises InputError naming the setting.
    """

    size: int = 224
    short_side: int | None = None
    quality: int = 75

    def __post_init__(self) -> None:
        """Refuse what cannot be a crop."""
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
    """The centre of an image: sRGB, `rules.size` square, turned upright as its EXIF says.

    Without resizing, an image that is too small is centred on black; with it, none is too small.
    Whatever is transparent shows black too: neither is paint. Of several frames the first counts.
    Raises InputError with a short reason, without the file's name, for anything that is not a
    whole image of a known format, and where more than twice Pillow's `MAX_IMAGE_PIXELS` would have
    to be decoded: of a larger JPEG, the middle or a reduced size can be.
    """
    with decoding_errors():
        image = open_image(data)
        if rules.short_side is None:
            return _centre(data, image, rules.size)
        refuse_hole(data)
        _draft(image, rules.short_side)
        return _resized_centre(upright(image), rules.size, rules.short_side)


def encode(image: Image.Image, quality: int) -> bytes:
    """The image as JPEG bytes; the same bytes for the same pixels under the same Pillow."""
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _centre(data: bytes, image: Image.Image, size: int) -> Image.Image:
    """Cut as torchvision's CenterCrop does, decoding no more than that where it can be done.

    Only what is cut out is converted to RGB, and it is so before black is put around it: zero is
    white in CMYK, and any colour in a palette.
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
    """The box of the image's middle, `size` square or less where the image is smaller."""
    left, top = (_offset(length, size) for length in image.size)
    return left, top, min(left + size, image.width), min(top + size, image.height)


def _offset(length: int, size: int) -> int:
    """Where a crop of `size` begins on a side of `length`: rounded half to even, as torchvision."""
    return max(0, round((length - size) / 2))


def _draft(image: Image.Image, short_side: int) -> None:
    """Let a JPEG be decoded at a half, quarter or eighth where that is still more than enough."""
    share = min(1.0, REDUCING_GAP * short_side / min(image.size))
    image.draft(None, (max(1, round(image.width * share)), max(1, round(image.height * share))))


def _resized_centre(image: Image.Image, size: int, short_side: int) -> Image.Image:
    """Resize and crop in one step, so that a long, thin image is never blown up as a whole."""
    side = min(image.size) * size / short_side
    left, top = ((length - side) / 2 for length in image.size)
    box = (left, top, left + side, top + side)
    lanczos = Image.Resampling.LANCZOS
    return rgb(image).resize((size, size), lanczos, box=box, reducing_gap=REDUCING_GAP)

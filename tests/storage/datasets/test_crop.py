"""One image to its centre, against Pillow and torchvision."""

import struct
import time
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import CenterCrop

from storage.datasets.crop import CropRules, crop, encode
from storage.datasets.decoding import without_pillow_warnings
from storage.errors import InputError

SMALL = CropRules(size=32)


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    """An image in which every pixel is another colour, so that no offset goes unnoticed."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def file_of(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """The bytes of an image file."""
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def pixels_of(image: Image.Image) -> npt.NDArray[np.uint8]:
    """Pixels of an image that is known to be RGB."""
    assert image.mode == "RGB"
    return np.asarray(image)


def reference(data: bytes, size: int) -> npt.NDArray[np.uint8]:
    """The crop as the reference makes it."""
    return np.asarray(CenterCrop(size)(Image.open(BytesIO(data)).convert("RGB")))


@given(st.integers(1, 80), st.integers(1, 80), st.integers(1, 60))
def test_crop_is_the_references_for_every_size(width: int, height: int, size: int) -> None:
    data = file_of(noise(width, height))
    cropped = crop(data, CropRules(size=size))
    np.testing.assert_array_equal(pixels_of(cropped), reference(data, size))


@pytest.mark.parametrize(("width", "height"), [(641, 480), (224, 224), (223, 301), (1, 1)])
def test_a_jpeg_at_the_default_rules_is_the_references(width: int, height: int) -> None:
    data = file_of(noise(width, height), "JPEG")
    np.testing.assert_array_equal(pixels_of(crop(data, CropRules())), reference(data, 224))


def test_encoding_is_what_pillow_saves_by_default() -> None:
    data = file_of(noise(300, 260))
    by_pillow = file_of(CenterCrop(224)(Image.open(BytesIO(data))), "JPEG")
    assert encode(crop(data, CropRules()), CropRules().quality) == by_pillow


def test_metadata_of_the_original_does_not_reach_the_crop() -> None:
    plain = file_of(noise(40, 40), "JPEG")
    commented = file_of(noise(40, 40), "JPEG", comment=b"scanned by A. N. Other", dpi=(300, 300))
    assert encode(crop(commented, SMALL), 75) == encode(crop(plain, SMALL), 75)


def test_a_lower_quality_makes_a_shorter_file() -> None:
    image = noise(64, 64)
    assert len(encode(image, 20)) < len(encode(image, 75)) < len(encode(image, 95))


@pytest.mark.parametrize("size", [(5000, 1), (1, 5000), (65000, 3)])
@pytest.mark.parametrize("short_side", [None, 40])
def test_a_long_thin_image_gives_a_crop(size: tuple[int, int], short_side: int | None) -> None:
    data = file_of(Image.new("RGB", size, (200, 100, 50)))
    cropped = pixels_of(crop(data, CropRules(size=32, short_side=short_side)))
    filled = np.full((32, 32, 3), (200, 100, 50))
    np.testing.assert_array_equal(cropped, filled if short_side else reference(data, 32))


# How EXIF describes, by number, an image that was stored turned. Each entry stores it so.
STORED: list[Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.uint8]]] = [
    lambda upright: upright,
    lambda upright: upright[:, ::-1],
    lambda upright: upright[::-1, ::-1],
    lambda upright: upright[::-1],
    lambda upright: upright.transpose(1, 0, 2),
    lambda upright: np.rot90(upright, 1),
    lambda upright: upright[::-1, ::-1].transpose(1, 0, 2),
    lambda upright: np.rot90(upright, -1),
]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_image_stored_turned_is_cropped_upright(orientation: int) -> None:
    upright = np.asarray(noise(61, 48))
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation - 1](upright)))
    exif = Image.Exif()
    exif[0x0112] = orientation
    cropped = crop(file_of(stored, exif=exif), SMALL)
    np.testing.assert_array_equal(pixels_of(cropped), reference(file_of(noise(61, 48)), 32))


def test_an_image_with_unreadable_exif_is_used() -> None:
    exif = Image.Exif()
    exif[0x0112] = 1
    whole = file_of(noise(48, 48), "WEBP", lossless=True, exif=exif)
    at = whole.index(b"EXIF") + 8
    broken = whole[:at] + b"??" + whole[at + 2 :]
    np.testing.assert_array_equal(pixels_of(crop(broken, SMALL)), pixels_of(crop(whole, SMALL)))


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("1", "PNG"), ("L", "PNG"), ("L", "JPEG"), ("P", "PNG"), ("P", "GIF"), ("CMYK", "TIFF"),
     ("CMYK", "JPEG"), ("RGB", "BMP"), ("RGB", "TIFF"), ("RGB", "WEBP"), ("RGB", "PPM")],
)  # fmt: skip
@pytest.mark.parametrize("width", [20, 50])
def test_every_opaque_mode_becomes_rgb_as_pillow_has_it(mode: str, kind: str, width: int) -> None:
    data = file_of(noise(width, 40).convert(mode), kind)
    np.testing.assert_array_equal(pixels_of(crop(data, SMALL)), reference(data, 32))


def test_padding_is_black_also_where_zero_is_another_colour() -> None:
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([255, 0, 0, 0, 255, 0])  # colour 0 is red, and all pixels are green
    for image, kind in ((palette, "PNG"), (Image.new("CMYK", (4, 4)), "TIFF")):
        cropped = crop(file_of(image, kind), SMALL)
        assert cropped.getpixel((0, 0)) == (0, 0, 0)
        assert cropped.getpixel((16, 16)) in {(0, 255, 0), (255, 255, 255)}


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_composited_over_black(mode: str) -> None:
    image = noise(32, 32).convert(mode)
    image.putalpha(
        Image.fromarray(np.arange(1024, dtype=np.uint16).astype(np.uint8).reshape(32, 32))
    )
    colours = np.asarray(image.convert("RGBA")).astype(float)
    by_hand = colours[..., :3] * colours[..., 3:] / 255
    assert np.abs(pixels_of(crop(file_of(image), SMALL)) - by_hand).max() <= 0.5


def test_a_transparent_palette_entry_and_a_transparent_colour_are_black() -> None:
    palette = Image.new("P", (32, 32), 1)
    palette.putpalette([255, 0, 0, 0, 255, 0])
    white = Image.new("RGB", (32, 32), "white")
    for data in (file_of(palette, transparency=1), file_of(white, transparency=(255, 255, 255))):
        assert not pixels_of(crop(data, SMALL)).any()


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_16_bit_grey_is_scaled_and_not_clipped(kind: str) -> None:
    grey = np.linspace(0, 65535, 1024).astype(np.uint16).reshape(32, 32)
    cropped = pixels_of(crop(file_of(Image.fromarray(grey), kind), SMALL))
    assert np.abs(cropped - grey[..., None] * (255 / 65535)).max() <= 0.5
    assert (cropped[..., 0] == cropped[..., 2]).all()


@pytest.mark.parametrize(
    ("pixels", "reason"),
    [
        (np.zeros((40, 40), np.float32), "32-bit float pixels"),
        (np.full((40, 40), 70000, np.int32), "32-bit integer pixels"),
        (np.full((40, 40), -1, np.int32), "32-bit integer pixels"),
    ],
)
def test_pixels_of_unknown_range_are_refused(pixels: npt.NDArray[Any], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        crop(file_of(Image.fromarray(pixels), "TIFF"), SMALL)


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "WEBP"])
def test_the_first_of_several_frames_is_used(kind: str) -> None:
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "lime", "blue")]
    data = file_of(frames[0], kind, save_all=True, append_images=frames[1:])
    red, green, blue = pixels_of(crop(data, SMALL))[16, 16]
    assert red > 250
    assert max(green, blue) < 5


def png_claiming(width: int, height: int, image: Image.Image) -> bytes:
    """A PNG whose header, with a right checksum, claims another size than its pixels have."""
    data = file_of(image)
    header = b"IHDR" + struct.pack(">II", width, height) + data[24:29]
    return data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:]


def jpeg_claiming(width: int, height: int, image: Image.Image) -> bytes:
    """A JPEG whose header claims another size than its pixels have."""
    data = file_of(image, "JPEG")
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]


HALF = {kind: file_of(noise(60, 60), kind) for kind in ("JPEG", "PNG", "BMP", "TIFF")}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty file"),
        (b"<html>404 Not Found</html>", "not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 50 50\nshowpage\n", "not an image"),
        (file_of(noise(60, 60), "JPEG")[:10], "truncated file"),
        *((data[: len(data) // 2], "truncated file") for data in HALF.values()),
        (png_claiming(90, 60, noise(60, 60)), "cannot be decoded|truncated file"),
        (png_claiming(12000, 12000, noise(60, 60)), "truncated file"),
        (jpeg_claiming(12000, 12000, noise(60, 60)), "truncated file: .* 12000 x 12000 pixels"),
        (png_claiming(20000, 20000, noise(60, 60)), "too many pixels"),
        (jpeg_claiming(65000, 65000, noise(60, 60)), "too many pixels"),
        (png_claiming(0, 60, noise(60, 60)), "not an image"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("short_side", [None, 40])
def test_incomplete_images_are_refused_with_a_short_reason(
    data: bytes, reason: str, short_side: int | None
) -> None:
    with without_pillow_warnings(), pytest.raises(InputError, match=reason) as refusal:
        crop(data, CropRules(size=32, short_side=short_side))
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 160


def test_a_bomb_is_refused_before_it_is_decoded() -> None:
    rows = zlib.compress(bytes(2501 * 20000), 1)  # 20000 x 20000 pixels of one bit: seconds of work
    header = b"IHDR" + struct.pack(">IIBBBBB", 20000, 20000, 1, 0, 0, 0, 0)
    chunks = [header, b"IDAT" + rows, b"IEND"]
    bomb = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        for chunk in chunks
    )
    began = time.process_time()
    with pytest.raises(InputError, match="too many pixels"):
        crop(bomb, SMALL)
    assert time.process_time() - began < 0.1


@pytest.mark.parametrize("short_side", [None, 40])
def test_the_middle_of_a_jpeg_too_large_to_decode_is_cropped(
    monkeypatch: pytest.MonkeyPatch, short_side: int | None
) -> None:
    data, rules = file_of(noise(800, 600), "JPEG"), CropRules(size=32, short_side=short_side)
    expected = pixels_of(crop(data, rules))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 800 * 600 // 2 - 1)
    np.testing.assert_array_equal(pixels_of(crop(data, rules)), expected)


@pytest.mark.parametrize("short_side", [None, 590])
@pytest.mark.parametrize(
    "data",
    [
        file_of(noise(800, 600), "JPEG", progressive=True),
        file_of(noise(800, 600), "PNG"),
        file_of(noise(800, 600).convert("CMYK"), "JPEG"),
    ],
    ids=["progressive", "PNG", "CMYK"],
)
def test_large_images_that_must_be_decoded_whole_are_refused(
    monkeypatch: pytest.MonkeyPatch, data: bytes, short_side: int | None
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 800 * 600 // 2 - 1)
    with pytest.raises(InputError, match="too many pixels to decode safely"):
        crop(data, CropRules(size=32, short_side=short_side))


def test_an_image_just_above_pillows_warning_is_cropped_without_one() -> None:
    assert Image.MAX_IMAGE_PIXELS is not None
    large = Image.new("1", (10000, Image.MAX_IMAGE_PIXELS // 10000 + 1), 1)
    data = file_of(large, "TIFF", compression="group4")
    with pytest.warns(Image.DecompressionBombWarning):
        crop(data, SMALL)
    with without_pillow_warnings():
        assert crop(data, SMALL).getpixel((0, 0)) == (255, 255, 255)


def test_resizing_first_is_resizing_then_cropping() -> None:
    whole = noise(160, 160)
    expected = CenterCrop(56)(whole.resize((64, 64), Image.Resampling.LANCZOS))
    cropped = crop(file_of(whole), CropRules(size=56, short_side=64))
    # Pillow first averages whole blocks where that is far enough above the size asked for.
    assert np.abs(pixels_of(cropped).astype(int) - np.asarray(expected)).mean() < 12
    barely = noise(120, 120)
    expected = CenterCrop(56)(barely.resize((64, 64), Image.Resampling.LANCZOS))
    cropped = crop(file_of(barely), CropRules(size=56, short_side=64))
    np.testing.assert_array_equal(pixels_of(cropped), np.asarray(expected))


def waves(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """A picture of soft waves, which any good resampling treats alike, at any point of it."""
    return 127.5 + 120 * np.stack(
        [np.sin(5 * x + phase) * np.cos(4 * y) for phase in (0, 1, 2)], axis=-1
    )


@pytest.mark.parametrize(("width", "height"), [(1000, 770), (300, 700), (50, 40), (640, 64)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_resized_crop_shows_the_middle_of_the_whole(width: int, height: int, kind: str) -> None:
    short = min(width, height)
    y, x = (np.mgrid[:height, :width] + 0.5) / short
    data = file_of(Image.fromarray(waves(x, y).round().astype(np.uint8)), kind)
    cropped = pixels_of(crop(data, CropRules(size=56, short_side=64)))
    # The crop's pixels lie 1/64 of the short side apart around the picture's middle.
    y, x = (np.mgrid[:56, :56] + 0.5 - 28) / 64
    expected = waves(x + width / short / 2, y + height / short / 2)
    assert np.abs(cropped - expected).mean() < (3 if kind == "JPEG" else 1)


@pytest.mark.parametrize(
    ("rules", "setting"),
    [
        ({"size": 0}, "crop_size"),
        ({"size": 224, "short_side": 223}, "resize_short_side"),
        ({"quality": 0}, "jpeg_quality"),
        ({"quality": 101}, "jpeg_quality"),
    ],
)
def test_impossible_rules_are_refused_by_the_settings_name(
    rules: dict[str, Any], setting: str
) -> None:
    with pytest.raises(InputError, match=f"^{setting} is"):
        CropRules(**rules)

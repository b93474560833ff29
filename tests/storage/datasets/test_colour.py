"""Colour profiles: one picture stored in many colour spaces gives the same crop."""

import struct
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageCms

from storage.datasets.crop import CropRules, crop

# Chromaticities of red, green and blue adapted to D50, as ICC profiles store them.
SRGB = ((0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141))
DISPLAY_P3 = ((0.5151, 0.2412, -0.0011), (0.2920, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841))
ADOBE_RGB = ((0.6097, 0.3111, 0.0195), (0.2053, 0.6257, 0.0609), (0.1492, 0.0632, 0.7446))
PROPHOTO = ((0.7977, 0.2880, 0.0), (0.1352, 0.7119, 0.0), (0.0313, 0.0001, 0.8249))
D50 = (0.9642, 1.0, 0.8249)


def icc(space: bytes, tags: dict[bytes, bytes], pcs: bytes = b"XYZ ") -> bytes:
    """An ICC profile, version 2, of the given tags."""
    named = {b"desc": b"desc" + bytes(4) + struct.pack(">I", 2) + b"x\0" + bytes(79), **tags}
    table, data, start = b"", b"", 128 + 4 + 12 * len(named)
    for name, content in named.items():
        table += struct.pack(">4sII", name, start + len(data), len(content))
        data += content + bytes(-len(content) % 4)
    kind = b"prtr" if space == b"CMYK" else b"mntr"
    head = struct.pack(">4x4xI4s4s4s12x4s28x", 0x02400000, kind, space, pcs, b"acsp")
    head += struct.pack(">3i", *(round(65536 * part) for part in D50)) + bytes(48)
    return (
        struct.pack(">I", start + len(data))
        + head[4:]
        + struct.pack(">I", len(named))
        + table
        + data
    )


def xyz(values: tuple[float, float, float]) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(65536 * value) for value in values))


def gamma(power: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(256 * power))


def rgb_profile(primaries: tuple[tuple[float, float, float], ...], power: float) -> bytes:
    tags = {b"wtpt": xyz(D50)}
    for letter, primary in zip((b"r", b"g", b"b"), primaries, strict=True):
        tags |= {letter + b"XYZ": xyz(primary), letter + b"TRC": gamma(power)}
    return icc(b"RGB ", tags)


def grey_profile(power: float) -> bytes:
    return icc(b"GRAY", {b"wtpt": xyz(D50), b"kTRC": gamma(power)})


def ink_profile() -> bytes:
    """Cyan, magenta and yellow do nothing; black goes evenly from white (L* 100) to L* 0."""
    ramp = bytes(range(256))
    corners = b"".join(
        struct.pack("3B", 0 if corner & 1 else 255, 128, 128) for corner in range(16)
    )
    identity = struct.pack(">9i", *(65536 if i % 4 == 0 else 0 for i in range(9)))
    table = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + identity + ramp * 4 + corners + ramp * 3
    return icc(b"CMYK", {b"wtpt": xyz(D50), b"A2B0": table}, pcs=b"Lab ")


def encoded_srgb(linear: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Linear light, 0 to 1, as sRGB encodes it in 0 to 255 (IEC 61966-2-1)."""
    linear = linear.clip(0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def picture(size: int = 96) -> npt.NDArray[np.uint8]:
    """Soft colours inside every colour space."""
    y, x = np.mgrid[:size, :size] / size
    waves = np.stack([np.sin(3 * x + 2 * y), np.cos(4 * y), np.sin(5 * x)], axis=-1)
    return (128 + 60 * waves).round().astype(np.uint8)


def file_of(pixels: npt.NDArray[np.uint8], kind: str, mode: str = "RGB", **options: Any) -> bytes:
    buffer = BytesIO()
    Image.fromarray(pixels, mode=None).convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


def cropped(data: bytes, **rules: Any) -> npt.NDArray[np.float64]:
    return np.asarray(crop(data, CropRules(size=32, **rules))).astype(np.float64)


def middle(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    start = (len(pixels) - 32) // 2
    return pixels[start : start + 32, start : start + 32]


LOSSLESS: dict[str, dict[str, Any]] = {"PNG": {}, "TIFF": {}, "WEBP": {"lossless": True}}


@pytest.mark.parametrize("kind", LOSSLESS)
@pytest.mark.parametrize(
    ("primaries", "power"), [(DISPLAY_P3, 2.2), (ADOBE_RGB, 2.2), (PROPHOTO, 1.8)]
)
def test_profiled_colours_become_srgb(
    primaries: tuple[tuple[float, float, float], ...], power: float, kind: str
) -> None:
    pixels = picture()
    data = file_of(pixels, kind, icc_profile=rgb_profile(primaries, power), **LOSSLESS[kind])
    to_srgb = np.linalg.inv(np.array(SRGB).T) @ np.array(primaries).T
    by_hand = encoded_srgb((middle(pixels) / 255.0) ** power @ to_srgb.T)
    assert np.abs(by_hand - middle(pixels)).mean() > 2
    assert np.abs(cropped(data) - by_hand).max() <= 1.5


@pytest.mark.parametrize("size", [64, 300])
def test_a_profiled_jpeg_is_converted_when_decoded_in_part_or_whole(size: int) -> None:
    profile = rgb_profile(PROPHOTO, 1.8)
    options: dict[str, Any] = {"quality": 95, "icc_profile": profile}
    plain = file_of(picture(size), "JPEG", quality=95)
    whole = Image.open(BytesIO(plain))
    srgb = ImageCms.createProfile("sRGB")
    source = ImageCms.ImageCmsProfile(BytesIO(profile))
    expected = middle(np.asarray(ImageCms.profileToProfile(whole, source, srgb)))
    for progressive in (False, True):
        data = file_of(picture(size), "JPEG", progressive=progressive, **options)
        assert np.abs(cropped(data) - expected).max() <= 2
    small = cropped(file_of(picture(size), "JPEG", **options), short_side=40)
    assert np.abs(small - cropped(plain, short_side=40)).mean() > 5


def test_greys_are_converted() -> None:
    grey = np.tile(np.arange(32, dtype=np.uint8) * 8, (32, 1))
    by_hand = encoded_srgb((grey / 255.0) ** 1.8)[..., None]
    opaque = Image.fromarray(grey)
    opaque.putalpha(255)
    buffer = BytesIO()
    opaque.save(buffer, "PNG", icc_profile=grey_profile(1.8))
    deep = BytesIO()
    Image.fromarray(grey.astype(np.uint16) * 257).save(deep, "TIFF", icc_profile=grey_profile(1.8))
    for data in (
        file_of(grey, "PNG", "L", icc_profile=grey_profile(1.8)),
        file_of(grey, "PNG", "L", icc_profile=rgb_profile(SRGB, 1.8)),
        buffer.getvalue(),
        deep.getvalue(),
    ):
        assert np.abs(cropped(data) - by_hand).max() <= 1.5


@pytest.mark.parametrize("kind", ["TIFF", "JPEG"])
def test_inks_are_converted(kind: str) -> None:
    inks = np.zeros((32, 32, 4), np.uint8)
    inks[..., 3] = np.arange(32, dtype=np.uint8)[:, None] * 8
    buffer = BytesIO()
    Image.fromarray(inks, "CMYK").save(buffer, kind, icc_profile=ink_profile(), quality=100)
    lightness = 100 * (1 - inks[..., 3] / 255.0)  # CIE L*, whose light is (L + 16)^3 / 116^3
    light = np.where(lightness > 8, ((lightness + 16) / 116) ** 3, lightness / 903.3)
    assert np.abs(cropped(buffer.getvalue()) - encoded_srgb(light)[..., None]).max() <= 3


def test_transparency_is_composited_after_the_colours_are_converted() -> None:
    pixels = picture(32)
    image = Image.fromarray(pixels)
    image.putalpha(128)
    buffer = BytesIO()
    image.save(buffer, "PNG", icc_profile=rgb_profile(PROPHOTO, 1.8))
    opaque = cropped(file_of(pixels, "PNG", icc_profile=rgb_profile(PROPHOTO, 1.8)))
    assert np.abs(cropped(buffer.getvalue()) - opaque * 128 / 255).max() <= 1


BROKEN = rgb_profile(PROPHOTO, 1.8)[:200]


@pytest.mark.parametrize(
    ("profile", "mode"),
    [
        (ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), "RGB"),
        (BROKEN, "RGB"),
        (b"no profile", "RGB"),
        (grey_profile(1.8), "RGB"),
        (ink_profile(), "RGB"),
        (rgb_profile(PROPHOTO, 1.8), "CMYK"),
    ],
    ids=["sRGB", "cut off", "nonsense", "of greys", "of inks", "of lights"],
)
@pytest.mark.parametrize("size", [32, 300])
def test_srgb_and_profiles_that_do_not_fit_change_no_bit(
    profile: bytes, mode: str, size: int
) -> None:
    profiled, plain = (
        cropped(file_of(picture(size), "JPEG", mode, **options))
        for options in ({"icc_profile": profile}, {})
    )
    np.testing.assert_array_equal(profiled, plain)

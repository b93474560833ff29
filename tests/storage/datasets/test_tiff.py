"""TIFF files in every layout: the right pixels, or a refusal, and never others."""

import itertools
import struct
import zlib

import numpy as np
import numpy.typing as npt
import pytest

from storage.datasets.crop import CropRules, crop
from storage.errors import InputError

SIDE = 32
RAW, DEFLATE = 1, 8
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, INKS = 0, 1, 2, 5


def packed(samples: npt.NDArray[np.int64], order: str, bits: int) -> bytes:
    """The samples of rows, 12-bit ones without a gap as TIFF 6.0 has it."""
    if bits != 12:
        return samples.astype(f"{order}u{bits // 8}").tobytes()
    digits = "".join(f"{value:012b}" for value in samples.ravel())  # a row has whole bytes here
    return int(digits, 2).to_bytes(len(digits) // 8, "big")


def tiff(
    planes: npt.NDArray[np.int64],
    *,
    order: str,
    bits: int,
    photometric: int,
    planar: int = 1,
    compression: int = RAW,
    rows: int = SIDE,
    extra: int | None = None,
) -> bytes:
    """A TIFF file of the planes (samples, height, width), written tag by tag (TIFF 6.0)."""
    layers = [planes.transpose(1, 2, 0)] if planar == 1 else list(planes)
    strips = [
        packed(layer[row : row + rows], order, bits)
        for layer in layers
        for row in range(0, SIDE, rows)
    ]
    if compression == DEFLATE:
        strips = [zlib.compress(strip) for strip in strips]
    sizes = [len(strip) for strip in strips]
    starts = [8 + sum(sizes[:number]) for number in range(len(sizes))]
    tags: dict[int, tuple[str, list[int]]] = {
        256: ("H", [SIDE]), 257: ("H", [SIDE]), 258: ("H", [bits] * len(planes)),
        259: ("H", [compression]), 262: ("H", [photometric]), 273: ("I", starts),
        277: ("H", [len(planes)]), 278: ("H", [rows]), 279: ("I", sizes), 284: ("H", [planar]),
    }  # fmt: skip
    if extra is not None:
        tags[338] = ("H", [extra])
    at = 8 + sum(sizes)
    beyond, directory = b"", struct.pack(f"{order}H", len(tags))
    for tag, (kind, values) in tags.items():
        value = struct.pack(f"{order}{len(values)}{kind}", *values)
        if len(value) > 4:
            offset = at + 2 + 12 * len(tags) + 4 + len(beyond)
            beyond, value = beyond + value, struct.pack(f"{order}I", offset)
        number = {"H": 3, "I": 4}[kind]
        directory += struct.pack(f"{order}HHI", tag, number, len(values)) + value.ljust(4, b"\0")
    name = b"II" if order == "<" else b"MM"
    return (
        name + struct.pack(f"{order}HI", 42, at) + b"".join(strips) + directory + bytes(4) + beyond
    )


def shown(planes: npt.NDArray[np.int64], bits: int, photometric: int) -> npt.NDArray[np.float64]:
    """The colours (height, width, 3) that the samples stand for, in 0 to 255."""
    light: npt.NDArray[np.float64] = planes * (255 / (2**bits - 1))
    if photometric == INKS:
        light = (255 - light[:3]) * (255 - light[3]) / 255
    elif photometric == WHITE_IS_ZERO:
        light = 255 - light
    return np.stack([light[at if photometric in (RGB, INKS) else 0] for at in range(3)], axis=-1)


LAYOUTS = {
    "white is zero": (1, WHITE_IS_ZERO, None),
    "black is zero": (1, BLACK_IS_ZERO, None),
    "grey with alpha": (2, BLACK_IS_ZERO, 2),
    "RGB": (3, RGB, None),
    "RGB and one more": (4, RGB, 0),
    "RGBA": (4, RGB, 2),
    "CMYK": (4, INKS, None),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("planar", [1, 2])
def test_every_layout_is_read_correctly_or_refused(layout: str, bits: int, planar: int) -> None:
    samples, photometric, extra = LAYOUTS[layout]
    planes = np.random.default_rng(0).integers(0, 2**bits, (samples, SIDE, SIDE))
    if extra == 2:
        planes[-1] = 2**bits - 1
    expected = shown(planes, bits, photometric)
    for order, compression, rows in itertools.product("<>", (RAW, DEFLATE), (8, SIDE)):
        data = tiff(
            planes, order=order, bits=bits, photometric=photometric, planar=planar,
            compression=compression, rows=rows, extra=extra,
        )  # fmt: skip
        try:
            cropped = crop(data, CropRules(size=SIDE))
        except InputError:
            continue
        assert np.abs(np.asarray(cropped) - expected).max() < 2.5


@pytest.mark.parametrize("layout", ["white is zero", "black is zero"])
@pytest.mark.parametrize("bits", [8, 16])
def test_greys_are_read_whichever_end_is_white(layout: str, bits: int) -> None:
    planes = np.random.default_rng(0).integers(0, 2**bits, (1, SIDE, SIDE))
    data = tiff(planes, order="<", bits=bits, photometric=LAYOUTS[layout][1])
    expected = shown(planes, bits, LAYOUTS[layout][1])
    assert np.abs(np.asarray(crop(data, CropRules(size=SIDE))) - expected).max() <= 0.51


def test_12_bit_greys_are_scaled() -> None:
    planes = np.random.default_rng(0).integers(0, 4096, (1, SIDE, SIDE))
    data = tiff(planes, order="<", bits=12, photometric=BLACK_IS_ZERO)
    expected = shown(planes, 12, BLACK_IS_ZERO)
    assert np.abs(np.asarray(crop(data, CropRules(size=SIDE))) - expected).max() <= 0.51


def test_16_bit_separate_planes_are_refused_with_a_remedy() -> None:
    planes = np.random.default_rng(0).integers(0, 65536, (3, SIDE, SIDE))
    data = tiff(planes, order="<", bits=16, photometric=RGB, planar=2)
    with pytest.raises(InputError, match="16-bit TIFF in separate planes: save it with"):
        crop(data, CropRules(size=SIDE))

"""JPEGs whose data has a hole: named, never cropped; and those that only look so."""

import random
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from storage.datasets.crop import CropRules, crop
from storage.datasets.jpeg_holes import damaged_from
from storage.errors import InputError


def painted(width: int, height: int) -> Image.Image:
    """Blotches of colour under fine noise."""
    rng = np.random.default_rng(width * height)
    coarse = rng.integers(0, 256, (height // 9 + 1, width // 9 + 1, 3), dtype=np.uint8)
    blotches = np.asarray(Image.fromarray(coarse).resize((width, height)), np.int64)
    noise = rng.integers(-9, 10, blotches.shape)
    return Image.fromarray((blotches + noise).clip(0, 255).astype(np.uint8))


def jpeg(image: Image.Image, **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "JPEG", **options)
    return buffer.getvalue()


FILLS: dict[str, Callable[[int], bytes]] = {
    "zeros": bytes,
    "255": lambda n: b"\xff" * n,
    "other data": lambda n: random.Random(0).randbytes(n),
}


def with_hole(data: bytes, fill: str, share: float, size: int = 4096) -> bytes:
    """Overwrite `size` bytes that begin at a share of the file."""
    start = int(len(data) * share)
    return data[:start] + FILLS[fill](size) + data[start + size :]


@pytest.mark.parametrize("options", [{}, {"optimize": True}, {"restart_marker_rows": 2}])
@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_hole_above_the_crop_is_refused(mode: str, fill: str, options: dict[str, int]) -> None:
    data = jpeg(painted(700, 600).convert(mode), **options)
    assert damaged_from(data) is None
    for share in (0.1, 0.25):
        for rules in (CropRules(size=64), CropRules(size=64, short_side=80)):
            with pytest.raises(InputError, match="damaged: part of the image's data is missing"):
                crop(with_hole(data, fill, share), rules)


@pytest.mark.parametrize("fill", ["255", "other data"])
def test_a_hole_in_a_progressive_jpeg_is_refused(fill: str) -> None:
    data = jpeg(painted(700, 600), progressive=True)
    assert damaged_from(data) is None
    with pytest.raises(InputError, match="damaged"):
        crop(with_hole(data, fill, 0.25), CropRules(size=64))


@pytest.mark.parametrize("fill", FILLS)
def test_restart_markers_show_which_rows_are_intact(fill: str) -> None:
    data = jpeg(painted(700, 600), restart_marker_rows=1)
    row = damaged_from(with_hole(data, fill, 0.75))
    assert row is not None
    assert 400 < row < 500
    intact = np.asarray(crop(data, CropRules(size=64)))
    np.testing.assert_array_equal(
        np.asarray(crop(with_hole(data, fill, 0.75), CropRules(size=64))), intact
    )


def test_a_part_that_was_cut_out_is_noticed_by_its_restart_markers() -> None:
    data = jpeg(painted(700, 600), restart_marker_rows=1)
    third = data.index(b"\xff\xd2")
    assert damaged_from(data[:third] + data[data.index(b"\xff\xd5") :]) is not None
    eight_later = data.index(b"\xff\xd2", third + 2)
    assert damaged_from(data[:third] + data[eight_later:]) == 0


@pytest.mark.parametrize("colour", ["white", "black", (200, 30, 30)])
@pytest.mark.parametrize("optimize", [False, True])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_large_flat_parts_are_not_holes(
    colour: str, optimize: bool, progressive: bool, mode: str
) -> None:
    image = Image.new("RGB", (2000, 1500), colour)
    image.paste(painted(100, 100), (300, 300))
    for quality in (50, 75, 95, 100):
        data = jpeg(
            image.convert(mode), quality=quality, optimize=optimize, progressive=progressive
        )
        assert damaged_from(data) is None


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("restarts", [{}, {"restart_marker_blocks": 7}, {"restart_marker_rows": 1}])
@pytest.mark.parametrize(("width", "height"), [(1, 1), (129, 128), (333, 517)])
def test_whole_files_have_no_hole(
    width: int, height: int, restarts: dict[str, int], subsampling: str
) -> None:
    for mode in ("RGB", "L"):
        image = painted(width, height).convert(mode)
        assert damaged_from(jpeg(image, subsampling=subsampling, **restarts)) is None


def test_thumbnails_and_trailing_bytes_are_not_holes() -> None:
    thumbnail = jpeg(painted(60, 60))
    data = jpeg(painted(300, 200), exif=b"Exif\0\0" + thumbnail, comment=bytes(300))
    assert damaged_from(data) is None
    assert damaged_from(data[:-2] + b"\xff\xff\xff\xd9" + bytes(300) + thumbnail) is None


def test_a_hole_says_nothing_on_standard_error(tmp_path: Path) -> None:
    picture = tmp_path / "one.jpg"
    picture.write_bytes(with_hole(jpeg(painted(700, 600)), "other data", 0.25))
    program = (
        "import sys; from pathlib import Path; from storage.datasets.crop import *;\n"
        "try: crop(Path(sys.argv[1]).read_bytes(), CropRules(size=64))\n"
        "except InputError as error: print(error)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, picture], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("damaged")

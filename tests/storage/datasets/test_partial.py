"""Parts of JPEGs decoded alone, against the same parts of what Pillow decodes."""

import subprocess
import sys
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from storage.datasets.crop import CropRules, crop
from storage.datasets.partial import decode_part

pytestmark = pytest.mark.skipif(
    find_spec("nvidia") is None or find_spec("nvidia.nvimgcodec") is None,
    reason="no wheel of nvImageCodec for this machine",
)


def painted(width: int, height: int) -> Image.Image:
    """Coarse noise: blotches of colour whose edges show how colours were interpolated."""
    rng = np.random.default_rng(width * height)
    coarse = rng.integers(0, 256, (height // 7 + 1, width // 7 + 1, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def jpeg(image: Image.Image, **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "JPEG", **options)
    return buffer.getvalue()


def part_of(data: bytes, box: tuple[int, int, int, int]) -> npt.NDArray[np.int64] | None:
    part = decode_part(data, Image.open(BytesIO(data)), box)
    return None if part is None else np.asarray(part).astype(np.int64)


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("quality", [50, 95])
@pytest.mark.parametrize(("width", "height"), [(333, 517), (701, 450), (129, 128)])
def test_a_part_equals_that_of_the_whole_image(
    width: int, height: int, quality: int, subsampling: str
) -> None:
    data = jpeg(painted(width, height), quality=quality, subsampling=subsampling)
    whole = np.asarray(Image.open(BytesIO(data))).astype(np.int64)
    middle = (width // 2 - 20, height // 2 - 17, width // 2 + 13, height // 2 + 16)
    corners = (0, 0, 40, 30), (width - 31, height - 33, width, height)
    for left, top, right, bottom in (middle, *corners):
        part = part_of(data, (left, top, right, bottom))
        assert part is not None
        assert np.abs(part - whole[top:bottom, left:right]).max() <= 1


def test_restart_markers_and_stored_rgb_are_decoded_alike() -> None:
    image = painted(400, 300)
    for data in (jpeg(image, restart_marker_rows=1), jpeg(image, keep_rgb=True)):
        part = part_of(data, (150, 100, 214, 164))
        assert part is not None
        whole = np.asarray(Image.open(BytesIO(data))).astype(np.int64)
        assert np.abs(part - whole[100:164, 150:214]).max() <= 1


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return jpeg(painted(300, 200), exif=exif)


@pytest.mark.parametrize(
    "data",
    [
        jpeg(painted(300, 200).convert("L")),
        jpeg(painted(300, 200).convert("CMYK")),
        jpeg(painted(300, 200), progressive=True),
        jpeg(painted(300, 200))[:-2],
        jpeg(painted(300, 200))[:-900],
        turned(),
    ],
    ids=["grey", "CMYK", "progressive", "no end", "truncated", "turned"],
)
def test_unusual_jpegs_are_left_to_pillow(data: bytes) -> None:
    assert part_of(data, (100, 80, 132, 112)) is None


def test_a_part_nearly_as_large_as_the_whole_is_left_to_pillow() -> None:
    assert part_of(jpeg(painted(300, 200)), (50, 0, 250, 200)) is None


def test_damage_that_cannot_be_passed_over_is_left_to_pillow() -> None:
    data = bytearray(jpeg(painted(300, 200)))
    tables = data.index(b"\xff\xc4")  # DHT: its counts of codes no longer make a tree
    data[tables + 5 : tables + 13] = b"\xff" * 8
    assert part_of(bytes(data), (100, 80, 132, 112)) is None


def test_a_plain_jpeg_is_cropped_by_its_part() -> None:
    # Damage in the last lines, which only a decoder of all lines meets.
    data = bytearray(jpeg(painted(600, 600), restart_marker_rows=1))
    last = data.rindex(b"\xff\xd0")
    data[last : last + 2] = b"\xff\xc0"
    with pytest.raises(OSError, match="broken data stream"):
        Image.open(BytesIO(data)).load()
    whole = np.asarray(Image.open(BytesIO(jpeg(painted(600, 600)))))
    np.testing.assert_array_equal(
        np.asarray(crop(bytes(data), CropRules(size=64))), whole[268:332, 268:332]
    )


def test_nothing_is_said_on_loading(tmp_path: Path) -> None:
    picture = tmp_path / "one.jpg"
    picture.write_bytes(jpeg(painted(300, 200)))
    program = (
        "import sys; from pathlib import Path; from storage.datasets.crop import *;"
        "crop(Path(sys.argv[1]).read_bytes(), CropRules(size=32));"
        "sys.exit('nvidia.nvimgcodec' not in sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, picture], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")

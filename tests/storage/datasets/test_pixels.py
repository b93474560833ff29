"""The zip of crops as one array on disk."""

from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from storage.datasets.crop import CropRules
from storage.datasets.crop_archive import SourceImage, pack_crops, stage_crops, without_leaks
from storage.datasets.pixels import open_pixels, unpack_pixels
from storage.errors import InputError


def quiet(done: int, total: int) -> None:
    """Progress that nobody watches."""


def picture(seed: int, kind: str = "JPEG", size: int = 32) -> bytes:
    """A small square painting, another one for every seed."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def archive_of(path: Path, entries: dict[str, bytes]) -> Path:
    """A zip made without the code under test."""
    with ZipFile(path, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def test_rows_are_the_named_entries_as_pillow_decodes_them(tmp_path: Path) -> None:
    entries = {f"{number}.jpg": picture(number) for number in range(9)}
    archive = archive_of(tmp_path / "crops.zip", entries)
    names = ["7.jpg", "0.jpg", "3.jpg", "7.jpg"]
    unpack_pixels(archive, names, tmp_path / "pixels.npy", 32, quiet)
    pixels = np.load(tmp_path / "pixels.npy")
    assert pixels.dtype == np.uint8
    assert pixels.shape == (4, 32, 32, 3)
    for row, name in zip(pixels, names, strict=True):
        np.testing.assert_array_equal(row, np.asarray(Image.open(BytesIO(entries[name]))))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["crops.zip", "pixels.npy"]


def test_crops_are_unpacked_in_the_order_of_the_catalog(tmp_path: Path) -> None:
    images = [SourceImage(f"Goya/{n}.png", str(n), "Goya", "train") for n in range(3)]

    def read(file: str) -> bytes:
        return picture(int(file), "PNG", 40)

    archive, target = tmp_path / "crops.zip", tmp_path / "pixels.npy"
    rules = CropRules(size=32)
    result = without_leaks(images, stage_crops(images, read, archive, rules, quiet))
    pack_crops(result.crops, archive, rules)
    unpack_pixels(archive, [made.name for made in result.crops], target, 32, quiet)
    for number, row in enumerate(open_pixels(target)):
        original = np.asarray(Image.open(BytesIO(read(str(number)))))[4:36, 4:36]
        assert np.abs(row.astype(float) - original).mean() < 60  # JPEG at 75 is hard on noise
        others = np.asarray(Image.open(BytesIO(read(str(number + 1)))))[4:36, 4:36]
        assert np.abs(row.astype(float) - others).mean() > 60


def test_progress_reaches_the_total(tmp_path: Path) -> None:
    archive = archive_of(tmp_path / "crops.zip", {"a.jpg": picture(0)})
    seen: list[tuple[int, int]] = []
    names = ["a.jpg"] * 3
    unpack_pixels(archive, names, tmp_path / "p.npy", 32, lambda *done: seen.append(done))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_the_opened_array_is_mapped_and_read_only(tmp_path: Path) -> None:
    archive = archive_of(tmp_path / "crops.zip", {"a.jpg": picture(0)})
    unpack_pixels(archive, ["a.jpg"], tmp_path / "pixels.npy", 32, quiet)
    pixels = open_pixels(tmp_path / "pixels.npy")
    assert isinstance(pixels, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        pixels[0] = 0


def test_no_names_make_an_empty_array(tmp_path: Path) -> None:
    archive = archive_of(tmp_path / "crops.zip", {})
    unpack_pixels(archive, [], tmp_path / "pixels.npy", 32, quiet)
    assert open_pixels(tmp_path / "pixels.npy").shape == (0, 32, 32, 3)


@pytest.mark.parametrize(
    ("entries", "problem"),
    [
        ({"a.jpg": picture(0, size=31)}, r"a\.jpg is 31 x 31, not 32 x 32"),
        ({"a.jpg": picture(0)[:300]}, r"a\.jpg is damaged"),
        ({"a.jpg": b"no image"}, r"a\.jpg is damaged"),
        ({"b.jpg": picture(0)}, r"1 crops missing, first a\.jpg"),
    ],
)
def test_an_unexpected_zip_is_named_and_leaves_nothing(
    tmp_path: Path, entries: dict[str, bytes], problem: str
) -> None:
    archive = archive_of(tmp_path / "crops.zip", entries)
    with pytest.raises(InputError, match=rf"crops\.zip: {problem}.*delete it and prepare again"):
        unpack_pixels(archive, ["a.jpg"], tmp_path / "pixels.npy", 32, quiet)
    assert list(tmp_path.iterdir()) == [archive]


def test_a_flipped_bit_in_the_zip_is_noticed(tmp_path: Path) -> None:
    archive = archive_of(tmp_path / "crops.zip", {"a.jpg": picture(0)})
    data = bytearray(archive.read_bytes())
    data[500] ^= 1
    archive.write_bytes(data)
    with pytest.raises(InputError, match=r"a\.jpg is damaged \(Bad CRC-32"):
        unpack_pixels(archive, ["a.jpg"], tmp_path / "pixels.npy", 32, quiet)


@pytest.mark.parametrize("content", [None, b"", b"PK half a zip"])
def test_a_file_that_is_not_a_zip_is_refused(tmp_path: Path, content: bytes | None) -> None:
    archive = tmp_path / "crops.zip"
    if content is not None:
        archive.write_bytes(content)
    with pytest.raises(InputError, match=r"crops\.zip: not a zip of crops"):
        unpack_pixels(archive, [], tmp_path / "pixels.npy", 32, quiet)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 4, 4, 3), np.float32),
        np.zeros((2, 4, 5, 3), np.uint8),
        np.zeros((2, 4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.uint8),
        np.array([{"a": "pickle"}], dtype=object),
    ],
    ids=["float", "not square", "four channels", "no rows", "pickled"],
)
def test_another_array_is_refused(tmp_path: Path, array: npt.NDArray[Any]) -> None:
    np.save(tmp_path / "pixels.npy", array)
    with pytest.raises(InputError, match=r"pixels\.npy: .*: delete it and prepare again"):
        open_pixels(tmp_path / "pixels.npy")


@pytest.mark.parametrize("cut", [0, 5, 100, 150])
def test_a_shortened_or_missing_array_is_refused(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "pixels.npy"
    with pytest.raises(InputError, match=r"pixels\.npy: not an array of pixels"):
        open_pixels(path)
    np.save(path, np.zeros((2, 4, 4, 3), np.uint8))
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(InputError, match=r"pixels\.npy: not an array of pixels"):
        open_pixels(path)

"""Crops outside any dataset: the same pixels as inside one, and a reason for each that is not."""

from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image

from storage.datasets.crop import CropRules
from storage.datasets.loose_crops import crop_loose, locate_images
from storage.image_files import ImageReader

RULES = CropRules(size=16, quality=60)
LONG = f"{'x' * 256}.jpg"


def quiet(done: int, total: int) -> None:
    """Progress that nobody watches."""


def painting(seed: int) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (20, 24, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def png(seed: int) -> bytes:
    buffer = BytesIO()
    painting(seed).save(buffer, "PNG")
    return buffer.getvalue()


def test_pixels_are_the_centre_seen_through_a_jpeg() -> None:
    files = {f"{seed}.png": png(seed) for seed in range(5)}
    crops = crop_loose([(f"name {f}", f) for f in files], files.__getitem__, RULES, quiet)
    assert crops.names == tuple(f"name {file}" for file in files)
    assert crops.rejected == ()
    assert crops.pixels.shape == (5, 16, 16, 3)
    assert crops.pixels.dtype == np.uint8
    for seed in range(5):
        buffer = BytesIO()
        painting(seed).crop((4, 2, 20, 18)).save(buffer, "JPEG", quality=60)
        np.testing.assert_array_equal(crops.pixels[seed], np.asarray(Image.open(buffer)))


def test_unusable_images_are_named_with_a_reason_and_the_rest_is_used(tmp_path: Path) -> None:
    (tmp_path / "good.png").write_bytes(png(1))
    (tmp_path / "last.png").write_bytes(png(2))
    (tmp_path / "torn.png").write_bytes(png(3)[:300])
    (tmp_path / "text.png").write_bytes(b"no picture")
    files = [(name, f"{name}.png") for name in ("torn", "good", "none", "text", "last")]
    with ImageReader(tmp_path) as reader:
        crops = crop_loose(files, reader.read, RULES, quiet)
    assert crops.names == ("good", "last")
    assert len(crops.pixels) == 2
    reasons = dict(crops.rejected)
    assert list(reasons) == ["torn", "none", "text"]
    assert "truncated" in reasons["torn"]
    assert "no such file" in reasons["none"]
    assert reasons["text"] == "not an image, or of an unknown format"


def test_a_system_error_is_described_without_its_path() -> None:
    def read(file: str) -> bytes:
        raise PermissionError(13, "Permission denied", "/secret/place")

    crops = crop_loose([("a", "a.png")], read, RULES, quiet)
    assert crops.rejected == (("a", "Permission denied"),)


def test_no_usable_image_leaves_no_pixels_of_the_right_shape() -> None:
    crops = crop_loose([], lambda file: b"", RULES, quiet)
    assert crops.names == ()
    assert crops.pixels.shape == (0, 16, 16, 3)
    assert crops.pixels.dtype == np.uint8


def test_progress_reaches_the_total() -> None:
    seen: list[tuple[int, int]] = []
    files = [(str(i), str(i)) for i in range(3)]
    crop_loose(files, lambda _: png(0), RULES, lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Images beside, in the folder test and in test.zip, some of them in two places."""
    (tmp_path / "test").mkdir()
    for name in ("beside.jpg", "test/folder.jpg", "test/beside.jpg"):
        (tmp_path / name).write_bytes(name.encode())
    with ZipFile(tmp_path / "test.zip", "w") as archive:
        for name in ("zipped.jpg", "folder.jpg"):
            archive.writestr(f"test/{name}", f"zip {name}")
    return tmp_path


def test_images_are_found_beside_in_the_test_folder_and_in_its_zip(root: Path) -> None:
    located = locate_images(root, ["zipped.jpg", "beside.jpg", "none.jpg", "folder.jpg", LONG])
    assert located == [
        ("zipped.jpg", "test.zip/test/zipped.jpg"),
        ("beside.jpg", "beside.jpg"),
        ("none.jpg", "none.jpg"),
        ("folder.jpg", "test/folder.jpg"),
        (LONG, LONG),
    ]
    with ImageReader(root) as reader:
        assert reader.read(located[0][1]) == b"zip zipped.jpg"
        assert reader.read(located[3][1]) == b"test/folder.jpg"


def test_a_name_with_its_folder_is_taken_as_it_is(root: Path) -> None:
    named = ["test/beside.jpg", "test/folder.jpg"]
    assert locate_images(root, named) == [(name, name) for name in named]

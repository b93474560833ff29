"""A crop that shows too little is doubtful; a whole one is not."""

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageFilter

from model.cautions import cautions_of_crop, fine_detail

SIDE = 128


def painted(seed: int) -> Image.Image:
    """Strokes and grain, as fine as the pixels."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
    grain = rng.normal(0, 12, (SIDE, SIDE, 3))
    pixels = np.asarray(coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC)) + grain
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def enlarged(image: Image.Image, factor: int) -> Image.Image:
    small = image.resize((SIDE // factor, SIDE // factor), Image.Resampling.LANCZOS)
    return small.resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def codes(image: Image.Image, size: tuple[int, int] = (SIDE, SIDE)) -> list[str]:
    return [caution.code for caution in cautions_of_crop("a.jpg", size, np.asarray(image))]


@pytest.mark.parametrize("seed", range(5))
def test_a_picture_that_was_enlarged_or_blurred_is_told_from_a_whole_one(seed: int) -> None:
    image = painted(seed)
    assert codes(image) == []
    assert codes(enlarged(image, 3)) == ["upscaled"]
    assert codes(image.filter(ImageFilter.GaussianBlur(2))) == ["upscaled"]


def test_the_finest_of_detail_is_the_share_of_its_power() -> None:
    """Two waves across, of which the finer one has a tenth of the other's height."""
    columns = np.arange(256)
    waves = 80 * np.sin(2 * np.pi * 0.0973 * columns) + 8 * np.sin(2 * np.pi * 0.4131 * columns)
    crop: npt.NDArray[np.uint8] = np.repeat(
        np.tile(np.round(128 + waves).astype(np.uint8), (256, 1))[..., None], 3, axis=2
    )
    rings = [np.pi * (high**2 - low**2) for low, high in ((0.05, 0.15), (0.35, 0.5))]
    assert fine_detail(crop) == pytest.approx(0.01 * rings[0] / rings[1], rel=0.05)


def test_a_blank_or_small_picture_is_named_with_its_size() -> None:
    white = Image.new("RGB", (SIDE, SIDE), "white")
    assert codes(white) == ["nearly_blank"]
    (caution,) = cautions_of_crop("a.jpg", (300, 90), np.asarray(painted(0)))
    assert (caution.image, caution.code) == ("a.jpg", "too_small")
    assert "300 x 90 pixels" in caution.text


@pytest.mark.parametrize("side", [1, 2, 3, 8])
def test_tiny_crops_are_no_fault(side: int) -> None:
    rng = np.random.default_rng(0)
    crop = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
    assert np.isfinite(fine_detail(crop))

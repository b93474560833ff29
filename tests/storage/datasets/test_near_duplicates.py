"""Copies are found, and different pictures are not taken for copies."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from storage.datasets import near_duplicates
from storage.datasets.near_duplicates import SIDE, alike, find_near_duplicates, shrink

Transpose, Resampling = Image.Transpose, Image.Resampling


def painting(seed: int) -> Image.Image:
    """Large and small shapes in colours."""
    rng = np.random.default_rng(seed)
    layers = [
        np.asarray(
            Image.fromarray(rng.integers(0, 256, (size, size, 3), dtype=np.uint8)).resize(
                (320, 240), Resampling.BICUBIC
            ),
            dtype=float,
        )
        for size in (3, 6, 12, 40)
    ]
    mixed = np.average(layers, axis=0, weights=[5, 4, 3, 1])
    return Image.fromarray(np.clip(2 * (mixed - 128) + 128, 0, 255).astype(np.uint8))


def saved(image: Image.Image, quality: int = 90) -> Image.Image:
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer)


COPIES = {
    "saved again": lambda image: saved(image, 50),
    "half": lambda image: saved(image.resize((160, 120), Resampling.LANCZOS)),
    "grey": lambda image: saved(image.convert("L")),
    "cropped": lambda image: saved(image.crop((5, 4, 315, 236))),
    "cropped on one side": lambda image: saved(image.crop((0, 0, 310, 240))),
    "brighter": lambda image: saved(image.point(lambda level: min(255, int(level * 1.1 + 5)))),
}


@pytest.mark.parametrize("change", COPIES)
@pytest.mark.parametrize("seed", range(4))
def test_a_copy_is_found(change: str, seed: int) -> None:
    image = painting(seed)
    pictures = np.stack([shrink(image), shrink(painting(99)), shrink(COPIES[change](image))])
    (found,) = find_near_duplicates(pictures)
    assert (found.first, found.second, found.kind) == (0, 2, "copy")
    assert 0.955 <= found.similarity <= 1


def test_a_mirrored_copy_is_called_so() -> None:
    image = painting(0)
    pictures = np.stack([shrink(image), shrink(image.transpose(Transpose.FLIP_LEFT_RIGHT))])
    (found,) = find_near_duplicates(pictures)
    assert found.kind == "mirrored"


def test_different_pictures_are_no_copies() -> None:
    assert find_near_duplicates(np.stack([shrink(painting(seed)) for seed in range(60)])) == []


def test_blank_pictures_are_like_no_others() -> None:
    white, black = (Image.new("RGB", (50, 50), colour) for colour in ("white", "black"))
    assert find_near_duplicates(np.stack([shrink(each) for each in (white, white, black)])) == []
    assert find_near_duplicates(np.empty((0, SIDE, SIDE), np.uint8)) == []


def test_more_pictures_than_a_block_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_duplicates, "BLOCK", 7)
    pictures = np.stack([shrink(painting(seed % 20)) for seed in range(40)])
    found = {(each.first, each.second) for each in find_near_duplicates(pictures)}
    assert found == {(seed, seed + 20) for seed in range(20)}


def test_alikeness_is_the_correlation_where_nothing_was_cropped() -> None:
    one, other = (shrink(painting(seed)) for seed in (0, 1))
    plain = float(np.corrcoef(one.ravel(), other.ravel())[0, 1])
    assert alike(one, one) == pytest.approx(1)
    assert plain - 1e-9 <= alike(one, other) < 0.9

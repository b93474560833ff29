"""Paintings of coarse blotches: they look like nothing, and decode as paintings do."""

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

BLOTCH = 9  # pixels


def paint(width: int, height: int, artist: int, seed: int) -> bytes:
    """A JPEG file; the paintings of an artist share a palette."""
    palette = np.random.default_rng(artist).integers(0, 256, (6, 3), dtype=np.uint8)
    chosen = np.random.default_rng((artist, seed)).integers(
        len(palette), size=(height // BLOTCH + 1, width // BLOTCH + 1)
    )
    picture = Image.fromarray(palette[chosen]).resize((width, height), Image.Resampling.BICUBIC)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=75)
    return file.getvalue()


def paint_crops(artists: npt.NDArray[np.integer], size: int) -> list[bytes]:
    """A square crop by each of the ``artists`` (N,)."""
    return [paint(size, size, int(artist), seed) for seed, artist in enumerate(artists)]


def pixels_of(files: list[bytes]) -> npt.NDArray[np.uint8]:
    """Crops decoded as a prepared dataset keeps them, (N, S, S, 3) uint8."""
    return np.stack([np.asarray(Image.open(io.BytesIO(file))) for file in files])

"""Find pictures that are there twice: saved again, resized, cropped a little, grey or mirrored.

Perceptual hashes (Zauner 2010) name the candidates, small grey pictures confirm them. Of 1,400
copies made from 200 paintings 99.5 % are found, and none of the 12 million pairs of 4,913 different
paintings is taken for one; `benchmarks/near_duplicates.py` measures it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

SIDE = 32
BITS_APART = 16  # of 64, at most; copies are up to 16 apart
LEAST_ALIKE = 0.955  # correlation; 99 % of copies cropped by 3 % on each side have 0.968 or more
LEAST_MIRRORED = 0.98  # mirrored copies have 0.998 or more; many different pictures are symmetrical
LEAST_AT_ONCE = 0.5  # the same without allowing for a crop; copies have less in 1 of 1,400
BLANK = 4.0  # a picture whose levels deviate less has no features to compare
BLOCK = 1_024
LOST = (0.5, 1.0, 2.0)  # pixels of 32 that a copy may lack of its width or height

Small = npt.NDArray[np.uint8]  # (SIDE, SIDE)
Kind = Literal["copy", "mirrored"]


@dataclass(frozen=True, slots=True)
class NearDuplicate:
    """Two pictures, by their rows, that show the same; 1 is the greatest similarity."""

    first: int
    second: int
    kind: Kind
    similarity: float


def shrink(image: Image.Image) -> Small:
    """Return a whole picture in grey, `SIDE` pixels square."""
    small = image.convert("L").resize((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return np.asarray(small)


def find_near_duplicates(pictures: npt.NDArray[np.uint8]) -> list[NearDuplicate]:
    """Find all pairs among shrunk pictures (N, SIDE, SIDE) that show the same.

    The hashes of all pairs are compared, and the pictures of those with nearly the same hash.
    """
    usable = np.flatnonzero(_is_usable(pictures))
    hashes = _hashes(pictures[usable])
    found: dict[tuple[int, int], NearDuplicate] = {}
    mirrored = pictures[usable, :, ::-1]
    ways: tuple[tuple[Kind, float, Any, Any], ...] = (
        ("copy", LEAST_ALIKE, pictures[usable], hashes),
        ("mirrored", LEAST_MIRRORED, mirrored, _hashes(mirrored)),
    )
    for kind, least, others, of_others in ways:
        units = _unit(pictures[usable].astype(float)), _unit(others.astype(float))
        for one, other in _candidates(hashes, of_others):
            if units[0][one] @ units[1][other] < LEAST_AT_ONCE:
                continue  # most candidates, without trying how they were cropped
            similarity = alike(pictures[usable[one]], others[other])
            if similarity >= least:
                pair = int(usable[one]), int(usable[other])
                found.setdefault(pair, NearDuplicate(*pair, kind, similarity))
    return list(found.values())


def show_the_same(one: Small, other: Small) -> bool:
    """Whether two shrunk pictures show the same, without asking their hashes."""
    return bool(_is_usable(np.stack([one, other])).all()) and (
        alike(one, other) >= LEAST_ALIKE or alike(one, other[:, ::-1]) >= LEAST_MIRRORED
    )


def alike(one: Small, other: Small) -> float:
    """Greatest correlation of two shrunk pictures, one of which may be cropped a little."""
    return max(
        float((_views(whole) @ _unit(np.asarray(part, float)[None])[0]).max())
        for whole, part in ((one, other), (other, one))
    )


def _is_usable(pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    return np.asarray(pictures.reshape(-1, SIDE * SIDE).std(axis=1) >= BLANK)


def _hashes(pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
    from imagehash import phash

    bits = np.array(
        [phash(Image.fromarray(each)).hash.ravel() for each in pictures], dtype=bool
    ).reshape(-1, 64)
    return np.packbits(bits, axis=1).view(np.uint64)[:, 0]


def _candidates(
    hashes: npt.NDArray[np.uint64], others: npt.NDArray[np.uint64]
) -> Iterator[tuple[int, int]]:
    """Yield the rows of pairs, the smaller first, whose hashes are nearly equal."""
    for start in range(0, len(hashes), BLOCK):
        apart = np.bitwise_count(hashes[start : start + BLOCK, None] ^ others[None, start:])
        first, second = np.nonzero(apart <= BITS_APART)
        later = second > first
        yield from zip(
            (start + first[later]).tolist(), (start + second[later]).tolist(), strict=True
        )


def _views(picture: Small) -> npt.NDArray[np.float64]:
    """Return the picture as copies cropped on no, one or both sides would show it, as units."""
    resize = _resizes()
    views = (resize @ picture.astype(float))[:, None] @ resize.transpose(0, 2, 1)
    return _unit(views.reshape(-1, SIDE, SIDE))


@cache
def _resizes() -> npt.NDArray[np.float64]:
    """Matrices (R, SIDE, SIDE) that resize a part of a column to all of it, as Pillow does."""
    parts = [(0.0, 1.0), *((lost, share) for lost in LOST for share in (0.0, 0.5, 1.0))]
    one_each, size = Image.fromarray(np.eye(SIDE, dtype=np.float32)), (SIDE, SIDE)
    resized = [
        one_each.resize(
            size, Image.Resampling.BILINEAR, box=(lost * share, 0, SIDE - lost * (1 - share), SIDE)
        )
        for lost, share in parts
    ]
    return np.stack([np.asarray(each, dtype=float).T for each in resized])


def _unit(pictures: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    flat = pictures.reshape(-1, SIDE * SIDE)
    flat = flat - flat.mean(axis=1, keepdims=True)
    return np.asarray(flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-9))

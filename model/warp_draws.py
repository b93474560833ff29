"""The random numbers of a warp: their ranges, and a batch's draws."""

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from model.errors import ModelInputError

LARGEST_SIZE = 3000  # what Pillow's fixed point can represent at the widest ranges

BOUNDS = {
    "rotation": (0.0, 180.0),
    "vertical_flip": (0.0, 1.0),
    "horizontal_flip": (0.0, 1.0),
    "affine_rotation": (0.0, 180.0),
    "scale_low": (0.1, 10.0),
    "scale_high": (0.1, 10.0),
    "shear": (0.0, 45.0),
    "distortion": (0.0, 0.66),  # from 2/3 on, a corner can cross its neighbours' diagonal
    "perspective": (0.0, 1.0),
}


@dataclass(frozen=True, slots=True)
class WarpRanges:
    """How strongly images are warped; the defaults are the reference's.

    Angles are in degrees, plus or minus. Flips and perspective are probabilities. Distortion is the
    largest shift of a corner as a share of half the side. Raises `ModelInputError` naming the first
    field that is out of bounds.
    """

    rotation: float = 15.0
    vertical_flip: float = 0.5
    horizontal_flip: float = 0.5
    affine_rotation: float = 15.0
    scale_low: float = 0.8
    scale_high: float = 1.2
    shear: float = 10.0
    distortion: float = 0.6
    perspective: float = 0.2

    def __post_init__(self) -> None:
        """Check each field against its bounds, and the two scales against each other."""
        for field in fields(self):
            value, (low, high) = getattr(self, field.name), BOUNDS[field.name]
            if not low <= value <= high:
                raise ModelInputError(
                    f"{field.name} is {value}: choose a number from {low} to {high}"
                )
        if self.scale_low > self.scale_high:
            raise ModelInputError(
                f"scale_low is {self.scale_low}: choose at most scale_high, {self.scale_high}"
            )


@dataclass(frozen=True, slots=True, eq=False)
class WarpDraws:
    """The random numbers of a batch of B square images of `size` pixels a side.

    Arrays are (B,), with angles in degrees. `corners` (B, 4, 2) are the (x, y) in pixels, clockwise
    from the top left, to which a perspective moves the corners.
    """

    size: int
    rotation: NDArray[np.float64]
    vertical_flip: NDArray[np.bool_]
    horizontal_flip: NDArray[np.bool_]
    affine_rotation: NDArray[np.float64]
    scale: NDArray[np.float64]
    shear: NDArray[np.float64]
    perspective: NDArray[np.bool_]
    corners: NDArray[np.int64]

    def part(self, part: slice) -> "WarpDraws":
        """The draws of some of the images."""
        arrays = [field.name for field in fields(self) if field.name != "size"]
        return replace(self, **{name: getattr(self, name)[part] for name in arrays})


def draw_warps(ranges: WarpRanges, count: int, size: int, rng: np.random.Generator) -> WarpDraws:
    """Draw the random numbers for `count` images of `size` pixels a side.

    Numbers are uniform and independent, as in torchvision's transforms. Raises `ModelInputError`
    for images that are too small or too large to be warped.
    """
    if not 2 <= size <= LARGEST_SIZE:
        raise ModelInputError(
            f"images are {size} pixels a side: choose a crop size from 2 to {LARGEST_SIZE}"
        )
    reach = int(ranges.distortion * (size // 2))
    outermost = np.array([[0, 0], [size - 1, 0], [size - 1, size - 1], [0, size - 1]])
    return WarpDraws(
        size=size,
        rotation=rng.uniform(-ranges.rotation, ranges.rotation, count),
        vertical_flip=rng.random(count) < ranges.vertical_flip,
        horizontal_flip=rng.random(count) < ranges.horizontal_flip,
        affine_rotation=rng.uniform(-ranges.affine_rotation, ranges.affine_rotation, count),
        scale=rng.uniform(ranges.scale_low, ranges.scale_high, count),
        shear=rng.uniform(-ranges.shear, ranges.shear, count),
        perspective=rng.random(count) < ranges.perspective,
        # Corners move inwards: up from 0, or down from size - 1.
        corners=np.abs(outermost - rng.integers(0, reach + 1, (count, 4, 2))),
    )

"""A sketch: the colours and the directions of form that a painter then puts strokes on."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw

Point = tuple[float, float]
UPRIGHT = np.pi / 2  # the direction of form in walls, trunks and whatever stands


class Sketch:
    """A picture without brushwork, drawn in unit coordinates: x to the right, y down, 0 to 1.

    `colour` is (height, width, 3), RGB from 0 to 1; `flow` is (height, width), the direction of
    form in radians, 0 for level and growing towards the lower right.
    """

    def __init__(self, width: int, height: int) -> None:
        """Start with black and with level form; `width` and `height` are in pixels."""
        self.colour = np.zeros((height, width, 3))
        self.flow = np.zeros((height, width))
        self._x = (np.arange(width) + 0.5) / width
        self._y = ((np.arange(height) + 0.5) / height)[:, None]

    def blend_down(self, top: ArrayLike, bottom: ArrayLike) -> None:
        """Fill everything with a gradient from `top` to `bottom`."""
        down = self._y[:, :, None]
        self.colour[:] = (1 - down) * np.asarray(top) + down * np.asarray(bottom)

    def below(self, outline: Sequence[Point], colour: ArrayLike, along: bool = False) -> None:
        """Fill what lies under the `outline`; `along` makes the form follow its slope."""
        xs, ys = np.array(outline).T
        mask = self._y > np.interp(self._x, xs, ys)
        slope = np.interp(self._x, xs, np.gradient(ys, xs)) if along else np.zeros_like(self._x)
        self.colour[mask] = colour
        self.flow[mask] = np.broadcast_to(np.arctan(slope), mask.shape)[mask]

    def polygon(self, corners: Sequence[Point], colour: ArrayLike, angle: float = 0.0) -> None:
        """Fill a polygon of one colour whose form runs at `angle`."""
        height, width = self.flow.shape
        stencil = Image.new("1", (width, height))
        ImageDraw.Draw(stencil).polygon([(x * width, y * height) for x, y in corners], fill=1)
        mask = np.asarray(stencil)
        self.colour[mask] = colour
        self.flow[mask] = angle

    def ball(self, at: Point, radii: Point, lit: ArrayLike, shade: ArrayLike) -> None:
        """Fill an ellipse, `lit` from the upper left, its form running around its middle."""
        height, width = self.flow.shape
        left, right = _span(at[0], radii[0], width)
        top, bottom = _span(at[1], radii[1], height)
        east = (self._x[left:right] - at[0]) / radii[0]
        south = (self._y[top:bottom] - at[1]) / radii[1]
        mask = east**2 + south**2 < 1
        dark = np.clip(0.5 + 0.5 * (east + south), 0, 1)[mask][:, None]
        paint = (1 - dark) * np.asarray(lit) + dark * np.asarray(shade)
        self.colour[top:bottom, left:right][mask] = paint
        self.flow[top:bottom, left:right][mask] = np.arctan2(east, -south)[mask]


def _span(middle: float, radius: float, pixels: int) -> tuple[int, int]:
    """Return the first pixel that a ball may cover, and the one after the last."""
    first, last = (middle - radius) * pixels, (middle + radius) * pixels
    return max(int(first), 0), max(int(last) + 1, 0)


def ridge(height: float, roughness: float, rng: np.random.Generator) -> list[Point]:
    """Return an outline from left to right that wanders about `height`, for `Sketch.below`."""
    xs = np.linspace(0, 1, 33)
    ys = np.full(33, height)
    for octave in (1, 2, 4):
        slow, start = rng.uniform(2, 5) * octave, rng.uniform(0, 2 * np.pi)
        ys += np.sin(xs * slow + start) * roughness / octave
    return list(zip(xs.tolist(), ys.tolist(), strict=True))


def hue(
    rng: np.random.Generator, colour: tuple[float, float, float], spread: float
) -> NDArray[np.float64]:
    """Return `colour` with each of its channels off by up to `spread`, kept within 0.05 to 1."""
    return np.clip(np.array(colour) + rng.uniform(-spread, spread, 3), 0.05, 1.0)

"""Brush and canvas of a sample painter: marks that strokes leave, and the light on their relief.

Trigonometry is done in double precision and the rest in plain arithmetic, so that rounding to
bytes comes out the same on every machine.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from storage.sources.gallery.hand import Hand

Floats = NDArray[np.float64]
Canvas = NDArray[np.float32]  # (height, width, 4): RGB from 0 to 1, and the thickness of the paint
_ANGLES = 24  # brush marks are made for this many directions over half a turn
_BRUSHES = 2  # and for this many sets of bristles


@dataclass(frozen=True, slots=True)
class Strokes:
    """Strokes in the order they are painted: n places in pixels, directions and colours.

    `at` is (n, 2), x before y; `angle` (n,); `paint` (n, 4): RGB and the thickness of the paint.
    """

    at: Floats
    angle: Floats
    paint: Floats


def make_marks(hand: Hand, scale: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return how far a stroke covers what is below it: (brushes, angles, side, 4 * side).

    Each value stands four times, once for each channel of the canvas. `scale` is the size of the
    strokes against the hand's width.
    """
    width = hand.width * scale
    reach = width * (hand.slenderness - 1) / 2  # from the middle to the centre of a round end
    edge = 1.0 + 0.6 * hand.softness * width
    half = int(np.ceil(np.hypot(reach, 0.7 * hand.bend * width) + (width + edge) / 2))
    x, y = np.arange(-half, half + 1.0), np.arange(-half, half + 1.0)[:, None]
    angle = (np.arange(_ANGLES) * np.pi / _ANGLES)[:, None, None]
    along = x * np.cos(angle) + y * np.sin(angle)
    bow = np.minimum((along / (reach + width / 2)) ** 2, 1.0) - 0.3
    across = y * np.cos(angle) - x * np.sin(angle) - hand.bend * width * bow
    distance = np.hypot(np.maximum(np.abs(along) - reach, 0), across)
    shape = np.clip((width / 2 - distance) / edge + 0.5, 0, 1)
    hairs = rng.uniform(0, 1, (_BRUSHES, 12))
    streaks = np.stack([np.interp(across / width * 11 + 5.5, np.arange(12), h) for h in hairs])
    wear = np.clip(0.6 + along / (2 * reach + width), 0, 1)  # paint runs out along the stroke
    marks = hand.opacity * shape * (1 - hand.bristle * streaks * wear)
    return np.repeat(marks.astype(np.float32), 4, axis=-1)


def lay(
    canvas: Canvas, strokes: Strokes, marks: NDArray[np.float32], rng: np.random.Generator
) -> None:
    """Put the strokes on the canvas one over the other, in place, each with a brush at random."""
    side = marks.shape[2]
    turn = np.round(strokes.angle * _ANGLES / np.pi).astype(int) % _ANGLES
    brush = rng.integers(0, _BRUSHES, len(turn))
    board = np.pad(canvas, ((side, side), (side, side), (0, 0)))  # strokes may hang over
    flat = board.reshape(len(board), -1)  # numpy is fast on long rows, not on four channels
    left, top = np.floor(strokes.at).astype(int).T + side - side // 2
    rows = np.tile(strokes.paint.astype(np.float32), (1, side))
    places = zip(top.tolist(), (4 * left).tolist(), brush.tolist(), turn.tolist(), strict=True)
    for (y, x, b, t), row in zip(places, rows, strict=True):
        patch = flat[y : y + side, x : x + 4 * side]
        patch += marks[b, t] * (row - patch)
    canvas[:] = board[side:-side, side:-side]


def under_raking_light(canvas: Canvas, hand: Hand) -> Image.Image:
    """Return the canvas as a picture, the relief of its paint lit from the upper left."""
    relief = canvas[..., 3] * np.float32(hand.impasto)
    slope = np.zeros_like(relief)
    slope[1:, 1:] = relief[1:, 1:] - relief[:-1, :-1]
    lit = canvas[..., :3] + np.float32(0.4) * slope[..., None]
    return Image.fromarray((lit * 255 + np.float32(0.5)).clip(0, 255).astype(np.uint8))

"""A sample painter at work: a sketch goes in, a picture of visible strokes comes out."""

import numpy as np
from PIL import Image

from storage.sources.gallery.brush import (
    Canvas,
    Floats,
    Strokes,
    lay,
    make_marks,
    under_raking_light,
)
from storage.sources.gallery.hand import Hand
from storage.sources.gallery.sketch import Sketch

Size = tuple[int, int]
_INK = np.array((0.10, 0.09, 0.16))


class Painter:
    """A hand with its brushes ready, to paint any number of sketches with."""

    def __init__(self, hand: Hand, rng: np.random.Generator) -> None:
        """Make the brush marks of the hand; `rng` decides where their bristles are."""
        self._hand = hand
        self._strokes = make_marks(hand, 1.0, rng)
        self._touches = make_marks(hand, 0.6, rng)

    def paint(self, sketch: Sketch, size: Size, rng: np.random.Generator) -> Image.Image:
        """Return the picture of the sketch, `size` (width, height) in pixels."""
        hand = self._hand
        canvas = _prime(hand, sketch, size)
        lay(canvas, _fill(hand, sketch, size, rng), self._strokes, rng)
        lay(canvas, _bring_out(hand, sketch, size, rng), self._touches, rng)
        return under_raking_light(canvas, hand)


def _prime(hand: Hand, sketch: Sketch, size: Size) -> Canvas:
    """Return the canvas, primed, with a thin wash of the sketch on it."""
    priming = np.array((1.0, 0.94, 0.84)) * hand.ground
    wash = (0.5 * sketch.colour + 0.5 * priming) * 255
    thin = Image.fromarray(wash.clip(0, 255).astype(np.uint8))
    canvas = np.zeros((size[1], size[0], 4), np.float32)
    canvas[..., :3] = np.asarray(thin.resize(size, Image.Resampling.BILINEAR))
    canvas /= np.float32(255)
    return canvas


def _fill(hand: Hand, sketch: Sketch, size: Size, rng: np.random.Generator) -> Strokes:
    """Return the strokes that fill the picture: evenly spread, not in rows, in random order."""
    step = np.sqrt(hand.width**2 * hand.slenderness / hand.coverage)
    x, y = np.meshgrid(np.arange(step / 2, size[0], step), np.arange(step / 2, size[1], step))
    grid = np.stack((x.ravel(), y.ravel()), axis=1)
    at: Floats = rng.permutation(grid + rng.uniform(-step / 2, step / 2, grid.shape))
    colour, form = _look(sketch, at, size)
    return Strokes(at, _turn(hand, at, form, rng), _mix(hand, colour, rng))


def _bring_out(hand: Hand, sketch: Sketch, size: Size, rng: np.random.Generator) -> Strokes:
    """Return smaller touches where the sketch changes colour, dark where the hand draws lines."""
    edges = _edges(sketch)
    y, x = np.nonzero(rng.uniform(size=edges.shape) < edges / 2)
    places = np.stack((x, y), axis=1) + rng.uniform(0, 1, (len(x), 2))
    at = rng.permutation(places) * np.array(size) / edges.shape[::-1]
    colour, form = _look(sketch, at, size)
    paint = _mix(hand, colour, rng)
    dark = hand.contour * (rng.uniform(size=(len(at), 1)) < 0.75)
    paint[:, :3] += dark * (_INK - paint[:, :3])
    return Strokes(at, _turn(hand, at, form, rng), paint)


def _edges(sketch: Sketch) -> Floats:
    """Return how much the colour changes at each place of the sketch, 0 to 1."""
    right = np.abs(np.diff(sketch.colour, axis=1, append=sketch.colour[:, -1:])).sum(axis=2)
    down = np.abs(np.diff(sketch.colour, axis=0, append=sketch.colour[-1:])).sum(axis=2)
    return np.asarray(np.clip(2 * (right + down) - 0.2, 0, 1))


def _look(sketch: Sketch, at: Floats, size: Size) -> tuple[Floats, Floats]:
    """Return the sketch's colours (n, 3) and directions (n,) at places in the picture."""
    height, width = sketch.flow.shape
    x = (at[:, 0] * width / size[0]).astype(int).clip(0, width - 1)
    y = (at[:, 1] * height / size[1]).astype(int).clip(0, height - 1)
    return sketch.colour[y, x], sketch.flow[y, x]


def _turn(hand: Hand, at: Floats, form: Floats, rng: np.random.Generator) -> Floats:
    """Return each stroke's direction (n,): form, habit and whirls, averaged over half a turn.

    Doubled angles are averaged, as directions that differ by half a turn are the same.
    """
    (x, y), (slow_x, slow_y) = at.T, rng.uniform(0.02, 0.035, 2)
    whirl = np.pi * np.sin(x * slow_x + y * slow_y + rng.uniform(0, 2 * np.pi)) + x * slow_y
    pull = np.exp(2j * form)
    pull += 1.5 * hand.habit * np.exp(2j * hand.angle) + 2 * hand.swirl * np.exp(2j * whirl)
    return np.asarray(np.angle(pull) / 2 + rng.normal(0, hand.scatter, len(at)))


def _mix(hand: Hand, colour: Floats, rng: np.random.Generator) -> Floats:
    """Return the paint (n, 4) for colours as seen: hue and brightness broken, accents set.

    Brightness is the channels' mean, and paint is neither quite black nor quite white. Hue is the
    angle of R - G and (R + G) / 2 - B, so that a complementary colour is half a turn away.
    """
    n, (red, green, blue) = len(colour), colour.T
    bright = 0.12 + 0.76 * colour.mean(axis=1) + rng.normal(0, hand.flicker, n)
    seen = red - green + 1j * ((red + green) / 2 - blue)
    opposite = -0.4 * np.exp(1j * np.angle(seen))
    hue = np.where(rng.uniform(size=n) < hand.accents, opposite, hand.chroma * seen)
    hue += hand.broken * (rng.normal(size=n) + 1j * rng.normal(size=n))
    warm = hue.imag * 2 / 3
    offset = np.stack(((warm + hue.real) / 2, (warm - hue.real) / 2, -warm), axis=1)
    thickness = rng.uniform(0.2, 1.0, (n, 1))
    return np.hstack((np.clip(bright[:, None] + offset, 0, 1), thickness))

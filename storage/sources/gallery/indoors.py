"""The sample painters' subjects in a room: fruit and a jug, flowers, and somebody's face."""

import numpy as np

from storage.sources.gallery.light import Colour, Light
from storage.sources.gallery.outdoors import draw_bush
from storage.sources.gallery.sketch import UPRIGHT, Point, Sketch, hue, ridge


def draw_still_life(sketch: Sketch, light: Light, horizon: float, rng: np.random.Generator) -> None:
    """A jug and fruit on a table."""
    _room(sketch, light, horizon + 0.15, rng)
    profile = [(0.04, 0.18), (0.04, 0.36), (0.12, 0.50), (0.10, 0.80)]
    _vessel(sketch, light, rng.uniform(0.2, 0.8), profile, hue(rng, (0.35, 0.50, 0.40), 0.3))
    shadow = light.shade / 2
    for y in np.sort(rng.uniform(0.66, 0.9, rng.integers(5, 9))):
        x, size = rng.uniform(0.08, 0.92), rng.uniform(0.07, 0.11)
        fruit = hue(rng, (0.85, 0.50, 0.20), 0.35)
        sketch.ball((x + 0.04, y + 0.7 * size), (1.2 * size, size / 2), shadow, shadow)
        sketch.ball((x, y), (size, size), *light.on(fruit))


def draw_flowers(sketch: Sketch, light: Light, horizon: float, rng: np.random.Generator) -> None:
    """A bunch in a vase."""
    _room(sketch, light, horizon + 0.25, rng)
    middle, profile = rng.uniform(0.35, 0.65), [(0.07, 0.58), (0.14, 0.72), (0.09, 0.94)]
    _vessel(sketch, light, middle, profile, hue(rng, (0.45, 0.55, 0.75), 0.3))
    for _ in range(14):
        draw_bush(sketch, light, (middle + rng.normal(0, 0.2), rng.uniform(0.15, 0.6)), 0.08, rng)
    for _ in range(rng.integers(9, 16)):
        at, size = (middle + rng.normal(0, 0.19), rng.uniform(0.1, 0.58)), rng.uniform(0.05, 0.09)
        petal, shaded = light.on(hue(rng, (0.90, 0.55, 0.55), 0.4))
        sketch.ball(at, (size, size), petal, (petal + shaded) / 2)
        sketch.ball(at, (size / 3, size / 3), *light.on(np.array((0.9, 0.75, 0.2))))


def draw_portrait(sketch: Sketch, light: Light, horizon: float, rng: np.random.Generator) -> None:
    """Head and shoulders in front of a wall."""
    _room(sketch, light, horizon + 0.35, rng)
    x, y = rng.uniform(0.4, 0.6), 0.25 + horizon / 3
    skin = light.on(hue(rng, (0.80, 0.60, 0.48), 0.12) * rng.uniform(0.55, 1.1))
    hair, coat = (
        light.on(hue(rng, (0.4, 0.28, 0.2), 0.2)),
        light.on(hue(rng, (0.5, 0.4, 0.45), 0.4)),
    )
    neck = [(x - 0.07, y), (x + 0.07, y), (x + 0.08, y + 0.33), (x - 0.08, y + 0.33)]
    sketch.ball((x, y - 0.02), (0.20, 0.25), *hair)
    sketch.ball((x, 1.05), (0.42, 0.46), *coat)
    sketch.polygon(neck, skin[1], UPRIGHT)
    sketch.ball((x, y + 0.03), (0.15, 0.20), *skin)
    sketch.ball((x - 0.02, y - 0.17), (0.16, 0.08), *hair)
    for eye in (-0.06, 0.05):
        sketch.ball((x + eye, y), (0.028, 0.016), hair[1], hair[1])
    sketch.ball((x - 0.01, y + 0.13), (0.045, 0.015), skin[0] * (0.8, 0.4, 0.4), skin[1])


def _room(sketch: Sketch, light: Light, edge: float, rng: np.random.Generator) -> None:
    """A wall, and from `edge` on downwards a table."""
    lit, shaded = light.on(hue(rng, (0.62, 0.60, 0.55), 0.35))
    sketch.blend_down(1.1 * shaded, (lit + shaded) / 1.6)
    sketch.below(ridge(edge, 0.01, rng), light.lit * hue(rng, (0.80, 0.72, 0.62), 0.3))


def _vessel(
    sketch: Sketch, light: Light, middle: float, profile: list[Point], colour: Colour
) -> None:
    """A jug or vase; its `profile` is half its width at each height, from the top down."""
    lit, shaded = light.on(colour)
    left = [(middle - half, y) for half, y in profile]
    right = [(middle + half, y) for half, y in reversed(profile)]
    sketch.polygon([*left, *right], lit, UPRIGHT)
    sketch.polygon([*right, (middle, profile[0][1]), (middle, profile[-1][1])], shaded, UPRIGHT)

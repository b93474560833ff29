"""The sample painters' subjects under the open sky: sea, hills, woods, town and clouds."""

import numpy as np

from storage.sources.gallery.light import Light
from storage.sources.gallery.sketch import UPRIGHT, Point, Sketch, hue, ridge


def draw_marina(sketch: Sketch, light: Light, horizon: float, rng: np.random.Generator) -> None:
    """Sails on water that darkens towards the shore."""
    _sky(sketch, light, int(rng.integers(1, 5)), rng)
    deep = light.zenith * hue(rng, (0.35, 0.60, 0.70), 0.08)
    for y in np.arange(horizon, 1.0, 0.035):
        nearness = (y - horizon) / (1 - horizon)
        water = (1 - nearness) * light.skyline * 0.8 + nearness * deep
        sketch.below(ridge(y, 0.006, rng), water * rng.uniform(0.85, 1.12))
    for _ in range(rng.integers(2, 5)):
        _boat(sketch, light, (rng.uniform(0.1, 0.9), rng.uniform(horizon + 0.08, 0.88)), rng)


def _boat(sketch: Sketch, light: Light, at: Point, rng: np.random.Generator) -> None:
    """Two sails, the nearer in the light, and a dark hull."""
    (x, y), size = at, 0.10 + 0.22 * at[1] * rng.uniform(0.7, 1.2)
    sail = light.lit * hue(rng, (0.95, 0.85, 0.70), 0.25)
    main = [(x, y - 1.3 * size), (x, y), (x + 0.6 * size, y)]
    jib = [(x - 0.02, y - size), (x - 0.02, y), (x - 0.4 * size, y)]
    keel = [(x + size / 2, y + size / 4), (x - size / 3, y + size / 4)]
    sketch.polygon(main, sail, UPRIGHT)
    sketch.polygon(jib, 0.8 * sail, UPRIGHT)
    hull = light.shade * hue(rng, (0.70, 0.40, 0.30), 0.3)
    sketch.polygon([(x - size / 2, y), (x + 0.7 * size, y), *keel], hull)


def draw_hills(sketch: Sketch, light: Light, horizon: float, rng: np.random.Generator) -> None:
    """Ridge behind ridge, the far ones in the colour of the sky."""
    _sky(sketch, light, int(rng.integers(1, 5)), rng)
    near = light.lit * hue(rng, (0.45, 0.60, 0.25), 0.25)
    for depth in np.linspace(0, 1, rng.integers(4, 7)):
        colour = (1 - depth) * (light.zenith + light.skyline) / 2.4 + depth * near
        outline = ridge(horizon + depth * (0.9 - horizon), 0.07, rng)
        sketch.below(outline, colour * rng.uniform(0.75, 1.15), along=True)
    for _ in range(rng.integers(4, 12)):
        x, y = rng.uniform(0, 1), rng.uniform(horizon + 0.2, 0.95)
        draw_bush(sketch, light, (x, y), 0.05 * (0.5 + y), rng)


def draw_bush(
    sketch: Sketch, light: Light, at: Point, size: float, rng: np.random.Generator
) -> None:
    """A crown of leaves, round or tall."""
    leaf = hue(rng, (0.40, 0.55, 0.22), 0.2)
    sketch.ball(at, (size, size * rng.uniform(0.8, 1.4)), *light.on(leaf))


def draw_woods(sketch: Sketch, light: Light, horizon: float, rng: np.random.Generator) -> None:
    """Trunks and crowns on open ground."""
    _sky(sketch, light, 1, rng)
    lit, shaded = light.on(hue(rng, (0.55, 0.55, 0.30), 0.2))
    sketch.below(ridge(horizon + 0.15, 0.03, rng), lit, along=True)
    sketch.below(ridge(horizon + 0.35, 0.05, rng), (lit + shaded) / 2, along=True)
    for foot in np.sort(rng.uniform(horizon + 0.15, 0.98, rng.integers(4, 8))):
        _tree(sketch, light, (rng.uniform(0.02, 0.98), foot), rng)


def _tree(sketch: Sketch, light: Light, foot: Point, rng: np.random.Generator) -> None:
    """A trunk that grows thinner to the top, and five crowns of leaves about it."""
    (x, y), top, half = foot, foot[1] - rng.uniform(0.5, 0.8), 0.02 + 0.04 * foot[1]
    trunk = [(x - half, y), (x - half / 3, top), (x + half / 3, top), (x + half, y)]
    sketch.polygon(trunk, 1.1 * light.shade * hue(rng, (0.50, 0.38, 0.30), 0.2), UPRIGHT)
    for _ in range(5):
        at = x + rng.normal(0, 0.09), top + rng.uniform(0.0, 0.25)
        draw_bush(sketch, light, at, rng.uniform(0.06, 0.13), rng)


def draw_town(sketch: Sketch, light: Light, horizon: float, rng: np.random.Generator) -> None:
    """Houses with one side in the light."""
    _sky(sketch, light, int(rng.integers(0, 3)), rng)
    sketch.below(ridge(horizon + 0.2, 0.0, rng), light.lit * hue(rng, (0.70, 0.62, 0.50), 0.15))
    for foot in np.sort(rng.uniform(horizon + 0.12, 0.92, rng.integers(7, 11))):
        _house(sketch, light, (rng.uniform(0, 1), foot), rng)


def _house(sketch: Sketch, light: Light, foot: Point, rng: np.random.Generator) -> None:
    """A house seen on its corner, with a roof and with windows one above the other."""
    (x, y), half, top = foot, rng.uniform(0.07, 0.14), foot[1] - rng.uniform(0.22, 0.42)
    lit, shaded = light.on(hue(rng, (0.88, 0.76, 0.60), 0.2))
    eaves = [(x + half + 0.01, top), (x - half - 0.01, top)]
    sketch.polygon(_box(x - half, top, x, y), lit, UPRIGHT)
    sketch.polygon(_box(x, top, x + half, y), 1.2 * shaded, UPRIGHT)
    roof = 0.9 * light.lit * hue(rng, (0.72, 0.36, 0.26), 0.2)
    sketch.polygon([(x - half / 2, top - 0.12), (x + half / 2, top - 0.12), *eaves], roof)
    for sill in np.arange(top + 0.11, y, 0.11):
        for pane in (x - 0.7 * half, x - 0.3 * half, x + 0.45 * half):
            window = _box(pane, sill - 0.06, pane + 0.025, sill)
            sketch.polygon(window, 0.6 * light.shade, UPRIGHT)


def _box(left: float, top: float, right: float, bottom: float) -> list[Point]:
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def draw_clouds(sketch: Sketch, light: Light, horizon: float, rng: np.random.Generator) -> None:
    """Much weather over a narrow strip of land."""
    _sky(sketch, light, int(rng.integers(6, 11)), rng)
    lit, shaded = light.on(hue(rng, (0.60, 0.58, 0.30), 0.25))
    for depth in (0.0, 0.4, 0.8):
        outline = ridge(0.62 + horizon / 4 + depth / 5, 0.015, rng)
        sketch.below(outline, (1 - depth) * lit + depth * shaded, along=True)


def _sky(sketch: Sketch, light: Light, clouds: int, rng: np.random.Generator) -> None:
    """Sky over everything, each cloud four puffs."""
    sketch.blend_down(light.zenith, light.skyline)
    white = np.clip(1.05 * light.lit, 0, 1)
    for _ in range(clouds):
        x, y, size = rng.uniform(0, 1), rng.uniform(0.02, 0.6), rng.uniform(0.08, 0.2)
        for _ in range(4):
            puff = x + rng.normal(0, size), y + rng.normal(0, size / 4)
            sketch.ball(puff, (size, 0.45 * size), white, (white + 2 * light.zenith) / 3)

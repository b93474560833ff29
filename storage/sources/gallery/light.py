"""The light of a sample picture, which decides the mean colour; the painter does not."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Colour = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Light:
    """A time of day or weather; its four colours are RGB, 0 to 1.

    `phrase` ends a title ("at dusk"), `zenith` and `skyline` are the sky's top and bottom, `lit`
    and `shade` multiply the colour of what the light reaches and of what it does not.
    """

    phrase: str
    zenith: Colour
    skyline: Colour
    lit: Colour
    shade: Colour

    def on(self, colour: Colour) -> tuple[Colour, Colour]:
        """Return what a thing of some colour looks like in the light and in the shade."""
        return colour * self.lit, colour * self.shade


_TABLE = (
    ("at dawn", (0.50, 0.60, 0.80), (0.98, 0.80, 0.70), (1.00, 0.84, 0.80), (0.46, 0.44, 0.62)),
    ("at noon", (0.26, 0.50, 0.86), (0.74, 0.88, 0.96), (1.00, 0.97, 0.88), (0.42, 0.47, 0.62)),
    ("under cloud", (0.58, 0.62, 0.68), (0.82, 0.82, 0.80), (0.78, 0.80, 0.82), (0.45, 0.47, 0.52)),
    ("before rain", (0.28, 0.33, 0.42), (0.62, 0.62, 0.54), (0.70, 0.68, 0.60), (0.30, 0.33, 0.41)),
    ("at evening", (0.42, 0.46, 0.66), (1.00, 0.74, 0.38), (1.00, 0.74, 0.45), (0.38, 0.28, 0.42)),
    ("at dusk", (0.28, 0.23, 0.48), (0.90, 0.50, 0.44), (0.80, 0.54, 0.58), (0.30, 0.23, 0.42)),
    ("at midnight", (0.12, 0.18, 0.40), (0.34, 0.48, 0.68), (0.56, 0.66, 0.86), (0.19, 0.23, 0.42)),
    ("in mist", (0.74, 0.78, 0.78), (0.90, 0.89, 0.84), (0.84, 0.85, 0.82), (0.60, 0.63, 0.67)),
)  # fmt: skip


def draw_light(rng: np.random.Generator) -> Light:
    """Draw one of eight lights, with hue and strength a little off, as days differ."""
    phrase, *colours = _TABLE[rng.integers(len(_TABLE))]
    weather = rng.uniform(0.88, 1.12, 3) * rng.uniform(0.85, 1.08)
    zenith, skyline, lit, shade = np.clip(np.array(colours) * weather, 0.0, 1.0)
    return Light(phrase, zenith, skyline, lit, shade)

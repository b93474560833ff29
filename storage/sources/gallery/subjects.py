"""What the sample painters paint: eight shared subjects, without any brushwork."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from storage.sources.gallery.indoors import draw_flowers, draw_portrait, draw_still_life
from storage.sources.gallery.light import Light
from storage.sources.gallery.outdoors import (
    draw_clouds,
    draw_hills,
    draw_marina,
    draw_town,
    draw_woods,
)
from storage.sources.gallery.sketch import Sketch


@dataclass(frozen=True, slots=True)
class Subject:
    """A subject: Kaggle's word for it, plain titles, and how it is sketched.

    `draw(sketch, light, horizon, rng)` fills the whole sketch; `horizon` is a height, 0 at the top.
    """

    genre: str
    titles: tuple[str, ...]
    draw: Callable[[Sketch, Light, float, np.random.Generator], None]


SUBJECTS: tuple[Subject, ...] = (
    Subject("marina", ("Boats", "The harbour", "Open water", "Sails"), draw_marina),
    Subject("landscape", ("Hills", "The valley", "The long road home", "Pastures"), draw_hills),
    Subject("woods", ("Trees", "The edge of the wood", "Birches", "The orchard"), draw_woods),
    Subject("cityscape", ("The old town", "Roofs", "Market street", "Houses"), draw_town),
    Subject("still life", ("Fruit and jug", "The table", "Oranges", "The bottle"), draw_still_life),
    Subject("flower painting", ("Flowers", "The blue vase", "Bouquet", "Zinnias"), draw_flowers),
    Subject("portrait", ("The neighbour", "A friend", "The reader", "The postman"), draw_portrait),
    Subject("cloudpainting", ("Clouds", "A wide sky", "Weather", "The plain"), draw_clouds),
)  # fmt: skip

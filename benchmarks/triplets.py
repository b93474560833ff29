"""Drawing triplets, a batch of numbers at a time, beside one triplet after the other."""

import random
from collections.abc import Callable
from functools import partial

import numpy as np

from benchmarks.report import Table
from benchmarks.timing import alternate, compared
from model.triplets import draw_shared_triplets, draw_triplets

BATCH = 200


def measure(
    *, count: int = 30_000, artists: int = 772, images_each: int = 10, rounds: int = 5
) -> Table:
    """Measure ``count`` triplets of images by ``artists``."""
    of_images, rng = np.repeat(np.arange(artists), images_each), np.random.default_rng(0)
    ways: dict[str, Callable[[], object]] = {
        "one after the other": partial(draw_one_by_one, of_images.tolist(), count),
        "at once": partial(draw_triplets, of_images, count, rng),
        "at once, images shared in a batch": partial(
            draw_shared_triplets, of_images, count, BATCH, rng
        ),
    }
    work = f"{count:,} triplets of {len(of_images):,} images by {artists:,} artists"
    return Table("triplets", work, tuple(compared(alternate(ways, rounds), {})))


def draw_one_by_one(artists: list[int], count: int) -> list[tuple[int, int, int]]:
    """The reference's rule, word for word."""
    images: dict[int, list[int]] = {}
    for row, artist in enumerate(artists):
        images.setdefault(artist, []).append(row)
    names, drawn = list(images), []
    for number in range(count):
        own = names[number % len(names)]
        anchor, positive = random.sample(images[own], 2)
        other = random.choice([name for name in names if name != own])
        drawn.append((anchor, positive, random.choice(images[other])))
    return drawn

"""The sample gallery: who paints what, and the pictures themselves.

Every painter has a hand of their own. Subjects and light are shared, so that only the brushwork
tells who painted what.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from storage.errors import InputError
from storage.sources.gallery.hand import SCHOOLS, draw_hand
from storage.sources.gallery.light import draw_light
from storage.sources.gallery.names import known_names
from storage.sources.gallery.painter import Painter
from storage.sources.gallery.sketch import Sketch
from storage.sources.gallery.subjects import SUBJECTS, Subject


@dataclass(frozen=True, slots=True)
class GalleryPlan:
    """What determines a gallery, byte for byte; the last third of its painters are for testing."""

    painters: int = 90
    paintings_each: int = 10
    pairs: int = 400
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise InputError if there are too few painters to compare, or too many to name."""
        most = len(known_names())
        if not 6 <= self.painters <= most:
            raise InputError(f"painters = {self.painters}: choose from 6 to {most}")
        if self.paintings_each < 2:
            raise InputError(f"paintings_each = {self.paintings_each}: choose 2 or more")
        if self.pairs < 0 or self.seed < 0:
            raise InputError(f"pairs = {self.pairs}, seed = {self.seed}: choose 0 or more")

    @property
    def paintings(self) -> int:
        """The number of pictures in the whole gallery."""
        return self.painters * self.paintings_each


@dataclass(frozen=True, slots=True)
class Painting:
    """A picture as a JPEG file, with what a museum's label says; `date` is blank if unknown.

    `group` is Kaggle's: `train_only`, `train_and_test` or `test_only`; `number` names the file.
    """

    number: int
    artist: str
    group: str
    in_train: bool
    style: str
    genre: str
    title: str
    date: str
    size: tuple[int, int]
    jpeg: bytes

    @property
    def filename(self) -> str:
        """The file's name, as Kaggle numbers them."""
        return f"{self.number}.jpg"


@dataclass(frozen=True, slots=True)
class _Artist:
    """A painter with a hand, a school and an order of subjects."""

    name: str
    group: str
    style: str
    born: int
    horizon: float
    painter: Painter
    subjects: tuple[Subject, ...]


def paint_gallery(plan: GalleryPlan) -> Iterator[Painting]:
    """Paint everything, artist by artist, under file numbers that do not give the artist away."""
    numbers = iter((random_stream(plan, 0, 0).permutation(plan.paintings) + 1).tolist())
    for index in range(plan.painters):
        artist = _introduce(plan, index)
        for turn in range(plan.paintings_each):
            rng = random_stream(plan, index + 1, turn + 1)
            size = _draw_size(rng, small=turn == 0 and index % 40 == 0)
            yield _paint(artist, turn, next(numbers), size, rng)


def random_stream(plan: GalleryPlan, painter: int, painting: int) -> np.random.Generator:
    """Return the random numbers of one painting; both count from 1, and 0 is shared."""
    seeds = np.random.SeedSequence((plan.seed, painter, painting))
    return np.random.Generator(np.random.PCG64(seeds))


def artist_group(index: int, painters: int) -> str:
    """Return Kaggle's group of a painter: the last third is for testing, every ninth for both."""
    if index >= painters - painters // 3:
        return "test_only"
    return "train_and_test" if index % 9 == 4 else "train_only"


def _introduce(plan: GalleryPlan, index: int) -> _Artist:
    """Return the artist at a place in the list of names, with a hand drawn from their school."""
    rng, school = random_stream(plan, index + 1, 0), SCHOOLS[index % len(SCHOOLS)]
    hand = draw_hand(school, rng)
    return _Artist(
        name=known_names()[index],
        group=artist_group(index, plan.painters),
        style=school.style,
        born=int(rng.integers(1840, 1900)),
        horizon=hand.horizon,
        painter=Painter(hand, rng),
        subjects=tuple(SUBJECTS[place] for place in rng.permutation(len(SUBJECTS))),
    )


def _paint(
    artist: _Artist, turn: int, number: int, size: tuple[int, int], rng: np.random.Generator
) -> Painting:
    """Paint the artist's next subject in its own light, from a sketch of half the size."""
    subject, light = artist.subjects[turn % len(artist.subjects)], draw_light(rng)
    sketch = Sketch(size[0] // 2, size[1] // 2)
    subject.draw(sketch, light, artist.horizon + rng.normal(0, 0.04), rng)
    picture = artist.painter.paint(sketch, size, rng)
    return Painting(
        number=number,
        artist=artist.name,
        group=artist.group,
        in_train=artist.group == "train_only" or (artist.group != "test_only" and turn % 2 == 0),
        style=artist.style,
        genre=subject.genre,
        title=f"{rng.choice(subject.titles)} {light.phrase}",
        date=str(artist.born + int(rng.integers(20, 60))) if rng.uniform() < 0.85 else "",
        size=size,
        jpeg=_encode(picture),
    )


def _draw_size(rng: np.random.Generator, small: bool) -> tuple[int, int]:
    """Return (width, height) in pixels; a small picture is smaller than any crop."""
    short = 56 if small else int(rng.integers(100, 141))
    long = int(min(short * rng.uniform(1.0, 1.5), 180))
    return (long, short) if rng.uniform() < 0.6 else (short, long)


def _encode(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=90)
    return file.getvalue()

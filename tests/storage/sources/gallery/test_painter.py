from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from storage.sources.gallery.brush import make_marks
from storage.sources.gallery.hand import SCHOOLS, Hand, School, draw_hand
from storage.sources.gallery.light import draw_light
from storage.sources.gallery.painter import Painter
from storage.sources.gallery.sketch import Sketch
from storage.sources.gallery.subjects import SUBJECTS, Subject

PLAIN = Hand(
    width=4.0, slenderness=5.0, bend=0.0, angle=0.0, habit=0.0, swirl=0.0, scatter=0.0,
    opacity=1.0, softness=0.0, bristle=0.0, impasto=0.0, coverage=3.0, ground=0.0,
    broken=0.0, flicker=0.0, accents=0.0, chroma=1.0, contour=0.0, horizon=0.4,
)  # fmt: skip


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def plain_sketch(colour: tuple[float, float, float]) -> Sketch:
    sketch = Sketch(60, 60)
    sketch.blend_down(colour, colour)
    return sketch


def paint(hand: Hand, sketch: Sketch, seed: int = 0) -> NDArray[np.float64]:
    rng = random(seed)
    return np.asarray(Painter(hand, rng).paint(sketch, (120, 120), rng)).astype(float)


def roughness(picture: NDArray[np.float64], axis: int) -> float:
    return float(np.abs(np.diff(picture.mean(axis=2), axis=axis)).mean())


def test_a_plain_hand_gives_a_plain_colour_back() -> None:
    picture = paint(PLAIN, plain_sketch((0.8, 0.5, 0.2)))
    covered = np.median(picture.reshape(-1, 3), axis=0)
    np.testing.assert_allclose(covered, (204, 128, 51), atol=1)


@pytest.mark.parametrize(("seen", "painted"), [(0.0, 0.12), (1.0, 0.88)])
def test_paint_is_neither_quite_black_nor_quite_white(seen: float, painted: float) -> None:
    picture = paint(PLAIN, plain_sketch((seen, seen, seen)))
    np.testing.assert_allclose(np.median(picture), 255 * painted, atol=1)


def test_level_strokes_change_less_along_than_across_and_upright_ones_the_other_way() -> None:
    sketch, level = plain_sketch((0.5, 0.5, 0.5)), replace(PLAIN, flicker=0.2)
    upright = replace(level, habit=9.0, angle=np.pi / 2)
    along, across = roughness(paint(level, sketch), 1), roughness(paint(level, sketch), 0)
    assert 1.5 * along < across
    along, across = roughness(paint(upright, sketch), 0), roughness(paint(upright, sketch), 1)
    assert 1.5 * along < across


@pytest.mark.parametrize("trait", ["broken", "flicker", "accents", "impasto"])
def test_each_trait_shows_on_a_plain_colour(trait: str) -> None:
    sketch, plain = plain_sketch((0.5, 0.6, 0.3)), replace(PLAIN, coverage=12.0)
    assert paint(plain, sketch).std(axis=(0, 1)).max() < 1
    assert paint(replace(plain, **{trait: 0.5}), sketch).std(axis=(0, 1)).max() > 3


def test_chroma_of_zero_leaves_grey_of_the_same_brightness() -> None:
    picture = paint(replace(PLAIN, chroma=0.0), plain_sketch((0.7, 0.6, 0.2)))
    np.testing.assert_allclose(np.median(picture.reshape(-1, 3), axis=0), (128, 128, 128), atol=1)


def test_an_accent_is_of_the_complementary_colour() -> None:
    picture = paint(replace(PLAIN, accents=1.0), plain_sketch((0.6, 0.5, 0.4)))
    red, green, blue = np.median(picture.reshape(-1, 3), axis=0)
    assert red < green < blue


def test_a_mark_is_as_long_and_as_wide_as_the_hand_says() -> None:
    mark = make_marks(PLAIN, 1.0, random())[0, 0, :, ::4]
    assert (mark > 0.5).sum(axis=1).max() == pytest.approx(20, abs=1)
    assert (mark > 0.5).sum(axis=0).max() == pytest.approx(4, abs=1)


@pytest.mark.parametrize("school", SCHOOLS, ids=lambda school: school.style)
def test_marks_are_whole_and_never_cover_more_than_the_opacity(school: School) -> None:
    for seed in range(5):
        rng = random(seed)
        hand = draw_hand(school, rng)
        marks = make_marks(hand, 1.0, rng)
        assert 0 <= marks.min() <= marks.max() <= hand.opacity + 1e-6
        border = [marks[..., 0, :], marks[..., -1, :], marks[..., :4], marks[..., -4:]]
        assert max(edge.max() for edge in border) < 0.1


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.genre)
def test_a_subject_fills_its_sketch_with_colours_that_can_be_painted(subject: Subject) -> None:
    for seed in range(10):
        rng, sketch = random(seed), Sketch(70, 50)
        sketch.colour[:] = np.nan
        subject.draw(sketch, draw_light(rng), 0.4, rng)
        assert np.isfinite(sketch.colour).all()
        assert np.isfinite(sketch.flow).all()
        assert sketch.colour.std(axis=(0, 1)).max() > 0.02


def test_a_ball_is_lit_from_the_upper_left_and_its_form_runs_around_it() -> None:
    sketch = Sketch(100, 100)
    sketch.ball((0.5, 0.5), (0.3, 0.3), (1.0, 1.0, 1.0), (0.2, 0.2, 0.2))
    assert sketch.colour[35, 35, 0] > sketch.colour[65, 65, 0] > 0
    assert np.cos(sketch.flow[25, 50]) ** 2 == pytest.approx(1, abs=0.01)  # level at the top
    assert np.sin(sketch.flow[50, 25]) ** 2 == pytest.approx(1, abs=0.01)  # upright at the side
    assert (sketch.colour[..., 0] > 0).mean() == pytest.approx(np.pi * 0.09, rel=0.02)


def test_a_ball_may_lie_partly_or_wholly_outside() -> None:
    sketch = Sketch(20, 20)
    for middle in ((-0.5, 0.5), (1.5, 1.5), (0.5, -0.05)):
        sketch.ball(middle, (0.2, 0.2), (1.0, 1.0, 1.0), (1.0, 1.0, 1.0))
    assert 0 < sketch.colour[..., 0].sum() < 40


def test_the_same_stream_paints_the_same_picture() -> None:
    sketch = plain_sketch((0.3, 0.6, 0.9))
    hand = draw_hand(SCHOOLS[2], random())
    np.testing.assert_array_equal(paint(hand, sketch, 5), paint(hand, sketch, 5))
    assert (paint(hand, sketch, 5) != paint(hand, sketch, 6)).any()


def test_a_picture_has_the_size_asked_for() -> None:
    rng = random()
    picture = Painter(PLAIN, rng).paint(plain_sketch((0.1, 0.2, 0.3)), (31, 77), rng)
    assert isinstance(picture, Image.Image)
    assert (picture.size, picture.mode) == ((31, 77), "RGB")

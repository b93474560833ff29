"""The hand of a sample painter: what all of their pictures have in common."""

from dataclasses import astuple, dataclass, replace

import numpy as np


@dataclass(frozen=True, slots=True)
class Hand:
    """How somebody paints, in continuous numbers; none of them fixes a colour or a subject.

    Lengths are in pixels, angles in radians, and the rest from 0 to 1 unless stated.
    """

    width: float  # of a stroke
    slenderness: float  # length of a stroke over its width
    bend: float  # how far a stroke's ends bow, in widths; either sign
    angle: float  # the direction that this hand falls into
    habit: float  # pull of that direction, against the direction of the form
    swirl: float  # pull of slow whirls across the picture
    scatter: float  # disorder of the directions (standard deviation)
    opacity: float
    softness: float  # of the edges
    bristle: float  # how streaky the brush is
    impasto: float  # how far the paint stands out
    coverage: float  # strokes over one spot, on average
    ground: float  # brightness of the priming that shows between the strokes
    broken: float  # spread of colour between neighbouring strokes (standard deviation)
    flicker: float  # spread of brightness between neighbouring strokes (standard deviation)
    accents: float  # share of strokes in the complementary colour
    chroma: float  # strength of colours over that of the things painted
    contour: float  # darkness of lines drawn around things
    horizon: float  # height of the horizon, 0 at the top


_LEAST = Hand(2.6, 2.0, -0.5, 0.0, 0.2, 0.0, 0.1, 0.65, 0.1, 0.1, 0.1,
              1.0, 0.15, 0.01, 0.03, 0.0, 0.75, 0.0, 0.30)  # fmt: skip
_MOST = Hand(5.5, 4.5, 0.5, np.pi, 0.8, 0.3, 0.4, 1.0, 0.6, 0.6, 0.6,
             1.7, 0.95, 0.08, 0.10, 0.06, 1.35, 0.3, 0.55)  # fmt: skip


@dataclass(frozen=True, slots=True)
class School:
    """A school, whose painters' hands lie between `least` and `most` in every number."""

    style: str
    least: Hand
    most: Hand


SCHOOLS: tuple[School, ...] = (
    School(
        "Impressionism",
        replace(_LEAST, broken=0.05, softness=0.3, flicker=0.05, bristle=0.3),
        replace(_MOST, broken=0.15, softness=0.7, flicker=0.12),
    ),
    School(
        "Pointillism",
        replace(_LEAST, width=2.8, slenderness=1.0, opacity=0.9, broken=0.15, flicker=0.08,
                accents=0.08, coverage=1.1),
        replace(_MOST, width=5.0, slenderness=1.35, broken=0.275, flicker=0.18,
                accents=0.25, softness=0.2, contour=0.0),
    ),
    School(
        "Post-Impressionism",
        replace(_LEAST, width=3.0, slenderness=4.0, bend=-1.0, swirl=1.0, habit=0.0, impasto=0.7,
                bristle=0.4, flicker=0.06),
        replace(_MOST, width=5.0, slenderness=7.0, bend=1.0, swirl=1.8, habit=0.2, impasto=1.1,
                scatter=0.2, flicker=0.14),
    ),
    School(
        "Tonalism",
        replace(_LEAST, width=6.0, softness=0.8, opacity=0.4, bristle=0.0, impasto=0.0,
                coverage=2.5, broken=0.0, flicker=0.0, chroma=0.7),
        replace(_MOST, width=10.0, softness=1.0, opacity=0.6, bristle=0.1, impasto=0.1,
                coverage=3.5, broken=0.025, flicker=0.02, chroma=1.0, accents=0.0, contour=0.0),
    ),
    School(
        "Fauvism",
        replace(_LEAST, width=5.0, slenderness=1.8, opacity=0.9, coverage=0.75, ground=0.75,
                broken=0.075, flicker=0.05, chroma=1.3, accents=0.06),
        replace(_MOST, width=8.0, slenderness=3.5, softness=0.15, coverage=1.1, ground=1.0,
                broken=0.2, flicker=0.14, chroma=1.8, accents=0.18, contour=0.5, impasto=0.3),
    ),
    School(
        "Expressionism",
        replace(_LEAST, width=3.5, slenderness=4.0, flicker=0.14, contour=0.4, habit=0.8,
                scatter=0.4, bristle=0.4),
        replace(_MOST, width=6.5, slenderness=7.0, flicker=0.28, contour=0.9, habit=1.5,
                scatter=0.9, bristle=0.9, impasto=0.9),
    ),
    School(
        "Divisionism",
        replace(_LEAST, width=2.4, slenderness=4.0, habit=1.5, scatter=0.02, bristle=0.0,
                broken=0.1, flicker=0.10, accents=0.05),
        replace(_MOST, width=3.8, slenderness=8.0, habit=2.5, scatter=0.12, swirl=0.1,
                broken=0.225, flicker=0.2, accents=0.18, contour=0.1),
    ),
    School(
        "Realism",
        replace(_LEAST, slenderness=1.8, habit=0.0, softness=0.4, coverage=1.6, impasto=0.0,
                broken=0.0, flicker=0.0, chroma=0.7),
        replace(_MOST, slenderness=3.0, habit=0.2, softness=0.9, coverage=2.2, impasto=0.3,
                broken=0.025, flicker=0.03, chroma=1.0, accents=0.0, swirl=0.0),
    ),
)  # fmt: skip


def draw_hand(school: School, rng: np.random.Generator) -> Hand:
    """Draw one hand of the school, each number evenly between its least and its most."""
    return Hand(*rng.uniform(astuple(school.least), astuple(school.most)).tolist())

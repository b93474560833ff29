"""How well a gallery's pictures are attributed, and strangers told from its artists."""

import numpy as np

from model.attribution import Attributions, Gallery
from model.distances import Float64, Integers
from model.intervals import percentile_interval
from model.measures import Measure
from model.resampling import draw_artists, weighted_mean
from model.weighing import shares, weigh


def measure_attribution(
    gallery: Gallery, alone: Attributions, unknown: Float64, resamples: int, seed: int
) -> tuple[Measure, ...]:
    """Measure attributions with 95 % intervals from resampling the artists.

    ``alone`` has each of N pictures with itself left out, of which those count whose artist has
    others; ``unknown`` (N,) is the probability of "none of these" with its artist left out. Top-1
    and top-5 are the shares whose artist comes first, or among the first five. The AUC is that of
    "none of these" as a detector of artists who are not in the gallery.
    """
    draws = draw_artists(gallery.artist, resamples, seed)
    has_others = gallery.count[gallery.artist] > 1
    found = []
    for name, most in (("top_1", 1), ("top_5", 5)):
        right = np.where(has_others, (alone.own_rank <= most).astype(np.float64), np.nan)
        if has_others.any():
            figures = weighted_mean(right, draws.artist, draws.drawn)
            value = float(np.nanmean(right))
            found.append(Measure(name, "all", value, percentile_interval(figures)))
    if has_others.any():
        known, artist = alone.none[has_others], gallery.artist[has_others]
        once = np.ones((1, len(gallery.count)))
        auc, figures = (
            weighted_detection_auc(known, artist, unknown, gallery.artist, drawn)
            for drawn in (once, draws.drawn)
        )
        found.append(Measure("unknown_roc_auc", "all", float(auc[0]), percentile_interval(figures)))
    return tuple(found)


def weighted_detection_auc(
    known: Float64, known_artist: Integers, unknown: Float64, artist: Integers, drawn: Float64
) -> Float64:
    """ROC AUC of scores that should be higher for ``unknown`` than for ``known``: (B,).

    Both are of pictures by artists, of whom each of B draws takes some several times; ties count
    half.

    >>> both = np.array([0, 1])
    >>> scores = np.array([0.1, 0.6]), both, np.array([0.5, 0.9]), both
    >>> weighted_detection_auc(*scores, np.array([[1.0, 1.0], [2.0, 0.0], [0.0, 1.0]])).tolist()
    [0.75, 1.0, 1.0]
    """
    artists = drawn.shape[1]
    table = np.empty((artists, artists))
    for each in range(artists):
        own = np.sort(known[known_artist == each])
        sides = [np.searchsorted(own, unknown, side) for side in ("left", "right")]
        table[each] = np.bincount(artist, (sides[0] + sides[1]) / 2, artists)
    pairs = np.outer(np.bincount(known_artist, minlength=artists), np.bincount(artist)).astype(
        float
    )
    return shares(weigh(table, drawn), weigh(pairs, drawn))

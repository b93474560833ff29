"""95 % intervals from resampling artists with replacement.

An interval lies between percentiles of the resampled metric (Efron & Tibshirani 1993, "An
Introduction to the Bootstrap", chapter 13). Artists are resampled because pairs are not
independent (Field & Welsh 2007, "Bootstrapping clustered data"), see `resampling`.
"""

from dataclasses import dataclass

import numpy as np

from model.distances import Float64, Integers, TripletDistances, require_triplets
from model.errors import ModelInputError
from model.resampling import draw_artists, weighted_triplet_accuracy


@dataclass(frozen=True, slots=True)
class Interval:
    """The bounds of a confidence interval."""

    low: float
    high: float


def triplet_accuracy_interval(
    distances: TripletDistances,
    anchor_artist: Integers,
    negative_artist: Integers,
    *,
    resamples: int,
    seed: int,
    confidence: float = 0.95,
) -> Interval:
    """Interval of `metrics.triplet_accuracy`, given each triplet's two artists (T,).

    Resamples without triplets are skipped. Raises `ModelInputError` if all are.
    """
    require_triplets(distances)
    draws = draw_artists(np.concatenate([anchor_artist, negative_artist]), resamples, seed)
    anchor, negative = draws.artist.reshape(2, -1)
    figures = weighted_triplet_accuracy(distances, anchor, negative, draws.drawn)
    return require_interval(percentile_interval(figures, confidence))


def percentile_interval(figures: Float64, confidence: float = 0.95) -> Interval | None:
    """Interval between percentiles of resampled `figures` (B,), ignoring NaN; None if all are NaN.

    >>> percentile_interval(np.array([0.0, 0.5, np.nan, 1.0]), confidence=0.5)
    Interval(low=0.25, high=0.75)
    """
    usable = figures[~np.isnan(figures)]
    if not len(usable):
        return None
    low, high = np.quantile(usable, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(high))


def require_interval(interval: Interval | None) -> Interval:
    """Return the interval. Raises `ModelInputError` if there is none."""
    if interval is None:
        raise ModelInputError("no resample can be evaluated; use more resamples or more artists")
    return interval

"""How much better one embedding is than another on the same images, with an interval.

Both are evaluated on the same draws of artists (see `resampling`), so that what makes a draw easy
or hard for both cancels out (Efron & Tibshirani 1993, "An Introduction to the Bootstrap", chapter
13). Each fold's artists are drawn separately.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.distances import Float64, Integers, Pairs, TripletDistances
from model.errors import ModelInputError
from model.intervals import percentile_interval, require_interval
from model.metrics import roc_auc, triplet_accuracy
from model.resampling import draw_artists, weighted_roc_auc, weighted_triplet_accuracy


@dataclass(frozen=True, slots=True)
class Difference:
    """Ours minus theirs, averaged over the folds, with its 95 % interval."""

    value: float
    low: float
    high: float


def paired_roc_auc(
    ours: Sequence[Pairs],
    theirs: Sequence[Pairs],
    artists: Sequence[Integers],
    *,
    resamples: int,
    seed: int,
    folds: Sequence[int] | None = None,
) -> Difference:
    """Difference in `metrics.roc_auc`, given the pairs of each fold and its images' artists (N,).

    `folds` number the folds; trainings on the same fold share its draws. A resample without pairs
    of both kinds in some fold is skipped. Raises `ModelInputError` if all are skipped, or if a
    fold's pairs are not of the same images.
    """
    values, figures = [], []
    places = range(len(ours)) if folds is None else folds
    for one, other, names, fold in zip(ours, theirs, artists, places, strict=True):
        if not np.array_equal(one.same_artist, other.same_artist):
            raise ModelInputError("the two recipes were not evaluated on the same images of a fold")
        values.append(roc_auc(one) - roc_auc(other))
        draws = draw_artists(names, resamples, fold_stream(seed, fold))
        judged = [weighted_roc_auc(each, draws.artist, draws.drawn) for each in (one, other)]
        figures.append(judged[0] - judged[1])
    return _difference(values, figures)


def paired_triplet_accuracy(
    ours: Sequence[TripletDistances],
    theirs: Sequence[TripletDistances],
    anchor_artists: Sequence[Integers],
    negative_artists: Sequence[Integers],
    *,
    resamples: int,
    seed: int,
    folds: Sequence[int] | None = None,
) -> Difference:
    """Difference in `metrics.triplet_accuracy`, given each fold's triplets and their artists (T,).

    `folds` are as in `paired_roc_auc`. A resample without triplets in some fold is skipped. Raises
    `ModelInputError` if all are.
    """
    values, figures = [], []
    places = range(len(ours)) if folds is None else folds
    judged_on = zip(ours, theirs, anchor_artists, negative_artists, places, strict=True)
    for one, other, anchors, negatives, fold in judged_on:
        values.append(triplet_accuracy(one) - triplet_accuracy(other))
        both = np.concatenate([anchors, negatives])
        draws = draw_artists(both, resamples, fold_stream(seed, fold))
        anchor, negative = draws.artist.reshape(2, -1)
        judged = [
            weighted_triplet_accuracy(each, anchor, negative, draws.drawn) for each in (one, other)
        ]
        figures.append(judged[0] - judged[1])
    return _difference(values, figures)


def fold_stream(seed: int, fold: int) -> np.random.Generator:
    """The generator that draws a fold's artists, the same for every comparison."""
    return np.random.default_rng((seed, fold))


def _difference(values: Sequence[float], figures: Sequence[Float64]) -> Difference:
    """Mean over the folds; a resample is NaN, and so skipped, if one of its folds is."""
    interval = require_interval(percentile_interval(np.mean(figures, axis=0)))
    return Difference(float(np.mean(values)), interval.low, interval.high)

"""How much better one way of embedding is than another on the same images, and how sure that is.

Both are judged on the same draws of artists (see `resampling`), so what makes a draw easy or hard
for both cancels out, and the interval is that of the difference (Efron & Tibshirani 1993, "An
Introduction to the Bootstrap", chapter 13). Each fold has artists of its own, drawn by themselves.
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

    `folds` number the folds where several trainings are of one: they share its draws. A resample
    that leaves some fold without pairs of both kinds is skipped for both alike.
    Raises `ModelInputError` where all are, or where a fold's pairs are not of the same images.
    """
    values, figures = [], []
    places = range(len(ours)) if folds is None else folds
    for one, other, names, fold in zip(ours, theirs, artists, places, strict=True):
        _require_same_images(one, other)
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

    `folds` are as in `paired_roc_auc`. A resample that leaves some fold without triplets is skipped
    for both alike. Raises `ModelInputError` where all are.
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
    """The random numbers by which a fold's artists are drawn: the same for whatever is compared."""
    return np.random.default_rng((seed, fold))


def _difference(values: Sequence[float], figures: Sequence[Float64]) -> Difference:
    """Mean over the folds; a resample is NaN, and so skipped, where one of its folds is."""
    interval = require_interval(percentile_interval(np.mean(figures, axis=0)))
    return Difference(float(np.mean(values)), interval.low, interval.high)


def _require_same_images(ours: Pairs, theirs: Pairs) -> None:
    if not np.array_equal(ours.same_artist, theirs.same_artist):
        raise ModelInputError("the two recipes were not judged on the same images of a fold")

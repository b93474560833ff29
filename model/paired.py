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
) -> Difference:
    """Difference in `metrics.roc_auc`, given the pairs of each fold and its images' artists (N,).

    A resample that leaves some fold without pairs of both kinds is skipped for both alike.
    Raises `ModelInputError` where all are, or where a fold's pairs are not of the same images.
    """
    values, figures = [], []
    rngs = np.random.default_rng(seed).spawn(len(artists))
    for one, other, names, rng in zip(ours, theirs, artists, rngs, strict=True):
        _require_same_images(one, other)
        values.append(roc_auc(one) - roc_auc(other))
        draws = draw_artists(names, resamples, rng)
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
) -> Difference:
    """Difference in `metrics.triplet_accuracy`, given each fold's triplets and their artists (T,).

    A resample that leaves some fold without triplets is skipped for both alike. Raises
    `ModelInputError` where all are.
    """
    values, figures = [], []
    rngs = np.random.default_rng(seed).spawn(len(anchor_artists))
    folds = zip(ours, theirs, anchor_artists, negative_artists, rngs, strict=True)
    for one, other, anchors, negatives, rng in folds:
        values.append(triplet_accuracy(one) - triplet_accuracy(other))
        draws = draw_artists(np.concatenate([anchors, negatives]), resamples, rng)
        anchor, negative = draws.artist.reshape(2, -1)
        judged = [
            weighted_triplet_accuracy(each, anchor, negative, draws.drawn) for each in (one, other)
        ]
        figures.append(judged[0] - judged[1])
    return _difference(values, figures)


def _difference(values: Sequence[float], figures: Sequence[Float64]) -> Difference:
    """Mean over the folds; a resample is NaN, and so skipped, where one of its folds is."""
    interval = require_interval(percentile_interval(np.mean(figures, axis=0)))
    return Difference(float(np.mean(values)), interval.low, interval.high)


def _require_same_images(ours: Pairs, theirs: Pairs) -> None:
    if not np.array_equal(ours.same_artist, theirs.same_artist):
        raise ModelInputError("the two recipes were not judged on the same images of a fold")

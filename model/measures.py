"""Metrics of a split, each with its 95 % interval from resampling artists.

Scope "all" covers all pairs and queries. Scope "matched" covers pairs whose images share a label,
and queries among the images with their label, so that style or collection alone tells nothing. It
is left out if a split has no matched pairs of both kinds.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from model.calibration import Band, Calibration
from model.distances import Float32, Float64, Integers, Pairs
from model.intervals import Interval, percentile_interval
from model.metrics import cllr, cllr_min, roc_auc, tar_at_far
from model.resampling import (
    Draws,
    weighted_cllr,
    weighted_cllr_min,
    weighted_count,
    weighted_mean,
    weighted_roc_auc,
    weighted_tar_at_far,
)
from model.retrieval import average_precision_at_r, matched_average_precision_at_r
from model.weighing import shares

Scope = Literal["all", "matched"]
TAR_AT_FAR = {"tar_at_1_percent_far": 0.01, "tar_at_5_percent_far": 0.05}


@dataclass(frozen=True, slots=True)
class Measure:
    """A metric by name and scope."""

    name: str
    scope: Scope
    value: float
    interval: Interval | None  # None if none is drawn, or no resample had anything to judge


def measure_ranking(pairs: Pairs, draws: Draws, labels: Integers | None) -> Iterator[Measure]:
    """ROC AUC and true acceptance rates of all pairs, and of those whose `labels` (N,) match."""
    for scope, chosen in _scopes(pairs, labels):
        figures = weighted_roc_auc(chosen, draws.artist, draws.drawn)
        yield Measure("roc_auc", scope, roc_auc(chosen), percentile_interval(figures))
        for name, far in TAR_AT_FAR.items():
            figures = weighted_tar_at_far(chosen, draws.artist, draws.drawn, far)
            yield Measure(name, scope, tar_at_far(chosen, far), percentile_interval(figures))


def measure_retrieval(
    embeddings: Float32, artists: Integers, draws: Draws, labels: Integers | None
) -> Iterator[Measure]:
    """MAP@R among all images, and among those with a query's label; only queries are resampled."""
    scores: dict[Scope, Float64] = {"all": average_precision_at_r(embeddings, artists)}
    if labels is not None:
        scores["matched"] = matched_average_precision_at_r(embeddings, artists, labels)
    for scope, judged in scores.items():
        if not np.isnan(judged).all():
            interval = percentile_interval(weighted_mean(judged, draws.artist, draws.drawn))
            yield Measure("map_at_r", scope, float(np.nanmean(judged)), interval)


def measure_calibration(
    pairs: Pairs, calibration: Calibration, draws: Draws, labels: Integers | None
) -> Iterator[Measure]:
    """Cllr of all pairs, and of those whose `labels` (N,) match, by the same `calibration`."""
    for scope, chosen in _scopes(pairs, labels):
        figures = weighted_cllr(chosen, calibration, draws.artist, draws.drawn)
        yield Measure("cllr", scope, cllr(chosen, calibration), percentile_interval(figures))


def measure_loss(pairs: Pairs, calibration: Calibration, draws: Draws) -> Iterator[Measure]:
    """The two parts of the Cllr of all pairs: what no calibration could avoid, and the rest.

    A draw repeats artists, to whom the best calibration then fits better. So the interval of the
    first part lies somewhat low, and that of the second somewhat high.
    """
    least = cllr_min(pairs)
    least_drawn = weighted_cllr_min(pairs, draws.artist, draws.drawn)
    cost_drawn = weighted_cllr(pairs, calibration, draws.artist, draws.drawn)
    yield Measure("cllr_min", "all", least, percentile_interval(least_drawn))
    lost = percentile_interval(cost_drawn - least_drawn)
    yield Measure("cllr_calibration", "all", cllr(pairs, calibration) - least, lost)


def measure_verdicts(pairs: Pairs, band: Band, draws: Draws) -> Iterator[Measure]:
    """What the three verdicts on all pairs are worth."""
    same, every = pairs.same_artist, np.ones(len(pairs.distance), dtype=bool)
    accepted, rejected = pairs.distance <= band.accept_within, pairs.distance > band.reject_beyond
    undecided = ~(accepted | rejected)
    once = np.ones((1, draws.drawn.shape[1]))
    for name, counted, among in (
        ("false_acceptance", accepted, ~same),
        ("false_rejection", rejected, same),
        ("undecided_same", undecided, same),
        ("undecided_different", undecided, ~same),
        ("same_share", same, every),
        ("precision", same, accepted),  # at the collection's own share of pairs by one artist
    ):
        if among.any():
            value, figures = (
                shares(
                    weighted_count(pairs, counted & among, draws.artist, drawn),
                    weighted_count(pairs, among, draws.artist, drawn),
                )
                for drawn in (once, draws.drawn)
            )
            yield Measure(name, "all", float(value[0]), percentile_interval(figures))


def matched_pairs(pairs: Pairs, labels: Integers) -> Pairs:
    """The pairs whose images share a label; `labels` (N,) describe the images, -1 is blank.

    >>> from model.distances import all_pairs
    >>> pairs = all_pairs(np.float32([[0], [1], [3], [7]]), np.array([0, 0, 1, 1]))
    >>> matched_pairs(pairs, np.array([5, -1, 5, -1])).distance.tolist()
    [3.0]
    """
    label = labels[pairs.first_idx]
    shared = (label == labels[pairs.second_idx]) & (label != -1)
    return Pairs(
        pairs.first_idx[shared],
        pairs.second_idx[shared],
        pairs.distance[shared],
        pairs.same_artist[shared],
    )


def _scopes(pairs: Pairs, labels: Integers | None) -> Iterator[tuple[Scope, Pairs]]:
    yield "all", pairs
    if labels is None:
        return
    matched = matched_pairs(pairs, labels)
    if matched.same_artist.any() and not matched.same_artist.all():
        yield "matched", matched

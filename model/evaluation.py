"""Judging embeddings of a split: on its kept triplets, on all its pairs, and in retrieval."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model.calibration import Calibration
from model.intervals import Interval, require_interval, triplet_accuracy_interval
from model.measures import (
    Measure,
    Scope,
    measure_calibration,
    measure_ranking,
    measure_retrieval,
)
from model.metrics import (
    Pairs,
    TripletDistances,
    Verdicts,
    balanced_accuracy,
    count_verdicts,
    eer,
    triplet_accuracy,
    triplet_distances,
    triplet_loss_value,
)
from model.resampling import draw_artists
from model.retrieval import map_at_r, recall_at_1
from model.triplets import Triplets

Embeddings = npt.NDArray[np.float32]
Artists = npt.NDArray[np.int64]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TripletScore:
    """Triplet accuracy with its 95 % interval from resampling artists."""

    accuracy: float
    interval: Interval
    n_triplets: int

    def as_measure(self, scope: Scope) -> Measure:
        """The same as one of the measures."""
        return Measure("triplet_accuracy", scope, self.accuracy, self.interval)


@dataclass(frozen=True, slots=True)
class Discrimination:
    """What any way of embedding can be judged by, a baseline too; ``matched`` where asked for.

    ``measures`` hold triplet accuracy, ROC AUC, true acceptance rates and MAP@R: of everything,
    and of what shares a label where there is any.
    """

    triplets: TripletScore
    matched: TripletScore | None
    roc_auc: float
    roc_auc_interval: Interval
    measures: tuple[Measure, ...]


@dataclass(frozen=True, slots=True)
class Verification:
    """What only a network with a margin and a calibration can be judged by.

    ``measures`` hold its Cllr: of all pairs, and of those that share a label where there are any.
    """

    triplet_loss: float
    eer: float
    balanced_accuracy: float
    recall_at_1: float
    map_at_r: float
    verdicts: Verdicts
    measures: tuple[Measure, ...]


@dataclass(frozen=True, slots=True)
class Resampling:
    """How many times the artists are resampled for an interval, and from which seed."""

    resamples: int
    seed: int


def score_triplets(
    embeddings: Embeddings, artists: Artists, triplets: Triplets, resampling: Resampling
) -> TripletScore:
    """Triplet accuracy of ``embeddings`` (N, D); triplets index its rows, artists are (N,)."""
    distances = distances_of(embeddings, triplets)
    interval = triplet_accuracy_interval(
        distances,
        artists[triplets.anchor_idx],
        artists[triplets.negative_idx],
        resamples=resampling.resamples,
        seed=resampling.seed,
    )
    return TripletScore(triplet_accuracy(distances), interval, len(triplets.anchor_idx))


def discriminate(
    embeddings: Embeddings,
    artists: Artists,
    pairs: Pairs,
    triplets: Triplets,
    matched: Triplets | None,
    resampling: Resampling,
    labels: Labels | None = None,
) -> Discrimination:
    """Judge how well ``embeddings`` tell hands apart; ``pairs`` are all pairs of their rows.

    ``labels`` (N,) describe the images, -1 being a blank: what they share is judged by itself.
    """
    draws = draw_artists(artists, resampling.resamples, resampling.seed)
    ranking = tuple(measure_ranking(pairs, draws, labels))
    score = score_triplets(embeddings, artists, triplets, resampling)
    matched_score = score_triplets(embeddings, artists, matched, resampling) if matched else None
    return Discrimination(
        triplets=score,
        matched=matched_score,
        roc_auc=ranking[0].value,
        roc_auc_interval=require_interval(ranking[0].interval),
        measures=(
            score.as_measure("all"),
            *([matched_score.as_measure("matched")] if matched_score else []),
            *ranking,
            *measure_retrieval(embeddings, artists, draws, labels),
        ),
    )


def verify(
    embeddings: Embeddings,
    artists: Artists,
    pairs: Pairs,
    triplets: Triplets,
    *,
    margin: float,
    calibration: Calibration,
    resampling: Resampling,
    labels: Labels | None = None,
) -> Verification:
    """Judge ``embeddings`` by the margin they were trained with and the calibration chosen."""
    draws = draw_artists(artists, resampling.resamples, resampling.seed)
    return Verification(
        triplet_loss=triplet_loss_value(distances_of(embeddings, triplets), margin),
        eer=eer(pairs),
        balanced_accuracy=balanced_accuracy(pairs, calibration.threshold),
        recall_at_1=recall_at_1(embeddings, artists),
        map_at_r=map_at_r(embeddings, artists),
        verdicts=count_verdicts(pairs, calibration.threshold),
        measures=tuple(measure_calibration(pairs, calibration, draws, labels)),
    )


def distances_of(embeddings: Embeddings, triplets: Triplets) -> TripletDistances:
    """Distances from anchor to positive and to negative, (T,) each."""
    return triplet_distances(
        embeddings, triplets.anchor_idx, triplets.positive_idx, triplets.negative_idx
    )

"""Evaluate embeddings of a split: triplets, all pairs, and retrieval."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model.artist_measures import ArtistMeasures, measure_artists
from model.calibration import Calibration
from model.distances import Float32, Pairs, TripletDistances, triplet_distances
from model.intervals import Interval, require_interval, triplet_accuracy_interval
from model.measures import (
    Measure,
    measure_calibration,
    measure_loss,
    measure_ranking,
    measure_retrieval,
    measure_verdicts,
)
from model.metrics import (
    Predictions,
    Reliability,
    balanced_accuracy,
    count_predictions,
    eer,
    reliability,
    triplet_accuracy,
    triplet_loss_value,
)
from model.resampling import draw_artists
from model.retrieval import map_at_r, recall_at_1
from model.triplets import Triplets

Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TripletScore:
    """Triplet accuracy with its 95 % interval from resampling artists."""

    accuracy: float
    interval: Interval
    n_triplets: int


@dataclass(frozen=True, slots=True)
class Discrimination:
    """Metrics of any way of embedding, baselines included.

    ``matched`` is None unless matched triplets were given. ``measures`` hold triplet accuracy,
    ROC AUC, true acceptance rates and MAP@R in every scope.
    """

    triplets: TripletScore
    matched: TripletScore | None
    roc_auc: float
    roc_auc_interval: Interval
    measures: tuple[Measure, ...]


@dataclass(frozen=True, slots=True)
class Verification:
    """Metrics of a network with a margin and a calibration; ``measures`` hold its Cllr."""

    triplet_loss: float
    eer: float
    balanced_accuracy: float
    recall_at_1: float
    map_at_r: float
    predictions: Predictions
    measures: tuple[Measure, ...]
    reliability: Reliability
    artists: tuple[ArtistMeasures, ...]


@dataclass(frozen=True, slots=True)
class Resampling:
    """How many times the artists are resampled for an interval, and from which seed."""

    resamples: int
    seed: int


def score_triplets(
    embeddings: Float32, artists: Labels, triplets: Triplets, resampling: Resampling
) -> TripletScore:
    """Triplet accuracy of ``embeddings`` (N, D) by ``artists`` (N,); triplets index their rows."""
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
    embeddings: Float32,
    artists: Labels,
    pairs: Pairs,
    triplets: Triplets,
    matched: Triplets | None,
    resampling: Resampling,
    labels: Labels | None = None,
) -> Discrimination:
    """Measure how well ``embeddings`` (N, D) separate artists; ``pairs`` are all their pairs.

    ``labels`` (N,) describe the images, -1 is blank; they define the matched measures.
    """
    draws = draw_artists(artists, resampling.resamples, resampling.seed)
    ranking = tuple(measure_ranking(pairs, draws, labels))
    score = score_triplets(embeddings, artists, triplets, resampling)
    measures = [Measure("triplet_accuracy", "all", score.accuracy, score.interval)]
    alike = score_triplets(embeddings, artists, matched, resampling) if matched else None
    if alike:
        measures.append(Measure("triplet_accuracy", "matched", alike.accuracy, alike.interval))
    return Discrimination(
        triplets=score,
        matched=alike,
        roc_auc=ranking[0].value,
        roc_auc_interval=require_interval(ranking[0].interval),
        measures=(*measures, *ranking, *measure_retrieval(embeddings, artists, draws, labels)),
    )


def verify(
    embeddings: Float32,
    artists: Labels,
    pairs: Pairs,
    triplets: Triplets,
    *,
    margin: float,
    calibration: Calibration,
    resampling: Resampling,
    labels: Labels | None = None,
) -> Verification:
    """Evaluate ``embeddings`` by their training margin and their calibration."""
    draws = draw_artists(artists, resampling.resamples, resampling.seed)
    distances = distances_of(embeddings, triplets)
    return Verification(
        triplet_loss=triplet_loss_value(distances, margin),
        eer=eer(pairs),
        balanced_accuracy=balanced_accuracy(pairs, calibration.threshold),
        recall_at_1=recall_at_1(embeddings, artists),
        map_at_r=map_at_r(embeddings, artists),
        predictions=count_predictions(pairs, calibration.threshold),
        measures=(
            *measure_calibration(pairs, calibration, draws, labels),
            *measure_loss(pairs, calibration, draws),
            *measure_verdicts(pairs, calibration.band, draws),
        ),
        reliability=reliability(pairs, calibration),
        artists=tuple(
            measure_artists(
                embeddings, artists, resamples=resampling.resamples, seed=resampling.seed
            )
        ),
    )


def distances_of(embeddings: Float32, triplets: Triplets) -> TripletDistances:
    """Distances from anchor to positive and to negative, (T,) each."""
    return triplet_distances(
        embeddings, triplets.anchor_idx, triplets.positive_idx, triplets.negative_idx
    )

"""Judging embeddings of a split: on its kept triplets, on all its pairs, and in retrieval."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model.intervals import Interval, roc_auc_interval, triplet_accuracy_interval
from model.metrics import (
    Pairs,
    TripletDistances,
    Verdicts,
    balanced_accuracy,
    count_verdicts,
    eer,
    map_at_r,
    recall_at_1,
    roc_auc,
    triplet_accuracy,
    triplet_distances,
    triplet_loss_value,
)
from model.triplets import Triplets

Embeddings = npt.NDArray[np.float32]
Artists = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TripletScore:
    """Triplet accuracy with its 95 % interval from resampling artists."""

    accuracy: float
    interval: Interval
    n_triplets: int


@dataclass(frozen=True, slots=True)
class Discrimination:
    """What any way of embedding can be judged by, a baseline too; ``matched`` where asked for."""

    triplets: TripletScore
    matched: TripletScore | None
    roc_auc: float
    roc_auc_interval: Interval


@dataclass(frozen=True, slots=True)
class Verification:
    """What only a network with a margin and a threshold can be judged by."""

    triplet_loss: float
    eer: float
    balanced_accuracy: float
    recall_at_1: float
    map_at_r: float
    verdicts: Verdicts


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
) -> Discrimination:
    """Judge how well ``embeddings`` tell hands apart; ``pairs`` are all pairs of their rows."""
    return Discrimination(
        triplets=score_triplets(embeddings, artists, triplets, resampling),
        matched=score_triplets(embeddings, artists, matched, resampling) if matched else None,
        roc_auc=roc_auc(pairs),
        roc_auc_interval=roc_auc_interval(
            pairs, artists, resamples=resampling.resamples, seed=resampling.seed
        ),
    )


def verify(
    embeddings: Embeddings,
    artists: Artists,
    pairs: Pairs,
    triplets: Triplets,
    *,
    margin: float,
    threshold: float,
) -> Verification:
    """Judge ``embeddings`` by the margin they were trained with and the threshold chosen before."""
    return Verification(
        triplet_loss=triplet_loss_value(distances_of(embeddings, triplets), margin),
        eer=eer(pairs),
        balanced_accuracy=balanced_accuracy(pairs, threshold),
        recall_at_1=recall_at_1(embeddings, artists),
        map_at_r=map_at_r(embeddings, artists),
        verdicts=count_verdicts(pairs, threshold),
    )


def distances_of(embeddings: Embeddings, triplets: Triplets) -> TripletDistances:
    """Distances from anchor to positive and to negative, (T,) each."""
    return triplet_distances(
        embeddings, triplets.anchor_idx, triplets.positive_idx, triplets.negative_idx
    )

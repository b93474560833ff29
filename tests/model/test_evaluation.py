"""Scores of a split against scikit-learn, torch, or the metric called directly."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, roc_auc_score

from model.calibration import Band, Calibration
from model.distances import all_pairs
from model.evaluation import Resampling, discriminate, distances_of, score_triplets, verify
from model.intervals import triplet_accuracy_interval
from model.measures import (
    TAR_AT_FAR,
    Measure,
    measure_calibration,
    measure_loss,
    measure_ranking,
    measure_retrieval,
    measure_verdicts,
)
from model.metrics import eer
from model.resampling import draw_artists
from model.retrieval import map_at_r, recall_at_1
from model.triplets import Triplets, draw_triplets
from tests.model.resampled import roc_auc_interval

rng = np.random.default_rng(8)
ARTISTS = np.repeat(np.arange(5, dtype=np.int64), 4)
EMBEDDINGS = (rng.normal(size=(5, 3))[ARTISTS] + rng.normal(size=(20, 3))).astype(np.float32)
TRIPLETS = draw_triplets(ARTISTS, 60, rng)
MATCHED = draw_triplets(ARTISTS, 25, rng)
PAIRS = all_pairs(EMBEDDINGS, ARTISTS)
LABELS = rng.integers(-1, 2, len(ARTISTS))
RESAMPLING = Resampling(resamples=50, seed=4)
DRAWS = draw_artists(ARTISTS, 50, 4)
KNOWN = Calibration(1.9, 1.2, midpoint=1.9, band=Band(1.9, 1.9))


def by_hand(triplets: Triplets) -> tuple[torch.Tensor, torch.Tensor]:
    """Distances from anchor to positive and to negative, by torch."""
    anchor, positive, negative = (
        torch.from_numpy(EMBEDDINGS[rows])
        for rows in (triplets.anchor_idx, triplets.positive_idx, triplets.negative_idx)
    )
    return (anchor - positive).norm(dim=1), (anchor - negative).norm(dim=1)


def test_distances_of_triplets_are_measured_from_their_anchors() -> None:
    distances = distances_of(EMBEDDINGS, TRIPLETS)
    positive_dist, negative_dist = by_hand(TRIPLETS)
    assert distances.positive_dist == pytest.approx(positive_dist.numpy(), rel=1e-5)
    assert distances.negative_dist == pytest.approx(negative_dist.numpy(), rel=1e-5)


def test_triplets_are_scored_with_the_interval_of_their_artists() -> None:
    score = score_triplets(EMBEDDINGS, ARTISTS, TRIPLETS, RESAMPLING)
    positive_dist, negative_dist = by_hand(TRIPLETS)
    assert score.accuracy == pytest.approx((positive_dist < negative_dist).double().mean().item())
    assert score.n_triplets == 60
    assert score.interval == triplet_accuracy_interval(
        distances_of(EMBEDDINGS, TRIPLETS),
        ARTISTS[TRIPLETS.anchor_idx],
        ARTISTS[TRIPLETS.negative_idx],
        resamples=50,
        seed=4,
    )
    assert score.interval.low < score.accuracy < score.interval.high


def test_seed_and_number_of_resamples_affect_the_interval() -> None:
    intervals = {
        score_triplets(EMBEDDINGS, ARTISTS, TRIPLETS, resampling).interval
        for resampling in (RESAMPLING, replace(RESAMPLING, seed=5), Resampling(20, 4))
    }
    assert len(intervals) == 3


def test_discrimination_scores_its_own_triplets_and_pairs() -> None:
    judged = discriminate(EMBEDDINGS, ARTISTS, PAIRS, TRIPLETS, MATCHED, RESAMPLING)
    assert judged.triplets == score_triplets(EMBEDDINGS, ARTISTS, TRIPLETS, RESAMPLING)
    assert judged.matched == score_triplets(EMBEDDINGS, ARTISTS, MATCHED, RESAMPLING)
    assert judged.triplets != judged.matched
    assert judged.roc_auc == pytest.approx(roc_auc_score(PAIRS.same_artist, -PAIRS.distance))
    assert judged.roc_auc_interval == roc_auc_interval(PAIRS, ARTISTS, resamples=50, seed=4)


def test_without_matched_triplets_there_is_no_matched_score() -> None:
    judged = discriminate(EMBEDDINGS, ARTISTS, PAIRS, TRIPLETS, None, RESAMPLING)
    assert judged.matched is None


def test_measures_cover_all_images_and_those_that_share_a_label() -> None:
    judged = discriminate(EMBEDDINGS, ARTISTS, PAIRS, TRIPLETS, MATCHED, RESAMPLING, LABELS)
    assert judged.matched
    assert judged.measures == (
        Measure("triplet_accuracy", "all", judged.triplets.accuracy, judged.triplets.interval),
        Measure("triplet_accuracy", "matched", judged.matched.accuracy, judged.matched.interval),
        *measure_ranking(PAIRS, DRAWS, LABELS),
        *measure_retrieval(EMBEDDINGS, ARTISTS, DRAWS, LABELS),
    )
    assert {(each.name, each.scope) for each in judged.measures} == {
        (name, scope)
        for name in ("triplet_accuracy", "roc_auc", *TAR_AT_FAR, "map_at_r")
        for scope in ("all", "matched")
    }


def test_without_labels_only_the_matched_triplets_are_matched() -> None:
    judged = discriminate(EMBEDDINGS, ARTISTS, PAIRS, TRIPLETS, MATCHED, RESAMPLING)
    matched = [each.name for each in judged.measures if each.scope == "matched"]
    assert matched == ["triplet_accuracy"]


def test_verification_uses_the_given_margin_and_calibration() -> None:
    judged = verify(
        EMBEDDINGS,
        ARTISTS,
        PAIRS,
        TRIPLETS,
        margin=2.0,
        calibration=KNOWN,
        resampling=RESAMPLING,
        labels=LABELS,
    )
    calibrated = tuple(measure_calibration(PAIRS, KNOWN, DRAWS, LABELS))
    assert [each.scope for each in calibrated] == ["all", "matched"]
    assert judged.measures == (
        *calibrated,
        *measure_loss(PAIRS, KNOWN, DRAWS),
        *measure_verdicts(PAIRS, KNOWN.band, DRAWS),
    )
    assert judged.reliability.n_pairs.sum() == len(PAIRS.distance)
    assert [each.n_images for each in judged.artists] == [4] * 5
    positive_dist, negative_dist = by_hand(TRIPLETS)
    loss = torch.relu(positive_dist - negative_dist + 2.0).mean()
    assert judged.triplet_loss == pytest.approx(loss.item(), rel=1e-5)
    accuracy = balanced_accuracy_score(PAIRS.same_artist, PAIRS.distance <= 1.9)
    assert judged.balanced_accuracy == pytest.approx(accuracy)
    counted = confusion_matrix(~PAIRS.same_artist, PAIRS.distance > 1.9).flatten()
    assert [*asdict(judged.predictions).values()] == [counted[at] for at in (0, 1, 3, 2)]
    assert judged.eer == eer(PAIRS)
    assert judged.recall_at_1 == recall_at_1(EMBEDDINGS, ARTISTS)
    assert judged.map_at_r == map_at_r(EMBEDDINGS, ARTISTS)
    assert len({judged.eer, judged.recall_at_1, judged.map_at_r}) == 3


def test_a_splits_triplets_can_be_renumbered_for_the_whole_dataset() -> None:
    rows = np.array([40, 7, 19, 3])
    split = Triplets(*(np.array(idx, np.int32) for idx in ([0, 3], [1, 2], [2, 0])))
    whole = split.of_rows(rows)
    assert whole.anchor_idx.tolist() == [40, 3]
    assert whole.positive_idx.tolist() == [7, 19]
    assert whole.negative_idx.tolist() == [19, 40]
    assert whole.anchor_idx.dtype == np.int32

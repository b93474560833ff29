"""Evaluation: score an epoch, choose the threshold, judge the test split."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from prefect import get_run_logger

from model.band import choose_band
from model.calibration import calibrate
from model.collapse import has_collapsed
from model.evaluation import Discrimination, Resampling, discriminate, distances_of, verify
from model.metrics import Pairs, all_pairs, roc_auc, triplet_accuracy, triplet_loss_value
from model.resampling import draw_artists
from storage.datasets.dataset import Dataset, SplitImages, load_split
from storage.pages.report_page import Evidence
from storage.reports.report import Picture
from tasks.batches import SplitTriplets, read_triplets
from tasks.embedding import embeddings_of, read_embeddings
from tasks.evidence import gather_evidence
from tasks.features import Features
from tasks.models import StoredModel, Threshold
from tasks.report import plot_test
from tasks.settings import Settings
from tasks.stored_evaluation import JudgedBaseline, NetworkResult, store_evaluation
from tasks.support.progress import progress_bar
from tasks.support.run import OpenRun
from tasks.support.step import step


@dataclass(frozen=True, slots=True)
class SplitScore:
    """Mean triplet loss and triplet accuracy on a split's triplets, ROC AUC on its pairs."""

    loss: float
    accuracy: float
    roc_auc: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """The evaluation that is stored, and what is drawn and shown of it."""

    evaluation_id: int
    pictures: tuple[Picture, ...]
    evidence: Evidence


@step("score the checkpoint on {triplets.split}", hours=6)
def score_checkpoint(
    run: OpenRun,
    checkpoint: Path,
    dataset: Dataset,
    triplets: SplitTriplets,
    features: Features | None = None,
) -> SplitScore:
    """Score a checkpoint on a split's triplets and on all its pairs."""
    images = load_split(dataset, triplets.split)
    with progress_bar(f"embedding {triplets.split}") as progress:
        vectors = embeddings_of(checkpoint, dataset, images.rows, run.compute, features, progress)
    distances = distances_of(vectors, read_triplets(triplets.triplets))
    pairs = all_pairs(vectors, images.artists)
    return SplitScore(
        triplet_loss_value(distances, run.settings.margin),
        triplet_accuracy(distances),
        roc_auc(pairs),
    )


@step()
def choose_threshold(embeddings: Path, dataset: Dataset, settings: Settings) -> Threshold:
    """Fit verdicts and probabilities on the validation pairs, never on those they judge."""
    vectors = read_embeddings(embeddings)
    artists = load_split(dataset, "validation").artists
    pairs = all_pairs(vectors, artists)
    draws = draw_artists(artists, settings.resamples, settings.seed)
    band = choose_band(pairs, draws, settings.false_acceptance, settings.false_rejection)
    if collapsed := has_collapsed(vectors):
        get_run_logger().warning(
            "The network has collapsed: it gives every validation image the same embedding."
            " It will not be champion; try a lower learning_rate, or another loss"
        )
    return Threshold(calibrate(pairs, band), roc_auc(pairs), collapsed)


@step("judge the baseline: {name}", hours=6)
def judge_baseline(
    run: OpenRun, name: str, dataset: Dataset, embeddings: Path, triplets: SplitTriplets
) -> JudgedBaseline:
    """Judge a simpler way of embedding on the same triplets and pairs."""
    images = load_split(dataset, triplets.split, triplets.matched_on)
    vectors = read_embeddings(embeddings)
    pairs = all_pairs(vectors, images.artists)
    return JudgedBaseline(name, _discriminate(run, vectors, images, pairs, triplets))


@step(hours=6)
def judge_test_split(
    run: OpenRun,
    model: StoredModel,
    dataset: Dataset,
    dataset_id: int,
    embeddings: Path,
    triplets: SplitTriplets,
    baselines: Sequence[JudgedBaseline],
) -> Judgement:
    """Measure all pairs of the test split once; judge, draw and store them."""
    images = load_split(dataset, triplets.split, triplets.matched_on)
    vectors = read_embeddings(embeddings)
    pairs = all_pairs(vectors, images.artists)
    discrimination = _discriminate(run, vectors, images, pairs, triplets)
    verification = verify(
        vectors,
        images.artists,
        pairs,
        read_triplets(triplets.triplets),
        margin=run.settings.margin,
        calibration=model.calibration,
        resampling=Resampling(run.settings.resamples, run.settings.seed),
        labels=images.labels if triplets.matched_on else None,
    )
    pictures = plot_test(run, model, dataset, images, pairs)
    evidence = gather_evidence(model, images, pairs, verification.artists, run.settings.prior)
    result = NetworkResult(discrimination, verification, triplets.matched_on)
    evaluation_id = store_evaluation(run, model, dataset_id, images, pairs, result, baselines)
    return Judgement(evaluation_id, pictures, evidence)


def _discriminate(
    run: OpenRun,
    vectors: npt.NDArray[np.float32],
    images: SplitImages,
    pairs: Pairs,
    triplets: SplitTriplets,
) -> Discrimination:
    return discriminate(
        vectors,
        images.artists,
        pairs,
        read_triplets(triplets.triplets),
        read_triplets(triplets.matched) if triplets.matched else None,
        Resampling(run.settings.resamples, run.settings.seed),
        images.labels if triplets.matched_on else None,
    )

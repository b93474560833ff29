"""Evaluation: embed each image once, choose the threshold, judge the test split."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model.calibration import Calibration, calibrate
from model.checkpoint import load_checkpoint
from model.compute import Compute
from model.embedding import embed, embed_features, mean_colours, pool_features, standardised
from model.evaluation import (
    Discrimination,
    Resampling,
    Verification,
    discriminate,
    distances_of,
    verify,
)
from model.exported import embed_exported, open_exported
from model.metrics import all_pairs, roc_auc, triplet_accuracy, triplet_loss_value
from storage.arrays import load_arrays, save_arrays
from storage.datasets.dataset import Dataset, load_split
from storage.datasets.features import open_features
from storage.datasets.pixels import open_pixels
from storage.run_folder import EXPORTED, checkpoint_beside
from tasks.batches import KeptTriplets, read_triplets
from tasks.features import Features
from tasks.support.progress import progress_bar
from tasks.support.step import step


@dataclass(frozen=True, slots=True)
class SplitScore:
    """Mean triplet loss and triplet accuracy on a split's kept triplets, ROC AUC on its pairs."""

    loss: float
    accuracy: float
    roc_auc: float


@dataclass(frozen=True, slots=True)
class Threshold:
    """What was learnt from the validation pairs, and how well they are told apart."""

    calibration: Calibration
    validation_roc_auc: float


@step(name="embed-{split}", hours=6)
def embed_split(
    network: Path,
    dataset: Dataset,
    split: str,
    compute: Compute,
    target: Path,
    features: Features | None = None,
) -> Path:
    """Embed each image of a split once, by a checkpoint or an exported network."""
    embeddings = _embed(network, dataset, split, compute, features)
    save_arrays(target, {"embeddings": embeddings})
    return target


@step(name="features-of-{split}", hours=6)
def measure_features(
    checkpoint: Path,
    dataset: Dataset,
    split: str,
    compute: Compute,
    target: Path,
    features: Features | None = None,
) -> Path:
    """Describe each image of a split by what the backbone sees, without a head: a baseline."""
    network = load_checkpoint(checkpoint, compute.device).network
    images = load_split(dataset, split)
    if features is not None:
        seen: npt.NDArray[np.float32] = open_features(features.plain)[images.rows]
    else:
        seen = pool_features(network, open_pixels(dataset.pixels), images.rows, compute)
    save_arrays(target, {"embeddings": standardised(network, seen)})
    return target


@step(hours=6)
def measure_mean_colours(dataset: Dataset, split: str, target: Path) -> Path:
    """Describe each image of a split by its mean colour alone: the baseline to beat."""
    images = load_split(dataset, split)
    colours = mean_colours(open_pixels(dataset.pixels), images.rows)
    save_arrays(target, {"embeddings": colours})
    return target


@step(name="score-{kept.split}", hours=6)
def score_checkpoint(
    checkpoint: Path,
    dataset: Dataset,
    kept: KeptTriplets,
    margin: float,
    compute: Compute,
    features: Features | None = None,
) -> SplitScore:
    """Judge a checkpoint on a split's kept triplets and on all its pairs."""
    embeddings = _embed(checkpoint, dataset, kept.split, compute, features)
    distances = distances_of(embeddings, read_triplets(kept.triplets))
    pairs = all_pairs(embeddings, load_split(dataset, kept.split).artists)
    return SplitScore(
        triplet_loss_value(distances, margin), triplet_accuracy(distances), roc_auc(pairs)
    )


@step()
def choose_threshold(embeddings: Path, dataset: Dataset) -> Threshold:
    """Choose threshold and probability on the validation pairs, never on those they judge."""
    images = load_split(dataset, "validation")
    pairs = all_pairs(load_arrays(embeddings)["embeddings"], images.artists)
    return Threshold(calibrate(pairs), roc_auc(pairs))


@step(hours=6)
def judge_embeddings(
    embeddings: Path, dataset: Dataset, kept: KeptTriplets, resampling: Resampling
) -> Discrimination:
    """Judge how well embeddings, a baseline's too, tell hands apart."""
    images = load_split(dataset, kept.split, kept.matched_on)
    vectors = load_arrays(embeddings)["embeddings"]
    return discriminate(
        vectors,
        images.artists,
        all_pairs(vectors, images.artists),
        read_triplets(kept.triplets),
        read_triplets(kept.matched) if kept.matched else None,
        resampling,
        images.labels if kept.matched_on else None,
    )


@step()
def verify_embeddings(
    embeddings: Path,
    dataset: Dataset,
    kept: KeptTriplets,
    *,
    margin: float,
    calibration: Calibration,
    resampling: Resampling,
) -> Verification:
    """Judge the network's embeddings by its margin and calibration."""
    images = load_split(dataset, kept.split, kept.matched_on)
    vectors = load_arrays(embeddings)["embeddings"]
    return verify(
        vectors,
        images.artists,
        all_pairs(vectors, images.artists),
        read_triplets(kept.triplets),
        margin=margin,
        calibration=calibration,
        resampling=resampling,
        labels=images.labels if kept.matched_on else None,
    )


def _embed(
    network: Path, dataset: Dataset, split: str, compute: Compute, features: Features | None
) -> npt.NDArray[np.float32]:
    """Embed a split by the shortest way: stored features, an exported network, or torch."""
    images = load_split(dataset, split)
    if features is not None:
        kept = load_checkpoint(checkpoint_beside(network)).network
        seen = [open_features(path)[images.rows] for path in features.of_all]
        return embed_features(kept, *seen)
    with progress_bar(f"embedding {split}") as progress:
        return embed_pixels(network, open_pixels(dataset.pixels), compute, images.rows, progress)


def embed_pixels(
    network: Path,
    pixels: npt.NDArray[np.uint8],
    compute: Compute,
    rows: npt.NDArray[np.int64] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> npt.NDArray[np.float32]:
    """Embed crops, those in ``rows`` or all, by an exported network or by a checkpoint."""
    rows = np.arange(len(pixels)) if rows is None else rows
    if network.suffix == EXPORTED:
        return embed_exported(open_exported(network), pixels, rows, progress)
    kept = load_checkpoint(network, compute.device).network
    return embed(kept, pixels, rows, compute, progress)

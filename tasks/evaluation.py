"""Evaluation: embed each image once, choose the threshold, judge the test split."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model.calibration import Calibration, calibrate
from model.checkpoint import load_checkpoint
from model.compute import Compute
from model.embedding import embed, mean_colours
from model.evaluation import (
    Discrimination,
    Resampling,
    Verification,
    discriminate,
    distances_of,
    verify,
)
from model.metrics import all_pairs, roc_auc, triplet_accuracy, triplet_loss_value
from storage.arrays import load_arrays, save_arrays
from storage.datasets.dataset import Dataset, load_split
from storage.datasets.pixels import open_pixels
from tasks.progress import progress_bar
from tasks.step import step
from tasks.triplets import KeptTriplets, read_triplets


@dataclass(frozen=True, slots=True)
class SplitScore:
    """Mean triplet loss and triplet accuracy on the kept triplets of a split."""

    loss: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Threshold:
    """What was learnt from the validation pairs, and how well they are told apart."""

    calibration: Calibration
    validation_roc_auc: float


@step(name="embed-{split}", hours=6)
def embed_split(
    checkpoint: Path, dataset: Dataset, split: str, compute: Compute, target: Path
) -> Path:
    """Embed each image of a split once."""
    save_arrays(target, {"embeddings": _embed(checkpoint, dataset, split, compute)})
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
    checkpoint: Path, dataset: Dataset, kept: KeptTriplets, margin: float, compute: Compute
) -> SplitScore:
    """Loss and accuracy of a checkpoint on a split's kept triplets."""
    embeddings = _embed(checkpoint, dataset, kept.split, compute)
    distances = distances_of(embeddings, read_triplets(kept.triplets))
    return SplitScore(triplet_loss_value(distances, margin), triplet_accuracy(distances))


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
    images = load_split(dataset, kept.split)
    vectors = load_arrays(embeddings)["embeddings"]
    return discriminate(
        vectors,
        images.artists,
        all_pairs(vectors, images.artists),
        read_triplets(kept.triplets),
        read_triplets(kept.matched) if kept.matched else None,
        resampling,
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
    images = load_split(dataset, kept.split)
    vectors = load_arrays(embeddings)["embeddings"]
    return verify(
        vectors,
        images.artists,
        all_pairs(vectors, images.artists),
        read_triplets(kept.triplets),
        margin=margin,
        calibration=calibration,
        resampling=resampling,
    )


def _embed(
    checkpoint: Path, dataset: Dataset, split: str, compute: Compute
) -> npt.NDArray[np.float32]:
    network = load_checkpoint(checkpoint, compute.device).network
    images = load_split(dataset, split)
    with progress_bar(f"embedding {split}") as progress:
        return embed(network, open_pixels(dataset.pixels), images.rows, compute, progress)

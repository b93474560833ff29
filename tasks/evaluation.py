"""Evaluation: embed each image once, choose the threshold, judge the test split."""

from dataclasses import dataclass
from pathlib import Path

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
    network = load_checkpoint(checkpoint, compute.device).network
    images = load_split(dataset, split)
    with progress_bar(f"embedding {split}") as progress:
        embeddings = embed(network, open_pixels(dataset.pixels), images.rows, compute, progress)
    save_arrays(target, {"embeddings": embeddings})
    return target


@step(hours=6)
def measure_mean_colours(dataset: Dataset, split: str, target: Path) -> Path:
    """Describe each image of a split by its mean colour alone: the baseline to beat."""
    images = load_split(dataset, split)
    colours = mean_colours(open_pixels(dataset.pixels), images.rows)
    save_arrays(target, {"embeddings": colours})
    return target


@step()
def score_split(embeddings: Path, kept: KeptTriplets, margin: float) -> SplitScore:
    """Loss and accuracy on a split's kept triplets."""
    distances = distances_of(load_arrays(embeddings)["embeddings"], read_triplets(kept.triplets))
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
    embeddings: Path, dataset: Dataset, kept: KeptTriplets, *, margin: float, threshold: float
) -> Verification:
    """Judge the network's embeddings by its margin and threshold."""
    images = load_split(dataset, kept.split)
    vectors = load_arrays(embeddings)["embeddings"]
    return verify(
        vectors,
        images.artists,
        all_pairs(vectors, images.artists),
        read_triplets(kept.triplets),
        margin=margin,
        threshold=threshold,
    )

"""Training: from the checkpoint of one epoch to that of the next."""

from dataclasses import dataclass
from pathlib import Path

from prefect import get_run_logger

from model.checkpoint import (
    Checkpoint,
    load_checkpoint,
    load_optimizer,
    save_checkpoint,
    save_optimizer,
)
from model.compute import Compute
from model.network import NetworkShape, build_network
from model.training import EpochResult, Recipe, build_optimizer, train_epoch
from storage.datasets.dataset import Dataset, load_split
from storage.datasets.pixels import open_pixels
from storage.files import replacing
from storage.run_folder import RunFolder, optimizer_beside
from tasks.progress import progress_bar
from tasks.step import step
from tasks.triplets import read_triplets


@dataclass(frozen=True, slots=True)
class TrainedEpoch:
    """The checkpoint that an epoch ended with, and what it measured on its own triplets."""

    epoch: int
    checkpoint: Path
    result: EpochResult


@step()
def start_network(shape: NetworkShape, weights: str, seed: int, folder: RunFolder) -> Path:
    """Build the network as it is before any training, and keep it as epoch 0."""
    network = build_network(shape, weights, seed)
    with replacing(folder.checkpoint(0)) as partial:
        save_checkpoint(partial, Checkpoint(network, epoch=0))
    return folder.checkpoint(0)


@step(name="train-epoch-{epoch}", hours=24)
def train_one_epoch(
    checkpoint: Path,
    dataset: Dataset,
    triplets: Path,
    recipe: Recipe,
    compute: Compute,
    *,
    seed: int,
    epoch: int,
    folder: RunFolder,
) -> TrainedEpoch:
    """Train from ``checkpoint`` for one epoch; done again, it ends with the same numbers."""
    network = load_checkpoint(checkpoint, compute.device).network
    optimizer = build_optimizer(network, recipe)
    if epoch > 1:
        load_optimizer(optimizer_beside(checkpoint), optimizer)
    images = load_split(dataset, "train")
    with progress_bar(f"epoch {epoch}", unit="triplet") as progress:
        result = train_epoch(
            network,
            optimizer,
            open_pixels(dataset.pixels),
            read_triplets(triplets).of_rows(images.rows),
            recipe,
            compute,
            seed=seed,
            epoch=epoch,
            progress=progress,
        )
    trained = folder.checkpoint(epoch)
    with replacing(optimizer_beside(trained)) as partial:
        save_optimizer(partial, optimizer)
    with replacing(trained) as partial:
        save_checkpoint(partial, Checkpoint(network, epoch))
    # The state before the last is all that a repetition of the next epoch can still need.
    optimizer_beside(folder.checkpoint(epoch - 2)).unlink(missing_ok=True)
    get_run_logger().info(
        "Epoch %d: loss %.3f, accuracy %.2f %%, %.0f images/s",
        epoch,
        result.loss,
        100 * result.accuracy,
        result.images_per_second,
    )
    return TrainedEpoch(epoch, trained, result)

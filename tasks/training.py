"""Training: from the checkpoint of one epoch to that of the next."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from prefect import get_run_logger

from model.checkpoint import (
    Checkpoint,
    load_checkpoint,
    load_optimizer,
    save_backbone,
    save_checkpoint,
    save_optimizer,
)
from model.compute import Compute
from model.crops import resident
from model.export import check_export, export_network
from model.inputs import Inputs, StoredFeatures, WarpedCrops
from model.network import NetworkShape, build_network
from model.recipe import Recipe
from model.training import EpochResult, build_optimizer, train_epoch
from storage.datasets.crop import CropRules
from storage.datasets.dataset import Dataset, SplitImages, load_split
from storage.datasets.features import open_features
from storage.datasets.pixels import open_pixels
from storage.files import replacing
from storage.run_folder import RunFolder, exported_beside, optimizer_beside
from tasks.batches import read_batches
from tasks.features import Features
from tasks.support.progress import progress_bar
from tasks.support.step import step

CHECKED = 8  # crops on which an export is compared with the network it was made of


@dataclass(frozen=True, slots=True)
class TrainedEpoch:
    """The checkpoint that an epoch ended with, and what it measured on its own batches."""

    epoch: int
    checkpoint: Path
    result: EpochResult


@step()
def start_network(
    shape: NetworkShape, weights: str, seed: int, folder: RunFolder, trained: Path | None = None
) -> Path:
    """Build the network as it is before any training, and keep it as epoch 0.

    What standardises features is taken from the ``trained`` network where there is one.
    """
    network = build_network(shape, weights, seed)
    if trained is not None:
        statistics = load_checkpoint(trained).network.standardise.state_dict()
        network.standardise.load_state_dict(statistics)
    if shape.frozen:
        with replacing(folder.backbone) as partial:
            save_backbone(partial, network)
    with replacing(folder.checkpoint(0)) as partial:
        save_checkpoint(partial, Checkpoint(network, epoch=0))
    return folder.checkpoint(0)


@step(name="train-epoch-{epoch}", hours=24)
def train_one_epoch(
    checkpoint: Path,
    dataset: Dataset,
    batches: Path,
    recipe: Recipe,
    compute: Compute,
    *,
    seed: int,
    epoch: int,
    folder: RunFolder,
    features: Features | None = None,
) -> TrainedEpoch:
    """Train from ``checkpoint`` for one epoch; done again, it ends with the same numbers."""
    network = load_checkpoint(checkpoint, compute.device).network
    optimizer = build_optimizer(network, recipe)
    if epoch > 1:
        load_optimizer(optimizer_beside(checkpoint), optimizer)
    images = load_split(dataset, "train")
    drawn = read_batches(batches, recipe)
    with progress_bar(f"epoch {epoch}") as progress:
        result = train_epoch(
            network,
            optimizer,
            _inputs(dataset, images, features, recipe, compute),
            drawn if features else drawn.of_rows(images.rows),
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


@step()
def export_checkpoint(checkpoint: Path, dataset: Dataset, rules: CropRules) -> Path:
    """Export a network to be run without torch, once, and check it on crops."""
    target = exported_beside(checkpoint)
    if not target.exists():
        network = load_checkpoint(checkpoint).network
        with replacing(target) as partial:
            export_network(network, partial, {"crop": asdict(rules)})
            error = check_export(network, partial, np.array(open_pixels(dataset.pixels)[:CHECKED]))
        get_run_logger().info("%s exported, relative error %.1e", target.name, error)
    return target


def _inputs(
    dataset: Dataset,
    images: SplitImages,
    features: Features | None,
    recipe: Recipe,
    compute: Compute,
) -> Inputs:
    """What is trained on: crops by their row, or features of the split's images in its order."""
    if features is None:
        return WarpedCrops(resident(open_pixels(dataset.pixels), compute.device), recipe.warps)
    seen = [open_features(path)[images.rows] for path in features.of_all]
    copies = [open_features(copy) for copy in features.copies]
    return StoredFeatures((*seen, *copies), torch.device(compute.device))

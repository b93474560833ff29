"""Training: from the checkpoint of one epoch to that of the next."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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
from model.network import build_network
from model.recipe import Recipe
from model.training import EpochResult, build_optimizer, train_epoch
from storage.datasets.dataset import Dataset, SplitImages, load_split
from storage.datasets.features import open_features
from storage.datasets.pixels import open_pixels
from storage.errors import InputError
from storage.files import replacing
from storage.run_folder import exported_beside, optimizer_beside
from tasks.batches import read_batches
from tasks.features import Features, backbone_file
from tasks.support.progress import progress_bar
from tasks.support.run import OpenRun
from tasks.support.step import step

CHECKED = 8  # crops on which an export is compared with its network


@dataclass(frozen=True, slots=True)
class TrainedEpoch:
    """The checkpoint that an epoch ended with, and what it measured on its own batches."""

    epoch: int
    checkpoint: Path
    result: EpochResult


@step()
def build_untrained_network(run: OpenRun, trained: Path | None = None) -> Path:
    """Build the network as it is before any training, and save it as epoch 0.

    What standardises features is taken from the ``trained`` network if there is one.
    """
    shape, target = run.settings.network_shape(), run.folder.checkpoint(0)
    network = build_network(shape, run.settings.weights, run.settings.seed)
    if trained is not None:
        statistics = load_checkpoint(trained).network.standardise.state_dict()
        network.standardise.load_state_dict(statistics)
    if shape.frozen:
        with replacing_weights(run.folder.backbone) as partial:
            save_backbone(partial, network)
    with replacing_weights(target) as partial:
        save_checkpoint(partial, Checkpoint(network, epoch=0))
    return target


@step("train epoch {epoch}", hours=24)
def train_one_epoch(
    run: OpenRun,
    checkpoint: Path,
    dataset: Dataset,
    batches: Path,
    epoch: int,
    features: Features | None = None,
) -> TrainedEpoch:
    """Train from ``checkpoint`` for one epoch; repeated, it ends with the same numbers."""
    compute, recipe = run.compute, run.settings.recipe()
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
            seed=run.settings.seed,
            epoch=epoch,
            progress=progress,
        )
    trained = run.folder.checkpoint(epoch)
    with replacing_weights(optimizer_beside(trained)) as partial:
        save_optimizer(partial, optimizer)
    with replacing_weights(trained) as partial:
        save_checkpoint(partial, Checkpoint(network, epoch))
    # Repeating the next epoch needs no state older than the last one.
    optimizer_beside(run.folder.checkpoint(epoch - 2)).unlink(missing_ok=True)
    get_run_logger().info(
        "Epoch %d: loss %.3f, accuracy %.2f %%, %.0f images/s",
        epoch,
        result.loss,
        100 * result.accuracy,
        result.images_per_second,
    )
    return TrainedEpoch(epoch, trained, result)


@step()
def export_checkpoint(run: OpenRun, checkpoint: Path, dataset: Dataset) -> Path:
    """Export a network to run without torch, unless it was exported before; check it on crops."""
    target = exported_beside(checkpoint)
    if not target.exists():
        network = load_checkpoint(checkpoint).network
        with replacing(target) as partial:
            described = {"crop": run.settings.crop_rules().of_one_image()}
            backbone = backbone_file(network, run.space)
            export_network(network, partial, described, backbone if backbone.exists() else None)
            error = check_export(network, partial, np.array(open_pixels(dataset.pixels)[:CHECKED]))
        get_run_logger().info("%s exported, relative error %.1e", target.name, error)
    return target


@contextmanager
def replacing_weights(target: Path) -> Iterator[Path]:
    """Write a file of weights whole or not at all; raise InputError if the disk is full."""
    try:
        with replacing(target) as partial:
            yield partial
    except (OSError, RuntimeError) as error:
        is_full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        if is_full or "inline_container.cc" in str(error):  # torch's writer; it does not say why
            raise InputError(f"{target}: cannot be written; is the disk full?") from error
        raise


def _inputs(
    dataset: Dataset,
    images: SplitImages,
    features: Features | None,
    recipe: Recipe,
    compute: Compute,
) -> Inputs:
    """What training sees: crops by their row, or features of the split's images in order."""
    if features is None:
        return WarpedCrops(resident(open_pixels(dataset.pixels), compute.device), recipe.warps)
    seen = [open_features(path)[images.rows] for path in features.of_all]
    copies = [open_features(copy) for copy in features.copies]
    return StoredFeatures((*seen, *copies), torch.device(compute.device))

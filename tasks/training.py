"""Training: from the checkpoint of one epoch to that of the next."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from prefect import get_run_logger

from model.checkpoint import (
    Checkpoint,
    load_checkpoint,
    save_backbone,
    save_checkpoint,
)
from model.export import check_export, export_network
from model.network import build_network
from model.training import EpochResult
from storage.datasets.dataset import Dataset
from storage.datasets.pixels import open_pixels
from storage.files import present, remove, replacing
from storage.run_folder import exported_beside, optimizer_beside
from tasks.epoch_job import EpochJob, replacing_weights, run_epoch
from tasks.features import Features, backbone_file
from tasks.ranks import run_on_devices
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
    if trained is None and len(run.devices) > 1:  # raises here, before paintings are cropped
        get_run_logger().info(
            "Each epoch is trained on %d devices: %s", len(run.devices), ", ".join(run.devices)
        )
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
    job = EpochJob(
        epoch,
        checkpoint,
        trained := run.folder.checkpoint(epoch),
        batches,
        dataset,
        run.settings,
        run.compute,
        features.of_all if features else (),
        features.copies if features else (),
    )
    with progress_bar(f"epoch {epoch}") as progress:
        if len(run.devices) == 1:
            result = run_epoch(job, progress)
        else:
            result = run_on_devices(job, run.devices, progress)
    # Repeating the next epoch needs no state older than the last one.
    remove(optimizer_beside(run.folder.checkpoint(epoch - 2)))
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
    if not present(target).exists():
        network = load_checkpoint(checkpoint).network
        with replacing(target) as partial:
            described = {"crop": run.settings.crop_rules().of_one_image()}
            backbone = present(backbone_file(network, run.space))
            export_network(network, partial, described, backbone if backbone.exists() else None)
            error = check_export(network, partial, np.array(open_pixels(dataset.pixels)[:CHECKED]))
        get_run_logger().info("%s exported, relative error %.1e", target.name, error)
    return target

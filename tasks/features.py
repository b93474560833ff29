"""Features: each crop goes through a frozen backbone once, shard by shard."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from prefect import get_run_logger

from model.checkpoint import Checkpoint, backbone_hash, load_checkpoint, save_checkpoint
from model.crops import streamed
from model.embedding import pool_features
from model.export import check_export, export_features
from model.exported import embed_exported, open_exported
from model.inputs import WarpedCrops
from model.network import SiameseNetwork
from model.triplets import stream
from model.warp import WarpRanges
from storage.datasets.dataset import Dataset, load_split
from storage.datasets.features import (
    FeatureStore,
    open_features,
    pack_shards,
    save_shard,
    store_of,
)
from storage.datasets.pixels import open_pixels
from storage.files import present, replacing
from storage.shards import Shard, shards_of
from storage.workspace import Workspace
from tasks.support.progress import progress_bar
from tasks.support.run import OpenRun
from tasks.support.step import step

SHARD = 512
SAMPLED = 512  # images whose features give the mean and deviation of all
CHECKED = 4  # crops on which an export is compared with its network


@dataclass(frozen=True, slots=True)
class Features:
    """Where the features of a dataset lie: ``plain`` of all crops, ``mirrored`` of their mirror
    images, ``copies`` of warped ones.

    A copy has the features of the training images alone, in the split's order.
    """

    plain: Path
    mirrored: Path | None = None
    copies: tuple[Path, ...] = ()

    @property
    def of_all(self) -> tuple[Path, ...]:
        """The features that embed an image."""
        return (self.plain,) if self.mirrored is None else (self.plain, self.mirrored)


@dataclass(frozen=True, slots=True)
class WarpedCopy:
    """How the images of one copy are warped: by which ranges, drawn from which seed."""

    ranges: WarpRanges
    seed: int
    number: int


Copy = WarpedCopy | Literal["plain", "mirrored"]


@dataclass(frozen=True, slots=True)
class FeaturePlan:
    """What is embedded, by which backbone, and where to."""

    dataset: Dataset
    backbone: Path
    copy: Copy
    store: FeatureStore


@step()
def export_backbone(checkpoint: Path, dataset: Dataset, space: Workspace) -> Path:
    """Export the backbone of a checkpoint, unless it was exported before."""
    network = load_checkpoint(checkpoint).network
    target = backbone_file(network, space)
    if not present(target).exists():
        with replacing(target) as partial:
            export_features(network, partial, {"backbone": network.shape.backbone})
            crops = np.array(open_pixels(dataset.pixels)[:CHECKED])
            error = check_export(network, partial, crops, features=True)
        get_run_logger().info("Backbone exported, relative error %.1e", error)
    return target


def backbone_file(network: SiameseNetwork, space: Workspace) -> Path:
    """Return where the exported backbone of a network is, or would be."""
    return space.backbones / f"{backbone_hash(network)[:16]}-{network.shape.crop_size}.onnx"


@step()
def plan_features(
    dataset: Dataset, backbone: Path, space: Workspace, copy: Copy = "plain"
) -> FeaturePlan:
    """Find where the features go, or where an earlier run left the very same."""
    made_by = f"{backbone.stem} {copy}"
    store = store_of(space.features, dataset.crops, _rows(dataset, copy), made_by)
    if store.is_complete:
        get_run_logger().info("Using the features of an earlier run: %s", store.array)
    return FeaturePlan(dataset, backbone, copy, store)


@step()
def divide_features(plan: FeaturePlan) -> tuple[Shard[int], ...]:
    """Divide the crops into shards, so that a fault costs one shard at most."""
    return shards_of(_rows(plan.dataset, plan.copy).tolist(), SHARD)


@step("features shard {shard.number} of {shard.count}", hours=6)
def embed_features_shard(plan: FeaturePlan, shard: Shard[int]) -> Path:
    """Show the crops of a shard to the backbone; a resumed run skips what it has seen."""
    target = plan.store.shard(shard.number)
    if present(target).exists():
        return target
    rows = np.array(shard.items, dtype=np.int64)
    pixels = open_pixels(plan.dataset.pixels)[rows]
    if plan.copy == "mirrored":
        pixels = pixels[:, :, ::-1]
    elif plan.copy != "plain":
        draws = stream(plan.copy.seed, f"warped copy {plan.copy.number}", shard.number)
        crops = WarpedCrops(streamed(pixels, "cpu"), plan.copy.ranges)
        pixels = crops.gather(np.arange(len(rows)), draws).numpy()
    with progress_bar(_title(plan.copy)) as progress:
        features = embed_exported(
            open_exported(present(plan.backbone)),
            pixels,
            np.arange(len(rows)),
            lambda done, _: progress(shard.before + done, shard.total),
        )
    save_shard(target, features)
    return target


@step()
def pack_features(plan: FeaturePlan, shards: Sequence[Path]) -> None:
    """Join the shards into one array, which is read in place."""
    pack_shards(plan.store, shards)


@step()
def standardise_features(
    run: OpenRun, checkpoint: Path, dataset: Dataset, features: Features | None
) -> None:
    """Scale what the head sees to mean 0 and deviation 1 over the training images.

    If no features are stored, because the backbone is trained too, some images suffice.
    """
    loaded, rows = (
        load_checkpoint(checkpoint, run.compute.device),
        load_split(dataset, "train").rows,
    )
    if loaded.network.shape.features == "map":
        return
    if features is not None:
        seen = open_features(features.plain)[rows]
    else:
        some = rows[:: max(1, len(rows) // SAMPLED)]
        seen = pool_features(loaded.network, open_pixels(dataset.pixels), some, run.compute)
    wide = seen.astype(np.float64)
    mean, deviation = (one.astype(np.float32) for one in (wide.mean(axis=0), wide.std(axis=0)))
    loaded.network.fit_features(torch.from_numpy(mean), torch.from_numpy(deviation))
    with replacing(checkpoint) as partial:
        save_checkpoint(partial, Checkpoint(loaded.network, loaded.epoch))


def _rows(dataset: Dataset, copy: Copy) -> npt.NDArray[np.int64]:
    """Return the crops to embed: all of them, or for a warped copy the training images."""
    if isinstance(copy, WarpedCopy):
        return load_split(dataset, "train").rows
    return np.arange(len(open_pixels(dataset.pixels)), dtype=np.int64)


def _title(copy: Copy) -> str:
    if isinstance(copy, WarpedCopy):
        return f"features of warped copy {copy.number}"
    return "features" if copy == "plain" else "features of mirror images"

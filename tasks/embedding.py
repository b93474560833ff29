"""Embedding: each image of a split becomes a vector, by the network or by a baseline."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model.checkpoint import load_checkpoint
from model.compute import Compute
from model.embedding import embed, embed_features, mean_colours, pool_features, standardised
from model.exported import describe_exported, embed_exported, open_exported
from storage.arrays import load_arrays, save_arrays
from storage.datasets.dataset import Dataset, load_split
from storage.datasets.features import open_features
from storage.datasets.pixels import open_pixels
from storage.run_folder import EXPORTED, checkpoint_beside
from tasks.features import Features
from tasks.support.progress import progress_bar
from tasks.support.run import OpenRun
from tasks.support.step import step


@step("embed the {split} images by the {by}", hours=6)
def embed_split(
    run: OpenRun,
    network: Path,
    dataset: Dataset,
    split: str,
    features: Features | None = None,
    by: str = "network",
) -> Path:
    """Embed each image of a split once, by a checkpoint or an exported network."""
    rows = load_split(dataset, split).rows
    with progress_bar(f"embedding {split}") as progress:
        vectors = embeddings_of(network, dataset, rows, run.compute, features, progress)
    return _written(run, vectors, by, split)


@step(hours=6)
def describe_by_features(
    run: OpenRun, network: Path, dataset: Dataset, split: str, features: Features | None = None
) -> Path:
    """Describe each image of a split by what the backbone sees, without a head: a baseline."""
    rows = load_split(dataset, split).rows
    seen = standardised_features(network, dataset, rows, run.compute, features)
    return _written(run, seen, "features", split)


@step(hours=6)
def describe_by_mean_colour(run: OpenRun, dataset: Dataset, split: str) -> Path:
    """Describe each image of a split by its mean colour alone: the baseline to beat."""
    colours = mean_colours(open_pixels(dataset.pixels), load_split(dataset, split).rows)
    return _written(run, colours, "mean-colour", split)


def read_embeddings(path: Path) -> npt.NDArray[np.float32]:
    """Read embeddings that a task wrote, (N, D)."""
    return load_arrays(path)["embeddings"]


def embeddings_of(
    network: Path,
    dataset: Dataset,
    rows: npt.NDArray[np.int64],
    compute: Compute,
    features: Features | None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> npt.NDArray[np.float32]:
    """Embed crops by the shortest way: stored features, an exported network, or torch."""
    if features is not None:
        seen = [open_features(path)[rows] for path in features.of_all]
        return embed_features(load_checkpoint(checkpoint_beside(network)).network, *seen)
    return embed_pixels(network, open_pixels(dataset.pixels), compute, rows, progress)


def standardised_features(
    checkpoint: Path,
    dataset: Dataset,
    rows: npt.NDArray[np.int64],
    compute: Compute,
    features: Features | None,
) -> npt.NDArray[np.float32]:
    """Return what a network's head is given of some crops: (len(rows), D)."""
    network = load_checkpoint(checkpoint, compute.device).network
    seen: npt.NDArray[np.float32] = (
        pool_features(network, open_pixels(dataset.pixels), rows, compute)
        if features is None
        else open_features(features.plain)[rows]
    )
    return standardised(network, seen)


def embed_and_describe(
    network: Path, pixels: npt.NDArray[np.uint8], compute: Compute
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return embeddings (N, D) of crops, and what the network's head is given of them (N, F)."""
    if network.suffix == EXPORTED:
        return describe_exported(open_exported(network), pixels)
    loaded, rows = load_checkpoint(network, compute.device).network, np.arange(len(pixels))
    embeddings = embed(loaded, pixels, rows, compute)
    return embeddings, standardised(loaded, pool_features(loaded, pixels, rows, compute))


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
    loaded = load_checkpoint(network, compute.device).network
    return embed(loaded, pixels, rows, compute, progress)


def _written(run: OpenRun, vectors: npt.NDArray[np.float32], by: str, split: str) -> Path:
    target = run.folder.embeddings(by, split)
    save_arrays(target, {"embeddings": vectors})
    return target

"""One epoch of training, from files to files: the same in the run's process and in ranks."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from model.checkpoint import (
    Checkpoint,
    load_checkpoint,
    load_optimizer,
    save_checkpoint,
    save_optimizer,
)
from model.compute import Compute
from model.crops import resident
from model.inputs import Inputs, StoredFeatures, WarpedCrops
from model.ranks import Ranks, spread
from model.recipe import Recipe
from model.samplers import ArtistBatches, Batches, TripletBatches
from model.training import EpochResult, build_optimizer, train_epoch
from model.triplets import Triplets
from storage.arrays import load_arrays
from storage.datasets.dataset import Dataset, SplitImages, load_split
from storage.datasets.features import open_features
from storage.datasets.pixels import open_pixels
from storage.errors import InputError, is_full
from storage.files import replacing
from storage.run_folder import optimizer_beside
from tasks.settings import Settings


@dataclass(frozen=True, slots=True)
class EpochJob:
    """What one epoch starts from, ``checkpoint`` and ``batches``, and where it ends, ``trained``.

    With a frozen backbone, ``features`` are those of all images, and ``copies`` those of warped
    training images.
    """

    epoch: int
    checkpoint: Path
    trained: Path
    batches: Path
    dataset: Dataset
    settings: Settings
    compute: Compute
    features: tuple[Path, ...] = ()
    copies: tuple[Path, ...] = ()

    def on(self, device: str) -> "EpochJob":
        """The same job on another device."""
        return replace(self, compute=replace(self.compute, device=device))


def run_epoch(
    job: EpochJob, progress: Callable[[int, int], None], ranks: Ranks | None = None
) -> EpochResult:
    """Train for one epoch; repeated, it ends with the same numbers. The first rank saves them."""
    ranks, recipe = ranks or Ranks(), job.settings.recipe()
    network = load_checkpoint(job.checkpoint, job.compute.device).network
    if ranks.count > 1:
        spread(network, ranks)
    optimizer = build_optimizer(network, recipe)
    if job.epoch > 1:
        load_optimizer(optimizer_beside(job.checkpoint), optimizer)
    images = load_split(job.dataset, "train")
    drawn = read_batches(job.batches, recipe)
    result = train_epoch(
        network,
        optimizer,
        _inputs(job, images, recipe),
        drawn if job.features else drawn.of_rows(images.rows),
        recipe,
        job.compute,
        seed=job.settings.seed,
        epoch=job.epoch,
        ranks=ranks,
        progress=progress,
    )
    if ranks.rank == 0:
        with replacing_weights(optimizer_beside(job.trained)) as partial:
            save_optimizer(partial, optimizer)
        with replacing_weights(job.trained) as partial:
            save_checkpoint(partial, Checkpoint(network, job.epoch))
    return result


def read_batches(path: Path, recipe: Recipe) -> Batches:
    """Read the batches that a task drew."""
    if recipe.sampler == "artists":
        return ArtistBatches(**load_arrays(path))
    return TripletBatches(Triplets(**load_arrays(path)), recipe.batch_size, recipe.batching)


@contextmanager
def replacing_weights(target: Path) -> Iterator[Path]:
    """Write a file of weights whole or not at all; raise InputError if the disk is full."""
    try:
        with replacing(target) as partial:
            yield partial
    except (OSError, RuntimeError) as error:
        if is_full(error) or "inline_container.cc" in str(
            error
        ):  # torch's writer; it does not say why
            raise InputError(f"{target}: cannot be written; is the disk full?") from error
        raise


def _inputs(job: EpochJob, images: SplitImages, recipe: Recipe) -> Inputs:
    """What training sees: crops by their row, or features of the split's images in order."""
    if not job.features:
        crops = resident(open_pixels(job.dataset.pixels), job.compute.device)
        return WarpedCrops(crops, recipe.warps)
    seen = [open_features(path)[images.rows] for path in job.features]
    copies = [open_features(copy) for copy in job.copies]
    return StoredFeatures((*seen, *copies), torch.device(job.compute.device))

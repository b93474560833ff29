"""Draws: batches anew for every epoch of training, triplets once for every other split."""

from dataclasses import asdict, dataclass
from pathlib import Path

from prefect import get_run_logger

from model.samplers import draw_epoch
from model.triplets import Triplets, draw_triplets, match_negatives, stream
from storage.arrays import load_arrays, save_arrays
from storage.datasets.dataset import Dataset, has_column, load_split
from tasks.support.run import OpenRun
from tasks.support.step import step


@dataclass(frozen=True, slots=True)
class SplitTriplets:
    """The files of a split's triplets, and of those with matched negatives if there are any."""

    split: str
    triplets: Path
    matched: Path | None = None
    matched_on: str | None = None


@step("draw the batches of epoch {epoch}")
def draw_epoch_batches(run: OpenRun, dataset: Dataset, epoch: int) -> Path:
    """Draw what one epoch of training sees, in random order."""
    settings, target = run.settings, run.folder.epoch_triplets(epoch)
    artists = load_split(dataset, "train").artists
    generator = stream(settings.seed, "train triplets", epoch)
    drawn = draw_epoch(artists, settings.recipe(), settings.train_triplets, generator)
    save_arrays(target, asdict(drawn))
    return target


@step("draw the {split} triplets")
def draw_split_triplets(
    run: OpenRun,
    dataset: Dataset,
    split: str,
    count: int,
    matched_on: str | None = None,
    is_optional: bool = False,
) -> SplitTriplets:
    """Draw the triplets by which all epochs and models are compared, and matched negatives.

    If the catalog has no such column, an optional ``matched_on`` is left out.
    """
    logger, seed = get_run_logger(), run.settings.seed
    if matched_on is not None and is_optional and not has_column(dataset, matched_on):
        logger.info("The catalog has no column %r: no matched negatives", matched_on)
        matched_on = None
    images = load_split(dataset, split, matched_on)
    triplets = draw_triplets(images.artists, count, stream(seed, f"{split} triplets"))
    path = run.folder.kept_triplets(split)
    save_arrays(path, asdict(triplets))
    if matched_on is None:
        return SplitTriplets(split, path)
    generator = stream(seed, f"{split} matched negatives")
    matched = match_negatives(triplets, images.artists, images.labels, generator).triplets
    n_matched = len(matched.anchor_idx)
    logger.info(
        "%d of %d %s triplets have a negative of the same %s", n_matched, count, split, matched_on
    )
    matched_path = run.folder.kept_triplets(split, matched=True)
    save_arrays(matched_path, asdict(matched))
    return SplitTriplets(split, path, matched_path, matched_on)


def read_triplets(path: Path) -> Triplets:
    """Read triplets that a task wrote."""
    return Triplets(**load_arrays(path))

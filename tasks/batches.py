"""What is drawn: batches anew for every epoch of training, triplets once for every other split."""

from dataclasses import asdict, dataclass
from pathlib import Path

from prefect import get_run_logger

from model.recipe import Recipe
from model.samplers import ArtistBatches, Batches, TripletBatches, draw_epoch
from model.triplets import Triplets, draw_triplets, match_negatives, stream
from storage.arrays import load_arrays, save_arrays
from storage.datasets.dataset import Dataset, has_column, load_split
from storage.run_folder import RunFolder
from tasks.support.step import step


@dataclass(frozen=True, slots=True)
class KeptTriplets:
    """The files of a split's triplets, and of those with matched negatives where asked for."""

    split: str
    triplets: Path
    matched: Path | None = None
    matched_on: str | None = None


@step()
def draw_epoch_batches(
    dataset: Dataset, recipe: Recipe, n_triplets: int, seed: int, epoch: int, target: Path
) -> Path:
    """Draw what one epoch of training sees, in random order."""
    artists = load_split(dataset, "train").artists
    drawn = draw_epoch(artists, recipe, n_triplets, stream(seed, "train triplets", epoch))
    save_arrays(target, asdict(drawn))
    return target


@step()
def draw_kept_triplets(
    dataset: Dataset,
    split: str,
    count: int,
    seed: int,
    folder: RunFolder,
    matched_on: str | None = None,
    is_optional: bool = False,
) -> KeptTriplets:
    """Draw the triplets that a split keeps for all epochs, and their matched negatives.

    Where the catalog has no such column, an optional ``matched_on`` is left out.
    """
    if matched_on is not None and is_optional and not has_column(dataset, matched_on):
        get_run_logger().info("The catalog has no column %r: no matched negatives", matched_on)
        matched_on = None
    images = load_split(dataset, split, matched_on)
    triplets = draw_triplets(images.artists, count, stream(seed, f"{split} triplets"))
    kept = KeptTriplets(split, folder.kept_triplets(split))
    save_arrays(kept.triplets, asdict(triplets))
    if matched_on is None:
        return kept
    generator = stream(seed, f"{split} matched negatives")
    matched = match_negatives(triplets, images.artists, images.labels, generator)
    get_run_logger().info(
        "%d of %d %s triplets have a negative of the same %s",
        len(matched.triplets.anchor_idx),
        count,
        split,
        matched_on,
    )
    path = folder.kept_triplets(split, matched=True)
    save_arrays(path, asdict(matched.triplets))
    return KeptTriplets(split, kept.triplets, path, matched_on)


def read_triplets(path: Path) -> Triplets:
    """Read triplets that a task wrote."""
    return Triplets(**load_arrays(path))


def read_batches(path: Path, recipe: Recipe) -> Batches:
    """Read the batches that a task drew."""
    if recipe.sampler == "artists":
        return ArtistBatches(**load_arrays(path))
    return TripletBatches(read_triplets(path), recipe.batch_size, recipe.batching)

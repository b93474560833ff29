"""Source to dataset: build the catalog, split it by artist, crop to zip, unpack."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from prefect import get_run_logger

from storage.catalogs.catalog import read_catalog
from storage.catalogs.split import SplitRules, continue_split, require_splits, split_catalog
from storage.catalogs.split_counts import SplitCounts, count_split
from storage.datasets.building import (
    CatalogFile,
    build_dataset,
    dataset_of,
    keep_catalog,
    source_images,
    stage_shard,
)
from storage.datasets.crop import CropRules
from storage.datasets.crop_archive import Outcome, SourceImage
from storage.datasets.dataset import Dataset
from storage.datasets.features import FeatureStore
from storage.locks import wait_lock
from storage.shards import Shard, shards_of
from storage.sources import KaggleDraw, locate_source, read_source
from storage.workspace import Workspace
from tasks.support.progress import progress_bar
from tasks.support.step import step

SHARD = 2_000


@dataclass(frozen=True, slots=True)
class SplitCatalog:
    """A catalog whose artists are divided, and how many of them went where."""

    catalog: CatalogFile
    counts: SplitCounts


@dataclass(frozen=True, slots=True)
class CropPlan:
    """What is cropped, by which rules, and whereto."""

    catalog: CatalogFile
    rules: CropRules
    dataset: Dataset


@step(hours=6)
def build_catalog(source: str, draw: KaggleDraw, space: Workspace) -> CatalogFile:
    """Read ``source``, whichever of the four kinds it is, into one catalog CSV."""
    with progress_bar("painting the sample gallery") as progress:
        located = locate_source(source, space.sample, progress)
    catalog = read_source(located, draw)
    written = keep_catalog(space, source, catalog.root, catalog.images)
    for note in catalog.notes:
        get_run_logger().warning(note)
    get_run_logger().info("%d images in %s", len(catalog.images), written.path)
    return written


@step()
def split_by_artist(
    catalog: CatalogFile,
    rules: SplitRules,
    space: Workspace,
    needed: Sequence[str] = (),
    known: Mapping[str, str] | None = None,
) -> SplitCatalog:
    """Give every artist to one split; those in ``known`` keep theirs and the others are tested."""
    images = read_catalog(catalog.path)
    if known is None:
        divided = split_catalog(images, rules)
    else:
        divided = continue_split(images, known, rules)
    require_splits(divided, needed)
    counts = count_split(divided)
    get_run_logger().info("%s", counts)
    return SplitCatalog(keep_catalog(space, catalog.source, catalog.root, divided), counts)


@step()
def plan_crops(catalog: CatalogFile, rules: CropRules, space: Workspace) -> CropPlan:
    """Find out where the crops go, or lie from an earlier run that made the very same."""
    dataset = dataset_of(space, catalog, rules)
    if dataset.is_complete:
        get_run_logger().info("Crops of an earlier run are used again: %s", dataset.crops)
    return CropPlan(catalog, rules, dataset)


@contextmanager
def turn_at(made: Dataset | FeatureStore) -> Iterator[None]:
    """Have the making of a folder to oneself for the block; another run may do it first."""
    logger = get_run_logger()
    with wait_lock(made.lock, lambda: logger.info("Another run makes %s", made.directory)):
        yield


@step()
def divide_into_shards(plan: CropPlan) -> tuple[Shard[SourceImage], ...]:
    """Divide the images, so that a fault costs no more than a shard."""
    return shards_of(source_images(plan.catalog), SHARD)


@step(hours=6, name="crop shard {shard.number} of {shard.count}")
def crop_shard(plan: CropPlan, shard: Shard[SourceImage]) -> tuple[Outcome, ...]:
    """Crop the images of a shard; a run that goes on makes only those that are missing."""
    with progress_bar("cropping") as progress:
        return stage_shard(shard, plan.dataset, plan.catalog, plan.rules, progress)


@step(hours=6)
def pack_dataset(plan: CropPlan, outcomes: Sequence[Outcome], rejected_share: float) -> None:
    """Pack all crops into one zip, and unpack their pixels to train from."""
    with progress_bar("unpacking") as progress:
        build_dataset(plan.dataset, plan.catalog, outcomes, plan.rules, rejected_share, progress)

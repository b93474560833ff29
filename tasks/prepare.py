"""Source to dataset: build the catalog, split it by artist, crop to zip, unpack."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prefect import get_run_logger

from storage.catalogs.catalog import read_catalog
from storage.catalogs.split import SplitRules, continue_split, require_splits, split_catalog
from storage.catalogs.split_counts import SplitCounts, count_split
from storage.datasets.building import CatalogFile, build_dataset, dataset_of, keep_catalog
from storage.datasets.crop import CropRules
from storage.datasets.dataset import Dataset
from storage.sources import KaggleDraw, locate_source, read_source
from storage.workspace import Workspace
from tasks.progress import progress_bar
from tasks.step import step


@dataclass(frozen=True, slots=True)
class SplitCatalog:
    """A catalog whose artists are divided, and how many of them went where."""

    catalog: CatalogFile
    counts: SplitCounts


@step(hours=6)
def build_catalog(source: str, draw: KaggleDraw, space: Workspace) -> CatalogFile:
    """Read ``source``, whichever of the four kinds it is, into one catalog CSV."""
    with progress_bar("painting the sample gallery") as progress:
        located = locate_source(source, space.sample, progress)
    catalog = read_source(located, draw)
    written = keep_catalog(space, source, catalog.root, catalog.images)
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


@step(hours=24)
def crop_to_zip(
    catalog: CatalogFile, rules: CropRules, rejected_share: float, space: Workspace
) -> Dataset:
    """Crop every image of a split into one zip, unless the very same was cropped before."""
    dataset = dataset_of(space, catalog, rules)
    if dataset.catalog.exists():
        get_run_logger().info("Crops of an earlier run are used again: %s", dataset.crops)
        return dataset
    with progress_bar("cropping") as progress:
        build_dataset(dataset, catalog, rules, rejected_share, progress)
    return dataset

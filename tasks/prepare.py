"""Source to dataset: build the catalog, split it by artist, crop to zip, unpack."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from prefect import get_run_logger

from storage.catalogs.catalog import read_catalog
from storage.catalogs.split import continue_split, require_splits, split_catalog
from storage.database import datasets, records, results
from storage.database.session import transaction
from storage.datasets.building import (
    CatalogFile,
    SplitCatalog,
    build_dataset,
    dataset_of,
    keep_catalog,
    keep_split,
    source_images,
    stage_shard,
)
from storage.datasets.crop import CropRules
from storage.datasets.crop_archive import SourceImage
from storage.datasets.dataset import Dataset, content_hash, read_near_duplicates
from storage.datasets.features import FeatureStore
from storage.files import present, sha256_of
from storage.shards import Shard, shards_of
from storage.sources import locate_source, read_source
from storage.workspace import Workspace
from tasks.models import StoredModel
from tasks.support.progress import progress_bar
from tasks.support.run import OpenRun
from tasks.support.step import step

SHARD = 2_000


@dataclass(frozen=True, slots=True)
class CropPlan:
    """What is cropped, by which rules, and where to."""

    catalog: CatalogFile
    rules: CropRules
    dataset: Dataset


@step(hours=6)
def build_catalog(run: OpenRun) -> CatalogFile:
    """Read a run's source, whichever of the four kinds it is, into one catalog CSV."""
    space = run.space
    with progress_bar("painting the sample gallery") as progress:
        located = locate_source(run.source, space.sample, progress)
    catalog = read_source(located, run.settings.kaggle_draw())
    written = keep_catalog(space, run.source, catalog.root, catalog.images)
    for note in catalog.notes:
        get_run_logger().warning(note)
    get_run_logger().info("%d images in %s", len(catalog.images), written.path)
    return written


@step()
def split_by_artist(
    run: OpenRun,
    catalog: CatalogFile,
    needed: Sequence[str] = (),
    known: Mapping[str, str] | None = None,
) -> SplitCatalog:
    """Put every artist into one split; those in ``known`` keep theirs, all others are tested."""
    images, rules = read_catalog(catalog.path), run.settings.split_rules()
    if known is None:
        divided = split_catalog(images, rules)
    else:
        divided = continue_split(images, known, rules)
    require_splits(divided, needed)
    kept = keep_split(run.space, catalog.source, catalog.root, divided)
    get_run_logger().info("%s", kept.counts)
    return kept


@step()
def record_dataset(run: OpenRun, dataset: Dataset) -> int:
    """Record the artists and images of a dataset, once for the same content."""
    images = read_catalog(dataset.catalog)
    rejected = pd.read_csv(present(dataset.rejected), dtype=str)
    if len(rejected):
        get_run_logger().warning(
            "%d images cannot be used, see %s", len(rejected), dataset.rejected
        )
    alike = read_near_duplicates(dataset)
    if len(alike):
        get_run_logger().warning("%d near-duplicates, see %s", len(alike), dataset.near_duplicates)
    with transaction(run.space.database_url) as session:
        dataset_id = datasets.record_dataset(
            session,
            source=run.source,
            content_hash=content_hash(images),
            crops_hash=sha256_of(dataset.crops),
            catalog_path=run.space.relative(dataset.catalog),
            images=images.mask(images == ""),
            rejected=rejected,
            near_duplicates=alike,
        )
        records.attach_dataset(session, run.id, dataset_id)
    return dataset_id


@step()
def find_renamed_artists(run: OpenRun, dataset: Dataset, model: StoredModel) -> dict[str, str]:
    """Find artists a model knows by another name: it has learnt from one of their images.

    Returns the split of that image by the artist's name here.
    """
    with transaction(run.space.database_url) as session:
        learnt = results.images_learnt_by(session, model.id)
    images = read_catalog(dataset.catalog)
    found = images[images["sha256"].isin(learnt) & (images["split"] == "test")]
    for name, image in zip(found["artist_name"], found["image_name"], strict=True):
        get_run_logger().warning("Model %d knows %s, by %s: not tested", model.id, image, name)
    found = found.assign(split=found["sha256"].map(learnt))
    of_both = found.sort_values("split", ascending=False)  # validation first, so that train holds
    return dict(zip(of_both["artist_name"], of_both["split"], strict=True))


@step()
def plan_crops(catalog: CatalogFile, rules: CropRules, space: Workspace) -> CropPlan:
    """Find where the crops go, or where an earlier run left the very same."""
    dataset = dataset_of(space, catalog, rules)
    if dataset.is_complete:
        get_run_logger().info("Using the crops of an earlier run: %s", dataset.crops)
    return CropPlan(catalog, rules, dataset)


@contextmanager
def only_maker(made: Dataset | FeatureStore, space: Workspace) -> Iterator[None]:
    """Let one run at a time make a folder; one that waited may find it made."""
    logger = get_run_logger()
    with space.wait_lock(
        made.lock, lambda: logger.info("Waiting for another run to make %s", made.directory)
    ):
        yield


@step()
def divide_into_shards(plan: CropPlan) -> tuple[Shard[SourceImage], ...]:
    """Divide the images into shards, so that a fault costs one shard at most."""
    return shards_of(source_images(plan.catalog), SHARD)


@step("crop shard {shard.number} of {shard.count}", hours=6)
def crop_shard(plan: CropPlan, shard: Shard[SourceImage]) -> Path:
    """Crop the images of a shard; a resumed run crops only those that are missing.

    Returns the file of their outcomes.
    """
    with progress_bar("cropping") as progress:
        return stage_shard(shard, plan.dataset, plan.catalog, plan.rules, progress)


@step(hours=6)
def pack_dataset(plan: CropPlan, staged: Sequence[Path], rejected_share: float) -> None:
    """Pack all crops into one zip, and unpack their pixels for training."""
    with progress_bar("unpacking") as progress:
        build_dataset(plan.dataset, plan.catalog, staged, plan.rules, rejected_share, progress)

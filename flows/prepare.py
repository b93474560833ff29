"""prepare-flow: source → catalog CSV → split by artist → crops zip."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prefect import flow

from flows.runs import StartedRun, mark_cancelled, mark_crashed, mark_failed, new_run
from flows.settings import Overrides, PresetName
from storage.datasets.building import CatalogFile
from storage.datasets.crop import CropRules
from storage.datasets.dataset import Dataset
from storage.workspace import Workspace
from tasks.prepare import (
    SplitCatalog,
    build_catalog,
    crop_shard,
    divide_into_shards,
    pack_dataset,
    plan_crops,
    split_by_artist,
    turn_at,
)
from tasks.records import record_dataset


@dataclass(frozen=True, slots=True)
class Prepared:
    """A dataset ready to train or be judged on, and its number in the results database."""

    divided: SplitCatalog
    dataset: Dataset
    dataset_id: int


@flow(
    name="prepare-flow",
    flow_run_name="prepare {source} ({preset})",
    on_failure=[mark_failed],
    on_crashed=[mark_crashed],
    on_cancellation=[mark_cancelled],
)
def prepare_flow(
    source: str = "sample",
    preset: PresetName = "demo",
    settings: Overrides | None = None,
    catalog_only: bool = False,
) -> SplitCatalog | Prepared:
    """Read a source, divide its artists, crop its images to one zip.

    Args:
        source: sample, a folder with Kaggle's data, a folder with one sub-folder per artist, or a
            catalog CSV.
        preset: the settings to start from.
        settings: single settings that differ from the preset.
        catalog_only: stop after the split; no image is needed.
    """
    with new_run("prepare-flow", source, preset, settings) as started:
        return split(started) if catalog_only else prepare(started)


def prepare(
    started: StartedRun, needed: Sequence[str] = (), known: Mapping[str, str] | None = None
) -> Prepared:
    """Take a run's source to its dataset; it must have artists for every ``needed`` split."""
    return crop(started, split(started, needed, known))


def split(
    started: StartedRun, needed: Sequence[str] = (), known: Mapping[str, str] | None = None
) -> SplitCatalog:
    """Take a run's source to a catalog; artists in ``known`` keep their split."""
    settings, space = started.settings, started.space
    catalog = build_catalog(started.run.source, settings.kaggle_draw(), space)
    return split_by_artist(catalog, settings.split_rules(), space, needed, known)


def crop(started: StartedRun, divided: SplitCatalog) -> Prepared:
    """Take a catalog to its dataset, and record that."""
    rules, share = started.settings.crop_rules(), started.settings.rejected_share
    dataset = crop_to_zip(divided.catalog, rules, share, started.space)
    dataset_id = record_dataset(dataset, started.run, started.space)
    return Prepared(divided, dataset, dataset_id)


def crop_to_zip(
    catalog: CatalogFile, rules: CropRules, rejected_share: float, space: Workspace
) -> Dataset:
    """Crop every image of a split into one zip, unless the very same was cropped before."""
    plan = plan_crops(catalog, rules, space)
    with turn_at(plan.dataset):
        if not plan.dataset.is_complete:
            shards = divide_into_shards(plan)
            outcomes = [outcome for shard in shards for outcome in crop_shard(plan, shard)]
            pack_dataset(plan, outcomes, rejected_share)
    return plan.dataset

"""prepare-flow: source → catalog CSV → split by artist → crops zip."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flows.presets import PresetName
from flows.runs import NewRun, open_run, recorded_flow
from flows.settings import Overrides, resolve
from flows.shards import on_shards
from storage.datasets.building import CatalogFile, SplitCatalog
from storage.datasets.crop import CropRules
from storage.datasets.dataset import Dataset
from tasks.models import StoredModel
from tasks.prepare import (
    build_catalog,
    crop_shard,
    divide_into_shards,
    find_renamed_artists,
    only_maker,
    pack_dataset,
    plan_crops,
    record_dataset,
    split_by_artist,
)
from tasks.support.run import OpenRun


@dataclass(frozen=True, slots=True)
class Prepared:
    """A dataset ready to train or be judged on, and its number in the results database."""

    divided: SplitCatalog
    dataset: Dataset
    dataset_id: int


@recorded_flow("prepare {source} ({preset})")
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
    with open_run(NewRun(source, preset, resolve(preset, settings or {}))) as run:
        return split(run) if catalog_only else prepare(run)


def prepare(
    run: OpenRun, needed: Sequence[str] = (), known: Mapping[str, str] | None = None
) -> Prepared:
    """Turn a run's source into its dataset; each ``needed`` split must have artists."""
    return crop(run, split(run, needed, known))


def prepare_for(run: OpenRun, model: StoredModel, needed: Sequence[str] = ()) -> Prepared:
    """Turn a run's source into a dataset whose test has no artists that a model has learnt from.

    It knows them by name, however spelled, and by their images, whatever these are called.
    """
    prepared = prepare(run, needed, model.known_artists)
    renamed = find_renamed_artists(run, prepared.dataset, model)
    return prepare(run, needed, model.known_artists | renamed) if renamed else prepared


def split(
    run: OpenRun, needed: Sequence[str] = (), known: Mapping[str, str] | None = None
) -> SplitCatalog:
    """Turn a run's source into a divided catalog; artists in ``known`` keep their split."""
    return split_by_artist(run, build_catalog(run), needed, known)


def crop(run: OpenRun, divided: SplitCatalog) -> Prepared:
    """Turn a divided catalog into its dataset, and record it."""
    dataset = crop_to_zip(run, divided.catalog, run.settings.crop_rules())
    return Prepared(divided, dataset, record_dataset(run, dataset))


def crop_to_zip(run: OpenRun, catalog: CatalogFile, rules: CropRules) -> Dataset:
    """Crop every image of a split into one zip, unless the very same was cropped before."""
    plan = plan_crops(catalog, rules, run.space)
    with only_maker(plan.dataset, run.space):
        if not plan.dataset.is_complete:
            shards = divide_into_shards(plan)
            staged = on_shards(crop_shard, shards, plan=plan)
            pack_dataset(plan, staged, run.settings.rejected_share)
    return plan.dataset

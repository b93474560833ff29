"""Builds a dataset's folder from a catalog: crops, pixels and the final catalog."""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import pandas as pd

from storage.catalogs.catalog import catalog_bytes, read_catalog, write_catalog
from storage.catalogs.checks import EXCLUDED
from storage.catalogs.split import MIN_IMAGES, exclude_small_artists
from storage.catalogs.split_counts import SplitCounts, count_split
from storage.datasets.crop import CropRules
from storage.datasets.crop_archive import (
    CropResult,
    NamedDuplicate,
    SourceImage,
    check_rejected,
    discard_staged,
    fetch_staged,
    load_outcomes,
    outcomes_of,
    pack_crops,
    refuse_shared_entries,
    save_outcomes,
    share_staged,
    stage_crops,
    without_leaks,
)
from storage.datasets.dataset import CROPPED, Dataset, dataset_key
from storage.datasets.pixels import unpack_pixels
from storage.errors import InputError
from storage.files import replacing, write_atomically
from storage.image_files import ImageReader
from storage.shards import Shard
from storage.workspace import Workspace

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class CatalogFile:
    """A catalog CSV, the source it was read from, and the folder with its images."""

    source: str
    root: Path
    path: Path


@dataclass(frozen=True, slots=True)
class SplitCatalog:
    """A catalog whose artists are divided, and the counts of each split."""

    catalog: CatalogFile
    counts: SplitCounts


def keep_catalog(space: Workspace, source: str, root: Path, images: pd.DataFrame) -> CatalogFile:
    """Write a catalog into the workspace under a name that depends on its content."""
    stem = re.sub(r"[^\w-]+", "-", Path(source).stem).strip("-") or "catalog"
    content = catalog_bytes(images)
    digest = hashlib.sha256(f"{root}\n".encode() + content).hexdigest()[:12]
    path = space.catalogs / f"{stem}-{digest}.csv"
    write_atomically(path, content)
    return CatalogFile(source, root, path)


def keep_split(space: Workspace, source: str, root: Path, images: pd.DataFrame) -> SplitCatalog:
    """Write a divided catalog into the workspace, and count its splits."""
    return SplitCatalog(keep_catalog(space, source, root, images), count_split(images))


def dataset_of(space: Workspace, catalog: CatalogFile, rules: CropRules) -> Dataset:
    """Return the dataset of this catalog and these rules, whether it exists or not."""
    stem = catalog.path.stem.rsplit("-", 1)[0]
    return Dataset(space.datasets / f"{stem}-{dataset_key(catalog.root, catalog.path, rules)}")


def source_images(catalog: CatalogFile) -> tuple[SourceImage, ...]:
    """Return the images to crop: those in a split, in the catalog's order.

    Raises InputError if two crops would have the same name.
    """
    images = read_catalog(catalog.path)
    columns = ["image_name", "file", "artist_name", "split"]
    chosen = images.loc[images["split"] != EXCLUDED, columns]
    sources = tuple(SourceImage(*row) for row in chosen.itertuples(index=False))
    refuse_shared_entries(sources)
    return sources


def stage_shard(
    shard: Shard[SourceImage],
    dataset: Dataset,
    catalog: CatalogFile,
    rules: CropRules,
    progress: Progress,
) -> Path:
    """Crop the images of a shard for `build_dataset`, unless they are staged already.

    Returns the file of their outcomes. `progress` continues from the shards before. Raises
    InputError if the folder of the images is not on this machine.
    """
    if not catalog.root.exists():
        raise InputError(f"{catalog.root}: the images' folder is not on this machine")
    fetch_staged(outcomes_of(dataset.crops, shard.number), dataset.crops)
    with ImageReader(catalog.root) as reader:
        outcomes = stage_crops(
            shard.items,
            reader.read,
            dataset.crops,
            rules,
            lambda done, _: progress(shard.before + done, shard.total),
        )
    path = save_outcomes(outcomes, dataset.crops, shard.number)
    share_staged(outcomes, path, dataset.crops, rules)
    return path


def build_dataset(
    dataset: Dataset,
    catalog: CatalogFile,
    staged: Sequence[Path],
    rules: CropRules,
    rejected_share: float,
    progress: Progress,
) -> None:
    """Pack the staged crops of `source_images`, unpack their pixels, write the catalog last.

    ``staged`` are the files of all shards' outcomes, in order. Raises InputError if more than
    ``rejected_share`` of the images cannot be used, or if too few artists are left.
    """
    for path in staged:
        fetch_staged(path, dataset.crops)
    outcomes = [outcome for path in staged for outcome in load_outcomes(path)]
    result = without_leaks(source_images(catalog), outcomes)
    rejected = [(rejection.name, rejection.reason) for rejection in result.rejections]
    with replacing(dataset.rejected) as partial:
        pd.DataFrame(rejected, columns=["image_name", "reason"]).to_csv(partial, index=False)
    with replacing(dataset.near_duplicates) as partial:
        columns = [each.name for each in fields(NamedDuplicate)]
        found = [asdict(each) for each in result.near_duplicates]
        pd.DataFrame(found, columns=columns).to_csv(partial, index=False)
    check_rejected(result, len(outcomes), rejected_share)
    pack_crops(result.crops, dataset.crops, rules)
    names = [crop.name for crop in result.crops]
    unpack_pixels(dataset.crops, names, dataset.pixels, rules.size, progress)
    write_catalog(_final_catalog(read_catalog(catalog.path), result), dataset.catalog)
    discard_staged(dataset.crops)


def _final_catalog(images: pd.DataFrame, result: CropResult) -> pd.DataFrame:
    """Return the usable images, with their hashes and places among the crops."""
    rejected = {rejection.name for rejection in result.rejections}
    kept = images[~images["image_name"].isin(rejected)]
    hashes = {crop.name: crop.sha256 for crop in result.crops}
    places = {crop.name: str(place) for place, crop in enumerate(result.crops)}
    described = kept.assign(
        sha256=kept["image_name"].map(hashes).fillna("").astype("str"),
        **{CROPPED: kept["image_name"].map(places).fillna("").astype("str")},
    )
    return exclude_small_artists(described, MIN_IMAGES)

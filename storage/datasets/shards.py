"""The images of a catalog in shards, each of which is cropped by itself."""

from dataclasses import dataclass

from storage.datasets.building import CatalogFile, Progress, source_images
from storage.datasets.crop import CropRules
from storage.datasets.crop_archive import Outcome, SourceImage, stage_crops
from storage.datasets.dataset import Dataset
from storage.image_files import ImageReader

SHARD = 2_000


@dataclass(frozen=True, slots=True)
class Shard:
    """Consecutive images of a catalog: shard `number` of `count`, after `before` of `total`."""

    number: int
    count: int
    images: tuple[SourceImage, ...]
    before: int
    total: int


def shards_of(catalog: CatalogFile, size: int = SHARD) -> tuple[Shard, ...]:
    """Divide the images to crop into shards of `size`. Raises as `source_images` does."""
    images = source_images(catalog)
    starts = range(0, len(images), size)
    return tuple(
        Shard(number, len(starts), images[start : start + size], start, len(images))
        for number, start in enumerate(starts, start=1)
    )


def stage_shard(
    shard: Shard, dataset: Dataset, catalog: CatalogFile, rules: CropRules, progress: Progress
) -> tuple[Outcome, ...]:
    """Crop the images of a shard for `build_dataset`; what is staged already is not made again.

    `progress` counts on from the shards before.
    """
    with ImageReader(catalog.root) as reader:
        return stage_crops(
            shard.images,
            reader.read,
            dataset.crops,
            rules,
            lambda done, _: progress(shard.before + done, shard.total),
        )

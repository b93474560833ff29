"""Short epochs of training on the sample gallery: how fast each way is, and that it learns alike.

All train the same network on crops, triplets and warps that are drawn from the same seed.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.reference import reference_network, reference_optimizer, train_reference
from benchmarks.report import Row, Table
from benchmarks.timing import seconds_of
from model.compute import Compute, Precision
from model.crops import resident
from model.inputs import WarpedCrops
from model.network import NetworkShape, SiameseNetwork, build_network
from model.samplers import TripletBatches
from model.training import Batching, Recipe, build_optimizer, train_epoch
from model.triplets import Triplets, draw_shared_triplets, draw_triplets, shuffled, stream
from storage.datasets.crop import CropRules
from storage.datasets.loose_crops import crop_loose
from storage.sources.gallery.paintings import GalleryPlan
from storage.sources.sample import write_gallery

RECIPE = Recipe(learning_rate=2e-4, batch_size=25)
OURS: tuple[tuple[Precision, Batching], ...] = (
    ("float32", "roles"),
    ("bfloat16", "roles"),
    ("bfloat16", "together"),
    ("bfloat16", "shared"),
)
Epoch = Callable[[int], float]
"""Trains an epoch by its number, and returns its mean loss."""


@dataclass(frozen=True, slots=True)
class Gallery:
    """Crops (N, S, S, 3) uint8, and who painted them (N,)."""

    pixels: npt.NDArray[np.uint8]
    artists: npt.NDArray[np.int64]


def measure(device: str, *, size: int = 64, epochs: int = 4, triplets: int = 150) -> Table:
    """Measure ``epochs`` in turn, of so many ``triplets`` of crops of ``size``."""
    gallery = crop_gallery(size)
    ways = {"the reference's way": reference_way(gallery, triplets, device)}
    for precision, batching in OURS:
        name, recipe = f"{precision}, {batching}", replace(RECIPE, batching=batching)
        ways[name] = our_way(gallery, triplets, recipe, Compute(device, precision))
    losses: dict[str, list[float]] = {name: [] for name in ways}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(1, epochs + 1):
        for name, train in ways.items():
            taken = seconds_of(lambda: losses[name].append(train(number)), device)  # noqa: B023
            seconds[name].append(taken)
    first = median(next(iter(seconds.values())))
    rows = [
        Row(name, median(taken), "s", first / median(taken), _curve(losses[name]))
        for name, taken in seconds.items()
    ]
    return Table("learning", f"an epoch of {triplets} triplets of {size} x {size}", tuple(rows))


def reference_way(gallery: Gallery, triplets: int, device: str) -> Epoch:
    """Epochs as the reference trains them."""
    network = reference_network(_start(gallery)).to(device)
    optimizer, files = (
        reference_optimizer(network, RECIPE),
        [_file(each) for each in gallery.pixels],
    )

    def train(epoch: int) -> float:
        drawn = draw(gallery, triplets, RECIPE, epoch)
        return train_reference(network, optimizer, files, drawn, RECIPE, seed=0, epoch=epoch)

    return train


def our_way(gallery: Gallery, triplets: int, recipe: Recipe, compute: Compute) -> Epoch:
    """Epochs as the recipe says."""
    network = _start(gallery).to(compute.device)
    optimizer = build_optimizer(network, recipe)

    def train(epoch: int) -> float:
        drawn = draw(gallery, triplets, recipe, epoch)
        return train_epoch(
            network,
            optimizer,
            WarpedCrops(resident(gallery.pixels, compute.device), recipe.warps),
            TripletBatches(drawn, recipe.batch_size, recipe.batching),
            recipe,
            compute,
            seed=0,
            epoch=epoch,
        ).loss

    return train


def draw(gallery: Gallery, count: int, recipe: Recipe, epoch: int) -> Triplets:
    """The triplets of an epoch."""
    rng = stream(0, "bench", epoch)
    if recipe.batching == "shared":
        return draw_shared_triplets(gallery.artists, count, recipe.batch_size, rng)
    return shuffled(draw_triplets(gallery.artists, count, rng), rng)


def crop_gallery(size: int) -> Gallery:
    """A small sample gallery, cropped; painters of a single picture are left out."""
    with TemporaryDirectory() as folder:
        root = Path(folder) / "gallery"
        write_gallery(root, GalleryPlan(painters=24, paintings_each=4))
        lines = (root / "train_info.csv").read_text(encoding="utf-8").splitlines()[1:]
        names, labels = zip(*(line.split(",")[:2] for line in lines), strict=True)
        files = [(name, str(root / "train" / name)) for name in names]
        crops = crop_loose(
            files, lambda file: Path(file).read_bytes(), CropRules(size=size), lambda *_: None
        )
    _, artists, counts = np.unique(labels, return_inverse=True, return_counts=True)
    kept = counts[artists] > 1
    return Gallery(crops.pixels[kept], artists[kept])


def _start(gallery: Gallery) -> SiameseNetwork:
    return build_network(NetworkShape(crop_size=gallery.pixels.shape[1]), "none", seed=0)


def _file(pixels: npt.NDArray[np.uint8]) -> bytes:
    """An image file of a crop, without loss."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()


def _curve(losses: list[float]) -> str:
    return "loss " + ", ".join(f"{loss:.3f}" for loss in losses)

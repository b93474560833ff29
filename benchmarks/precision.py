"""Training in bfloat16 beside training in float32: images per second, and the loss curves.

Both train the same network on the same triplets of the sample gallery, drawn and warped from the
same seed, in channels-last order; ``plain`` is float32 in torch's default order of memory.
"""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import torch

from model.compute import Compute
from model.network import NetworkShape, build_network
from model.training import EpochResult, Recipe, build_optimizer, train_epoch
from model.triplets import draw_triplets, shuffled, stream
from storage.datasets.crop import CropRules
from storage.datasets.loose_crops import crop_loose
from storage.gallery.paintings import GalleryPlan
from storage.sources.sample import write_gallery

EPOCHS, TRIPLETS, CROP, BATCH = 4, 150, 64, 25


@dataclass(frozen=True, slots=True)
class Way:
    """One way of training."""

    name: str
    compute: Compute
    memory_format: torch.memory_format


WAYS = (
    Way("plain float32", Compute("cpu", "float32"), torch.contiguous_format),
    Way("channels-last float32", Compute("cpu", "float32"), torch.channels_last),
    Way("channels-last bfloat16", Compute("cpu", "bfloat16"), torch.channels_last),
)


def main() -> None:
    """Train each way and print a table."""
    pixels, artists = gallery()
    curves = {way.name: train(way, pixels, artists) for way in WAYS}
    plain = np.median([result.images_per_second for result in curves[WAYS[0].name]])
    losses = " | ".join(f"loss {epoch}" for epoch in range(1, EPOCHS + 1))
    print(f"| {torch.get_num_threads()} thread(s) | images/s | ratio | {losses} |")
    print("|---" * (3 + EPOCHS) + "|")
    for name, results in curves.items():
        rate = np.median([result.images_per_second for result in results])
        curve = " | ".join(f"{result.loss:.3f}" for result in results)
        print(f"| {name} | {rate:.0f} | {rate / plain:.2f} | {curve} |")


def train(
    way: Way, pixels: npt.NDArray[np.uint8], artists: npt.NDArray[np.int64]
) -> list[EpochResult]:
    """Train for a few short epochs."""
    recipe = Recipe(learning_rate=2e-4, batch_size=BATCH)
    network = build_network(NetworkShape(crop_size=CROP), "none", seed=0)
    network.to(memory_format=way.memory_format)
    optimizer = build_optimizer(network, recipe)
    results = []
    for epoch in range(1, EPOCHS + 1):
        generator = stream(0, "bench", epoch)
        triplets = shuffled(draw_triplets(artists, TRIPLETS, generator), generator)
        results.append(
            train_epoch(
                network, optimizer, pixels, triplets, recipe, way.compute, seed=0, epoch=epoch
            )
        )
    return results


def gallery() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """A small sample gallery, cropped."""
    plan = GalleryPlan(painters=24, paintings_each=4)
    with TemporaryDirectory() as folder:
        root = Path(folder) / "gallery"
        write_gallery(root, plan)
        rows = (root / "train_info.csv").read_text(encoding="utf-8").splitlines()[1:]
        names = [row.split(",")[0] for row in rows]
        labels = [row.split(",")[1] for row in rows]
        files = [(name, str(root / "train" / name)) for name in names]
        crops = crop_loose(
            files, lambda file: Path(file).read_bytes(), CropRules(size=CROP), lambda *_: None
        )
    known = sorted({label for label in labels if labels.count(label) > 1})
    kept = [row for row, label in enumerate(labels) if label in known]
    return crops.pixels[kept], np.array([known.index(labels[row]) for row in kept])


if __name__ == "__main__":
    main()

"""The host's memory at full size: training on 18,000 crops, and embedding 24,000."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.processes import Peak, apart, peak_of
from benchmarks.report import Row, Table
from model.compute import Compute, choose_compute
from model.crops import resident
from model.embedding import embed
from model.inputs import WarpedCrops
from model.network import NetworkShape, build_network
from model.samplers import TripletBatches
from model.training import Recipe, build_optimizer, train_epoch
from model.triplets import draw_triplets

STEPS = 2  # the first makes Adam's state, and from the second on memory stays as it is
ARTISTS = 1_200


def measure(
    device: str,
    *,
    size: int = 224,
    trained: int = 18_000,
    embedded: int = 24_000,
    batches: Sequence[int] = (64, 200),
) -> Table:
    """Measure steps of ``batches`` triplets among ``trained`` crops, and all ``embedded`` ones.

    In the precision that training has on this device.
    """
    rows, compute = [], choose_compute(device)
    with TemporaryDirectory() as folder:
        pixels = write_crops(Path(folder), max(trained, embedded), size)
        for batch, is_checkpointed in ((batch, way) for batch in batches for way in (False, True)):
            recipe = Recipe(batch_size=batch, gradient_checkpointing=is_checkpointed)
            peak, seconds = apart(_train, pixels, trained, recipe, compute)
            what = f"training on {trained:,} crops, {batch} triplets a step, {compute.precision}"
            what += ", gradient checkpointing" if is_checkpointed else ""
            rows.append(_row(what, peak, trained * size**2 * 3 / 1e9))
            rows.append(Row(f"{what}: {STEPS} steps", seconds, "s"))
        peak, seconds = apart(_embed, pixels, embedded, compute)
        rows.append(_row(f"embedding {embedded:,} crops, {compute.precision}", peak, 0.0))
        rows.append(Row("that takes", seconds, "s"))
    return Table("memory", f"host memory at {size} x {size}, {device}", tuple(rows))


def write_crops(folder: Path, count: int, size: int) -> Path:
    """Black crops, as a dataset's are stored; the file is sparse, and takes no room on the disk."""
    path, shape = folder / "pixels.npy", (count, size, size, 3)
    np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    return path


def _row(what: str, peak: Peak, mapped: float) -> Row:
    note = f"{peak.with_files:.2f} GB with what is mapped of the crops"
    if mapped:
        note += f", which grows to {mapped:.2f} GB in an epoch where there is room"
    return Row(what, peak.own, "GB", None, note)


def _train(path: Path, count: int, recipe: Recipe, compute: Compute) -> tuple[Peak, float]:
    pixels, steps = np.load(path, mmap_mode="r")[:count], STEPS * recipe.batch_size
    triplets = draw_triplets(np.arange(count) % ARTISTS, steps, np.random.default_rng(0))

    def train() -> None:
        network = build_network(NetworkShape(crop_size=pixels.shape[1]), "none", 0)
        network.to(compute.device)
        optimizer = build_optimizer(network, recipe)
        inputs = WarpedCrops(resident(pixels, compute.device), recipe.warps)
        batches = TripletBatches(triplets, recipe.batch_size, recipe.batching)
        train_epoch(network, optimizer, inputs, batches, recipe, compute, seed=0, epoch=1)

    return _measured(train)


def _embed(path: Path, count: int, compute: Compute) -> tuple[Peak, float]:
    pixels = np.load(path, mmap_mode="r")
    network = build_network(NetworkShape(crop_size=pixels.shape[1]), "none", 0)
    return _measured(lambda: embed(network, pixels, np.arange(count), compute))


def _measured(work: Callable[[], object]) -> tuple[Peak, float]:
    start = time.perf_counter()
    peak = peak_of(work)
    return peak, time.perf_counter() - start

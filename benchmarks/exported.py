"""Embed crops on the CPU: the exported network against torch."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.paintings import paint_crops, pixels_of
from benchmarks.report import Row, Table
from benchmarks.timing import alternate
from model.calibration import best_threshold
from model.distances import Float32, all_pairs, predicted_same
from model.export import export_network
from model.exported import BATCH, embed_exported, open_exported
from model.network import NetworkShape, SiameseNetwork, build_network

NETWORKS = {
    "EfficientNet-Lite0": NetworkShape(
        backbone="tf_efficientnet_lite0",
        features="statistics",
        hidden_size=1024,
        embedding_size=256,
        normalised=True,
        frozen=True,
    ),
    "ResNet-18": NetworkShape(),
}
WEIGHTS = {"EfficientNet-Lite0": "pretrained", "ResNet-18": "none"}
ARTISTS = 12


def measure(*, names: Sequence[str] = tuple(NETWORKS), images: int = 48, rounds: int = 3) -> Table:
    """Embed paintings of a made-up split by each network, in batches as samehand does."""
    artists = np.arange(images) % ARTISTS
    pixels = pixels_of(paint_crops(artists, 224))
    rows = [row for name in names for row in _compared(name, pixels, artists, rounds)]
    work = f"{images} crops of 224 x 224 in batches of {BATCH}, cpu, float32"
    return Table("exported", work, tuple(rows))


def _compared(
    name: str, pixels: npt.NDArray[np.uint8], artists: npt.NDArray[np.integer], rounds: int
) -> Iterator[Row]:
    """The rows of one network: seconds of either way, and how far they agree."""
    network = build_network(NETWORKS[name], WEIGHTS[name], seed=0).eval()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        export_network(network, path, {})
        exported = open_exported(path)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, unused-ignore]
    by_torch = partial(embed_by_torch, network, pixels)
    by_file = partial(embed_exported, exported, pixels, np.arange(len(pixels)))
    torchs, ours = alternate({"torch": by_torch, "exported": by_file}, rounds).values()
    rate = "{:,.0f} images a second".format
    yield Row(f"{name}, torch, channels last", torchs, "s", 1.0, rate(len(pixels) / torchs))
    yield Row(f"{name}, exported", ours, "s", torchs / ours, rate(len(pixels) / ours))
    yield from _agreement(name, by_file(), by_torch(), artists)


def embed_by_torch(network: SiameseNetwork, pixels: npt.NDArray[np.uint8]) -> Float32:
    """Embed crops by torch in the same batches."""
    batches = [pixels[start : start + BATCH] for start in range(0, len(pixels), BATCH)]
    with torch.inference_mode():
        return np.concatenate([network(torch.from_numpy(batch)).numpy() for batch in batches])


def _agreement(
    name: str, found: Float32, expected: Float32, artists: npt.NDArray[np.integer]
) -> Iterator[Row]:
    """How far the embeddings are apart, and how many pairs of the split get the same verdict."""
    error = float(np.linalg.norm(found - expected) / np.linalg.norm(expected))
    yield Row(f"{name}: relative error of the embeddings", error, "")
    ours, theirs = (all_pairs(each, artists) for each in (found, expected))
    threshold = best_threshold(theirs)
    agree = predicted_same(ours.distance, threshold) == predicted_same(theirs.distance, threshold)
    note = f"{int(agree.sum()):,} of {len(agree):,}"
    yield Row(f"{name}: pairs with the same verdict", 100 * float(agree.mean()), "%", None, note)

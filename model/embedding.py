"""Embed crops with torch."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from model.compute import Compute
from model.crops import streamed
from model.network import SiameseNetwork

EMBEDDING_BATCH = 128

Progress = Callable[[int, int], None]
Float32 = npt.NDArray[np.float32]


def embed(
    network: SiameseNetwork,
    pixels: npt.NDArray[np.uint8],
    rows: npt.NDArray[np.int64],
    compute: Compute,
    progress: Progress = lambda done, total: None,
) -> Float32:
    """Embed the chosen rows of ``pixels``: (N, S, S, 3) uint8 → (len(rows), D) float32.

    The network is put into evaluation mode.
    """
    return _run(network, network.forward, pixels, rows, compute, progress)


def pool_features(
    network: SiameseNetwork,
    pixels: npt.NDArray[np.uint8],
    rows: npt.NDArray[np.int64],
    compute: Compute,
    progress: Progress = lambda done, total: None,
) -> Float32:
    """The backbone's features of the chosen rows, maps averaged over the image: (len(rows), D)."""

    def forward(crops: Tensor) -> Tensor:
        return network.pool(network.features(crops))

    return _run(network, forward, pixels, rows, compute, progress)


def embed_features(
    network: SiameseNetwork, features: Float32, of_mirror_images: Float32 | None = None
) -> Float32:
    """Embed images by their stored features (N, D), and their mirror images' if given: (N, E)."""
    network.eval().cpu()
    with torch.inference_mode():
        found = network.embed(torch.from_numpy(np.array(features)))
        if of_mirror_images is not None:
            found = network.join(found, network.embed(torch.from_numpy(np.array(of_mirror_images))))
    return found.numpy()


def standardised(network: SiameseNetwork, features: Float32) -> Float32:
    """Standardise features (N, D) as the network does before its head."""
    with torch.inference_mode():
        found: Tensor = network.cpu().standardise(torch.from_numpy(np.array(features)))
    return found.numpy()


def mean_colours(pixels: npt.NDArray[np.uint8], rows: npt.NDArray[np.int64]) -> Float32:
    """The mean red, green and blue of each crop: (len(rows), 3)."""
    means = [pixels[row].mean(axis=(0, 1), dtype=np.float64) for row in rows]
    return np.stack(means).astype(np.float32)


def _run(
    network: SiameseNetwork,
    forward: Callable[[Tensor], Tensor],
    pixels: npt.NDArray[np.uint8],
    rows: npt.NDArray[np.int64],
    compute: Compute,
    progress: Progress,
) -> Float32:
    network.eval().to(compute.device)
    crops = streamed(pixels, compute.device)
    found: list[Tensor] = []  # left on the device, so that no batch waits for another
    with torch.inference_mode(), compute.autocast():
        for start in range(0, len(rows), EMBEDDING_BATCH):
            batch = rows[start : start + EMBEDDING_BATCH]
            found.append(forward(crops.gather(batch)).float())
            progress(start + len(batch), len(rows))
    return torch.cat(found).cpu().numpy() if found else np.empty((0, 0), np.float32)

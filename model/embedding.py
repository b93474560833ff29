"""Embedding crops: every image once."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch

from model.compute import Compute
from model.crops import streamed
from model.network import SiameseNetwork

EMBEDDING_BATCH = 128


def embed(
    network: SiameseNetwork,
    pixels: npt.NDArray[np.uint8],
    rows: npt.NDArray[np.int64],
    compute: Compute,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> npt.NDArray[np.float32]:
    """Embed the chosen rows of ``pixels``: (N, S, S, 3) uint8 → (len(rows), D) float32.

    The network is put into evaluation mode: no dropout, the batch statistics learnt in training.
    """
    network.eval().to(compute.device)
    crops = streamed(pixels, compute.device)
    embeddings = torch.empty(
        (len(rows), network.shape.embedding_size), dtype=torch.float32, device=compute.device
    )
    with torch.inference_mode(), compute.autocast():
        for start in range(0, len(rows), EMBEDDING_BATCH):
            batch = slice(start, min(start + EMBEDDING_BATCH, len(rows)))
            # They stay on the device until all are there, so that no batch waits for another.
            embeddings[batch] = network(crops.gather(rows[batch]))
            progress(batch.stop, len(rows))
    return embeddings.cpu().numpy()


def mean_colours(
    pixels: npt.NDArray[np.uint8], rows: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32]:
    """The mean red, green and blue of each crop, (len(rows), 3): the baseline to beat."""
    return np.stack([pixels[row].mean(axis=(0, 1), dtype=np.float64) for row in rows]).astype(
        np.float32
    )

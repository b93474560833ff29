"""Hold the crops a network works on: in a GPU's memory if they fit, else on disk."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from model.compute import send

SHARE = 0.5  # of a GPU's free memory that crops may take; the rest is for the network
CHUNK = 1024  # crops copied at a time, to avoid a second copy of all of them


@dataclass(frozen=True, slots=True, eq=False)
class Crops:
    """Crops (N, S, S, 3), uint8, from which batches are gathered on ``device``.

    ``pixels`` may be memory-mapped. ``resident`` is a copy on the device, or None if every batch is
    read anew.
    """

    pixels: npt.NDArray[np.uint8]
    resident: Tensor | None
    device: torch.device

    def gather(self, rows: npt.NDArray[np.integer]) -> Tensor:
        """The crops in these rows (B,): (B, S, S, 3) uint8. This does not wait for a GPU."""
        if self.resident is not None:
            return self.resident.index_select(0, send(torch.from_numpy(rows), self.device))
        return send(torch.from_numpy(self.pixels[rows]), self.device)


def streamed(pixels: npt.NDArray[np.uint8], device: str) -> Crops:
    """Crops that are read batch by batch, for a single use."""
    return Crops(pixels, None, torch.device(device))


def resident(pixels: npt.NDArray[np.uint8], device: str) -> Crops:
    """Crops copied into a GPU's memory if they fit, else streamed, for repeated use."""
    place = torch.device(device)
    if place.type != "cuda" or pixels.nbytes > SHARE * torch.cuda.mem_get_info(place)[0]:
        return streamed(pixels, device)
    return Crops(pixels, copied(pixels, place), place)


def copied(pixels: npt.NDArray[np.uint8], device: torch.device) -> Tensor:
    """Copy ``pixels`` to ``device`` in chunks."""
    copy = torch.empty(pixels.shape, dtype=torch.uint8, device=device)
    for start in range(0, len(pixels), CHUNK):
        part = np.array(pixels[start : start + CHUNK])  # torch needs writable arrays
        copy[start : start + CHUNK] = torch.from_numpy(part)
    return copy

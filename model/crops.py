"""Where crops lie while a network is at work: in a GPU's memory if they fit, else on the disk."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from model.compute import send

SHARE = 0.5  # of a GPU's free memory that crops may take; the rest is for the network
CHUNK = 1024  # crops copied at a time, so that no second copy of all of them is made


@dataclass(frozen=True, slots=True, eq=False)
class Crops:
    """Crops (N, S, S, 3), uint8, of which batches are gathered on ``device``.

    ``pixels`` may be mapped from a file; ``resident`` is a copy of them on the device, None where
    there is none: then every batch is read anew.
    """

    pixels: npt.NDArray[np.uint8]
    resident: Tensor | None
    device: torch.device

    def gather(self, rows: npt.NDArray[np.integer]) -> Tensor:
        """The crops in these rows (B,): (B, S, S, 3) uint8. A GPU is not waited for."""
        if self.resident is not None:
            return self.resident.index_select(0, send(torch.from_numpy(rows), self.device))
        return send(torch.from_numpy(self.pixels[rows]), self.device)


def streamed(pixels: npt.NDArray[np.uint8], device: str) -> Crops:
    """Crops of which each batch is read when it is wanted: for those that are wanted once."""
    return Crops(pixels, None, torch.device(device))


def resident(pixels: npt.NDArray[np.uint8], device: str) -> Crops:
    """Crops copied into a GPU's memory where they fit, else streamed: for those wanted often."""
    place = torch.device(device)
    if place.type != "cuda" or pixels.nbytes > SHARE * torch.cuda.mem_get_info(place)[0]:
        return streamed(pixels, device)
    return Crops(pixels, copied(pixels, place), place)


def copied(pixels: npt.NDArray[np.uint8], device: torch.device) -> Tensor:
    """A copy of ``pixels`` on ``device``, made by and by."""
    copy = torch.empty(pixels.shape, dtype=torch.uint8, device=device)
    for start in range(0, len(pixels), CHUNK):
        part = np.array(pixels[start : start + CHUNK])  # mapped files may not be written to
        copy[start : start + CHUNK] = torch.from_numpy(part)
    return copy

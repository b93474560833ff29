"""Batches of rows as the network sees them in training: warped crops, or stored features."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from model.compute import send
from model.crops import Crops
from model.warp import WarpRanges, draw_warps, warp

Rows = npt.NDArray[np.integer]


@dataclass(frozen=True, slots=True, eq=False)
class WarpedCrops:
    """Crops, each warped anew every time."""

    crops: Crops
    ranges: WarpRanges

    def gather(self, rows: Rows, draws: np.random.Generator) -> Tensor:
        """The images in these rows (B,), with random numbers from ``draws``: (B, S, S, 3) uint8."""
        images = self.crops.gather(rows)
        return warp(images, draw_warps(self.ranges, len(rows), images.shape[1], draws))


@dataclass(frozen=True, slots=True, eq=False)
class StoredFeatures:
    """Features (N, D) of plain and warped copies of all images, one of which is drawn."""

    copies: tuple[npt.NDArray[np.float32], ...]
    device: torch.device

    def gather(self, rows: Rows, draws: np.random.Generator) -> Tensor:
        """The features in these rows (B,), with random numbers from ``draws``: (B, D) float32."""
        chosen = draws.integers(len(self.copies), size=len(rows))
        features = np.empty((len(rows), self.copies[0].shape[1]), dtype=np.float32)
        for number, copy in enumerate(self.copies):
            features[chosen == number] = copy[rows[chosen == number]]
        return send(torch.from_numpy(features), self.device)


Inputs = WarpedCrops | StoredFeatures

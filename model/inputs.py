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
ALL = slice(None)


@dataclass(frozen=True, slots=True, eq=False)
class WarpedCrops:
    """Crops, each warped anew every time."""

    crops: Crops
    ranges: WarpRanges

    def gather(self, rows: Rows, draws: np.random.Generator, part: slice = ALL) -> Tensor:
        """The images in a part of these rows (B,), warped by ``draws``: (b, S, S, 3) uint8.

        Random numbers are drawn for all rows.
        """
        images = self.crops.gather(rows[part])
        drawn = draw_warps(self.ranges, len(rows), images.shape[1], draws)
        return warp(images, drawn.part(part))


@dataclass(frozen=True, slots=True, eq=False)
class StoredFeatures:
    """Features (N, D) of plain and warped copies of all images, one of which is drawn."""

    copies: tuple[npt.NDArray[np.float32], ...]
    device: torch.device

    def gather(self, rows: Rows, draws: np.random.Generator, part: slice = ALL) -> Tensor:
        """The features in a part of these rows (B,), copies chosen by ``draws``: (b, D) float32.

        Random numbers are drawn for all rows.
        """
        chosen = draws.integers(len(self.copies), size=len(rows))[part]
        rows = rows[part]
        features = np.empty((len(rows), self.copies[0].shape[1]), dtype=np.float32)
        for number, copy in enumerate(self.copies):
            features[chosen == number] = copy[rows[chosen == number]]
        return send(torch.from_numpy(features), self.device)


Inputs = WarpedCrops | StoredFeatures

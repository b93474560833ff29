"""How much work a benchmark does: enough that starting a GPU does not count."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class Amount:
    """``side`` of a squared matrix, ``copied`` bytes, images of a convolution; then of training.

    A step is on ``batch`` triplets. To compile the network takes a minute, which pays on a GPU at
    the most.
    """

    side: int = 2048
    copied: int = 1 << 28
    convolved: int = 32
    batch: int = 32
    steps: int = 1
    with_compiled: bool = False


def amount_on(device: str) -> Amount:
    """Return work of milliseconds or more on this kind of device, in the reference's batches."""
    if torch.device(device).type == "cuda":
        return Amount(
            side=8192, copied=1 << 32, convolved=256, batch=200, steps=5, with_compiled=True
        )
    return Amount()

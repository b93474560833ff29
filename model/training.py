"""One epoch of training: warp, three forward passes a batch, triplet margin loss, Adam."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from model.compute import Compute
from model.errors import ModelInputError
from model.loss import TripletOutcome, triplet_outcome
from model.network import SiameseNetwork
from model.triplets import Triplets, stream
from model.warp import WarpRanges, draw_warps, warp


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the network is trained; the defaults are the reference's."""

    learning_rate: float = 1e-5
    weight_decay: float = 1e-3
    margin: float = 5.0
    batch_size: int = 200
    warps: WarpRanges = field(default_factory=WarpRanges)


@dataclass(frozen=True, slots=True)
class EpochResult:
    """Mean triplet loss and triplet accuracy over an epoch's own, warped triplets."""

    loss: float
    accuracy: float
    seconds: float
    images_per_second: float


def build_optimizer(network: SiameseNetwork, recipe: Recipe) -> torch.optim.Adam:
    """Adam with L2 weight decay, as the reference."""
    return torch.optim.Adam(
        network.parameters(),
        lr=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        fused=True,
    )


def train_epoch(
    network: SiameseNetwork,
    optimizer: torch.optim.Optimizer,
    pixels: npt.NDArray[np.uint8],
    triplets: Triplets,
    recipe: Recipe,
    compute: Compute,
    *,
    seed: int,
    epoch: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> EpochResult:
    """Train ``network`` in place on ``triplets``, rows of ``pixels`` (N, S, S, 3) uint8.

    Everything random is drawn from (``seed``, ``epoch``), so an epoch repeated from the same
    network and optimizer ends with the same numbers on the same CPU. Raises ModelInputError
    when the loss stops being a number.
    """
    started = time.perf_counter()
    network.train()
    draws = stream(seed, "warp", epoch)
    total_loss = torch.zeros((), device=compute.device)
    total_correct = torch.zeros((), device=compute.device, dtype=torch.int64)
    done, count = 0, len(triplets.anchor_idx)
    with torch.random.fork_rng(devices=_cuda_devices(compute)):
        torch.manual_seed(int(stream(seed, "dropout", epoch).integers(2**62)))
        for batch in _batches(triplets, recipe.batch_size):
            roles = [_warped(pixels, rows, recipe.warps, draws, compute) for rows in batch]
            outcome = _step(network, optimizer, roles, recipe.margin, compute)
            total_loss += outcome.loss.detach() * len(batch[0])
            total_correct += outcome.correct
            done += len(batch[0])
            progress(done, count)
    loss = total_loss.item() / count
    if not np.isfinite(loss):
        raise ModelInputError(
            f"training broke down in epoch {epoch}: the loss is {loss}; lower learning_rate"
        )
    seconds = time.perf_counter() - started
    return EpochResult(loss, total_correct.item() / count, seconds, 3 * count / seconds)


def _step(
    network: SiameseNetwork,
    optimizer: torch.optim.Optimizer,
    roles: list[Tensor],
    margin: float,
    compute: Compute,
) -> TripletOutcome:
    """One step of the optimizer. A pass for each role: batch statistics are the role's own."""
    with compute.autocast():
        anchor, positive, negative = (network(pixels) for pixels in roles)
    outcome = triplet_outcome(anchor, positive, negative, margin)
    optimizer.zero_grad(set_to_none=True)
    outcome.loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    optimizer.step()
    return outcome


def _batches(triplets: Triplets, size: int) -> Iterator[tuple[npt.NDArray[np.int32], ...]]:
    """Nearly equal batches of at most ``size``: none so small that its statistics mean nothing."""
    count = len(triplets.anchor_idx)
    for chosen in np.array_split(np.arange(count), -(-count // size)):
        yield (
            triplets.anchor_idx[chosen],
            triplets.positive_idx[chosen],
            triplets.negative_idx[chosen],
        )


def _warped(
    pixels: npt.NDArray[np.uint8],
    rows: npt.NDArray[np.int32],
    ranges: WarpRanges,
    draws: np.random.Generator,
    compute: Compute,
) -> Tensor:
    images = torch.from_numpy(pixels[rows]).to(compute.device)
    return warp(images, draw_warps(ranges, len(rows), images.shape[1], draws))


def _cuda_devices(compute: Compute) -> list[torch.device]:
    device = torch.device(compute.device)
    return [device] if device.type == "cuda" else []

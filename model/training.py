"""One epoch of training: warp, forward passes, triplet margin loss, Adam."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from model.compute import Compute, send
from model.crops import Crops, resident
from model.errors import ModelInputError
from model.gradient_checkpointing import Forward, gone_through_twice
from model.loss import TripletOutcome, triplet_outcome
from model.network import SiameseNetwork
from model.triplets import Triplets, batch_slices, stream
from model.warp import WarpRanges, draw_warps, warp

Batching = Literal["roles", "together", "shared"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the network is trained; the defaults are the reference's.

    ``batching`` says how a batch goes through the network: anchors, positives and negatives in
    passes of their own (``roles``), or each of its images once, in one pass. With ``shared`` the
    triplets, too, are to be drawn so that they share images (`model.triplets`).
    ``compile_network`` translates the network for the device first, which takes a minute;
    ``gradient_checkpointing`` holds the activations of one pass at a time, for a third more time.
    Raises ModelInputError where that would spare nothing.
    """

    learning_rate: float = 1e-5
    weight_decay: float = 1e-3
    margin: float = 5.0
    batch_size: int = 200
    warps: WarpRanges = field(default_factory=WarpRanges)
    batching: Batching = "roles"
    compile_network: bool = False
    gradient_checkpointing: bool = False

    def __post_init__(self) -> None:
        """A batch of a single pass has no other whose activations could be spared."""
        if self.gradient_checkpointing and self.batching != "roles":
            raise ModelInputError(
                f"gradient_checkpointing spares nothing with batching {self.batching}:"
                " leave it out, or choose batching roles"
            )


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
    forward = _forward(network.train(), recipe)
    crops, draws = resident(pixels, compute.device), stream(seed, "warp", epoch)
    total_loss = torch.zeros((), device=compute.device)
    total_correct = torch.zeros((), device=compute.device, dtype=torch.int64)
    done, n_images, count = 0, 0, len(triplets.anchor_idx)
    with torch.random.fork_rng(devices=_cuda_devices(compute)):
        torch.manual_seed(int(stream(seed, "dropout", epoch).integers(2**62)))
        for batch in _batches(triplets, recipe):
            passes = [_warped(crops, rows, recipe.warps, draws) for rows in batch.passes]
            places = send(torch.from_numpy(batch.places), crops.device)
            outcome = _step(forward, optimizer, passes, places, recipe.margin, compute)
            # Nothing of a step is read before the epoch ends, so no step waits for a GPU.
            total_loss += outcome.loss.detach() * batch.n_triplets
            total_correct += outcome.correct
            done, n_images = done + batch.n_triplets, n_images + sum(map(len, passes))
            progress(done, count)
    loss = total_loss.item() / count
    if not np.isfinite(loss):
        raise ModelInputError(
            f"training broke down in epoch {epoch}: the loss is {loss}; lower learning_rate"
        )
    seconds = time.perf_counter() - started
    return EpochResult(loss, total_correct.item() / count, seconds, n_images / seconds)


def _forward(network: SiameseNetwork, recipe: Recipe) -> Forward:
    forward: Forward = torch.compile(network) if recipe.compile_network else network
    return gone_through_twice(network, forward) if recipe.gradient_checkpointing else forward


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    """Rows of the crops in each forward pass; ``places`` (3, B) of each role's among them all."""

    passes: tuple[npt.NDArray[np.int32], ...]
    places: npt.NDArray[np.int64]

    @property
    def n_triplets(self) -> int:
        return int(self.places.shape[1])


def _batches(triplets: Triplets, recipe: Recipe) -> Iterator[_Batch]:
    rows = np.stack([triplets.anchor_idx, triplets.positive_idx, triplets.negative_idx])
    for chosen in batch_slices(rows.shape[1], recipe.batch_size):
        yield _in_passes(rows[:, chosen], recipe.batching)


def _in_passes(rows: npt.NDArray[np.int32], batching: Batching) -> _Batch:
    if batching == "roles":
        return _Batch(tuple(rows), np.arange(rows.size).reshape(rows.shape))
    distinct, places = np.unique(rows, return_inverse=True)
    return _Batch((distinct,), places.reshape(rows.shape))


def _step(
    forward: Forward,
    optimizer: torch.optim.Optimizer,
    passes: list[Tensor],
    places: Tensor,
    margin: float,
    compute: Compute,
) -> TripletOutcome:
    """One step of the optimizer. Batch statistics are those of each pass."""
    with compute.autocast():
        embeddings = torch.cat([forward(pixels) for pixels in passes])
    anchor, positive, negative = (embeddings.index_select(0, role) for role in places)
    outcome = triplet_outcome(anchor, positive, negative, margin)
    optimizer.zero_grad(set_to_none=True)
    outcome.loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    optimizer.step()
    return outcome


def _warped(
    crops: Crops, rows: npt.NDArray[np.int32], ranges: WarpRanges, draws: np.random.Generator
) -> Tensor:
    images = crops.gather(rows)
    return warp(images, draw_warps(ranges, len(rows), images.shape[1], draws))


def _cuda_devices(compute: Compute) -> list[torch.device]:
    device = torch.device(compute.device)
    return [device] if device.type == "cuda" else []

"""Train for one epoch: batches, forward passes, loss, optimizer steps."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from model.compute import Compute, send
from model.errors import ModelInputError
from model.gradient_checkpointing import Forward, gone_through_twice
from model.inputs import Inputs
from model.losses import Targets, loss_of, mean_outcome
from model.network import SiameseNetwork
from model.ranks import Ranks
from model.recipe import Batching, Recipe
from model.samplers import Batch, Batches
from model.triplets import stream

__all__ = ["Batching", "EpochResult", "Recipe", "build_optimizer", "learning_rate", "train_epoch"]

WARM_UP, START, END = 0.2, 1 / 25, 1e-4


@dataclass(frozen=True, slots=True)
class EpochResult:
    """Mean loss and triplet accuracy over an epoch's training batches."""

    loss: float
    accuracy: float
    seconds: float
    images_per_second: float


def build_optimizer(network: SiameseNetwork, recipe: Recipe) -> torch.optim.Adam:
    """Build Adam with L2 weight decay, as in the reference, or AdamW with decoupled decay."""
    kind = torch.optim.Adam if recipe.optimizer == "adam" else torch.optim.AdamW
    rate, decay = recipe.learning_rate, recipe.weight_decay
    return kind(_groups(network, recipe), lr=rate, weight_decay=decay, fused=True)


def learning_rate(step: int, steps: int, recipe: Recipe) -> float:
    """The factor on the recipe's learning rate at ``step`` of ``steps``, counted from 0.

    ``one-cycle`` rises from 1/25 over 20 % of the steps, then falls almost to 0, both along a
    cosine (Smith & Topin 2017, "Super-Convergence"; as ``torch.optim.lr_scheduler.OneCycleLR``).

    >>> recipe = Recipe(schedule="one-cycle")
    >>> [round(learning_rate(step, 100, recipe), 3) for step in (0, 19, 59, 99)]
    [0.04, 1.0, 0.5, 0.0]
    """
    if recipe.schedule == "constant":
        return 1.0
    peak = WARM_UP * steps - 1
    if step <= peak:
        return _between(START, 1.0, step / peak)
    return _between(1.0, START * END, (step - peak) / (steps - 1 - peak))


def train_epoch(
    network: SiameseNetwork,
    optimizer: torch.optim.Optimizer,
    inputs: Inputs,
    batches: Batches,
    recipe: Recipe,
    compute: Compute,
    *,
    seed: int,
    epoch: int,
    ranks: Ranks | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> EpochResult:
    """Train ``network`` in place on ``batches`` of rows of ``inputs``.

    If the backbone is frozen, ``inputs`` are its features and only the head is trained. All random
    numbers depend on ``seed`` and ``epoch`` only, so repeating an epoch on the same CPU gives the
    same numbers. One of several ``ranks`` has prepared the network with `ranks.spread`. Raises
    ModelInputError if the loss is not finite, or if a batch is too small for the ranks.
    """
    started, ranks = time.perf_counter(), ranks or Ranks()
    forward, loss = _forward(network.train(), recipe), loss_of(recipe)
    draws, planned = stream(seed, "warp", epoch), list(batches)
    total_loss = torch.zeros((), device=compute.device)
    n_correct, n_triplets = (torch.zeros_like(total_loss, dtype=torch.int64) for _ in range(2))
    done, n_images, count = 0, 0, len(batches)
    device = torch.device(compute.device)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(int(stream(seed, "dropout", epoch).integers(2**62)))
        for step, batch in enumerate(planned, start=(epoch - 1) * len(planned)):
            _set_pace(optimizer, learning_rate(step, recipe.epochs * len(planned), recipe))
            passes = [inputs.gather(rows, draws, ranks.part(len(rows))) for rows in batch.passes]
            totals, targets = [len(rows) for rows in batch.passes], _targets(batch, device)
            with compute.autocast():  # each pass has its own batch statistics
                embedded = [
                    ranks.forward(forward, *one) for one in zip(passes, totals, strict=True)
                ]
            heads = torch.cat(embedded).chunk(network.shape.heads, dim=1)
            outcome = mean_outcome([loss(head, targets) for head in heads])
            optimizer.zero_grad(set_to_none=True)
            outcome.loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            ranks.sum_gradients(network.parameters())
            optimizer.step()
            # Results are read only when the epoch ends, so no step waits for a GPU.
            total_loss += outcome.loss.detach() * batch.size
            n_correct += outcome.correct
            n_triplets += outcome.n_triplets
            done, n_images = done + batch.size, n_images + sum(totals)
            progress(done, count)
    mean_loss = total_loss.item() / count
    if not np.isfinite(mean_loss):
        raise ModelInputError(
            f"training diverged in epoch {epoch}: the loss is {mean_loss}; lower learning_rate"
        )
    seconds = time.perf_counter() - started
    return EpochResult(mean_loss, n_correct.item() / n_triplets.item(), seconds, n_images / seconds)


def _forward(network: SiameseNetwork, recipe: Recipe) -> Forward:
    if network.shape.frozen:
        return network.embed
    forward: Forward = torch.compile(network) if recipe.compile_network else network
    return gone_through_twice(network, forward) if recipe.gradient_checkpointing else forward


def _targets(batch: Batch, device: torch.device) -> Targets:
    labels, triplets = (
        None if known is None else send(torch.from_numpy(known), device)
        for known in (batch.labels, batch.places)
    )
    return Targets(labels, triplets)


def _groups(network: SiameseNetwork, recipe: Recipe) -> list[dict[str, Any]]:
    """The trained weights, by learning rate: first the backbone's, if any, then the head's."""
    backbone_rate = recipe.backbone_learning_rate or recipe.learning_rate
    parts = ((network.backbone, backbone_rate), (network.head, recipe.learning_rate))
    groups: list[dict[str, Any]] = [
        {"params": [weight for weight in part.parameters() if weight.requires_grad], "lr": rate}
        for part, rate in parts
    ]
    return [group for group in groups if group["params"]]


def _set_pace(optimizer: torch.optim.Optimizer, share: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = share * group.setdefault("initial_lr", group["lr"])


def _between(start: float, end: float, share: float) -> float:
    """Interpolate from start to end along half a cosine."""
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2

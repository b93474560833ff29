"""A step of training: ours in every way, beside the reference's and beside the machine's limit."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.amount import Amount
from benchmarks.limits import Rates, operations
from benchmarks.paintings import paint_crops, pixels_of
from benchmarks.reference import reference_network, reference_optimizer, train_reference
from benchmarks.report import Row, Table
from benchmarks.timing import alternate, compared
from model.compute import Compute, Precision
from model.crops import resident
from model.inputs import WarpedCrops
from model.losses import Targets, triplet_margin
from model.network import NetworkShape, SiameseNetwork, build_network
from model.samplers import TripletBatches
from model.training import Batching, Recipe, build_optimizer, train_epoch
from model.triplets import Triplets, draw_shared_triplets, draw_triplets

OURS: tuple[tuple[Precision, Batching, bool], ...] = (
    ("float32", "roles", False),
    ("bfloat16", "roles", False),
    ("bfloat16", "roles", True),
    ("bfloat16", "together", False),
    ("bfloat16", "shared", False),
)
ARTISTS, IMAGES_EACH = 742, 10  # 7,420 images, as many as the reference draws its triplets from


@dataclass(frozen=True, slots=True)
class Work:
    """Crops as files and as pixels, and the triplets drawn from them."""

    files: list[bytes]
    pixels: npt.NDArray[np.uint8]
    triplets: Triplets


def measure(
    device: str, rates: Rates, amount: Amount, *, size: int = 224, rounds: int = 3
) -> Table:
    """Measure epochs of so many batches of triplets of crops of ``size``."""
    batch, steps = amount.batch, amount.steps
    recipe = Recipe(batch_size=batch)
    drawn = draw_work("roles", size, batch, steps)
    work: dict[Batching, Work] = {
        "roles": drawn,
        "together": drawn,
        "shared": draw_work("shared", size, batch, steps),
    }
    start = build_network(NetworkShape(crop_size=size), "none", seed=0)
    ways = {"the reference's way": reference_way(start, work["roles"], recipe, device)}
    embedded = {"the reference's way": 3 * batch}
    for precision, batching, is_compiled in OURS:
        if is_compiled and not amount.with_compiled:
            continue
        name = f"{precision}, {batching}{', compiled' * is_compiled}"
        chosen = replace(recipe, batching=batching, compile_network=is_compiled)
        ways[name] = our_way(start, work[batching], chosen, Compute(device, precision))
        embedded[name] = images_of(work[batching].triplets, chosen) // steps
    alone = "bfloat16, roles: the network alone"
    ways[alone] = network_alone(start, work["roles"], recipe, Compute(device, "bfloat16"))
    seconds = {name: taken / steps for name, taken in alternate(ways, rounds, device).items()}
    needed = operations(3 * batch, size, training=True)
    limits = {
        "limit: its operations at the rate of bfloat16 convolutions": rates.training["bfloat16"],
        "limit: its operations at the highest rate measured": rates.most,
    }
    notes = {
        name: f"{images} images, {images / seconds[name]:,.0f} a second"
        for name, images in embedded.items()
    }
    rows = compared(seconds | {name: needed / rate for name, rate in limits.items()}, notes)
    share = 100 * (1 - seconds[alone] / seconds["bfloat16, roles"])
    rows.append(Row("bfloat16, roles: share of the step that is not the network", share, "%"))
    return Table(
        "training", f"a step on {batch} triplets of {size} x {size}, {device}", tuple(rows)
    )


def draw_work(batching: Batching, size: int, batch: int, steps: int) -> Work:
    """Draw triplets among as many images as the reference has, and paint those that are used."""
    artists, rng = np.repeat(np.arange(ARTISTS), IMAGES_EACH), np.random.default_rng(0)
    if batching == "shared":
        drawn = draw_shared_triplets(artists, steps * batch, batch, rng)
    else:
        drawn = draw_triplets(artists, steps * batch, rng)
    rows = np.stack([drawn.anchor_idx, drawn.positive_idx, drawn.negative_idx])
    used, places = np.unique(rows, return_inverse=True)
    files = paint_crops(artists[used], size)
    return Work(files, pixels_of(files), Triplets(*places.reshape(rows.shape).astype(np.int32)))


def images_of(triplets: Triplets, recipe: Recipe) -> int:
    """How many images an epoch of these triplets embeds."""
    rows = np.stack([triplets.anchor_idx, triplets.positive_idx, triplets.negative_idx])
    if recipe.batching == "roles":
        return int(rows.size)
    batches = np.split(rows, rows.shape[1] // recipe.batch_size, axis=1)
    return sum(len(np.unique(batch)) for batch in batches)


def reference_way(
    start: SiameseNetwork, work: Work, recipe: Recipe, device: str
) -> Callable[[], object]:
    """An epoch as the reference trains it."""
    network = reference_network(start).to(device)
    optimizer = reference_optimizer(network, recipe)
    return lambda: train_reference(
        network, optimizer, work.files, work.triplets, recipe, seed=0, epoch=1
    )


def our_way(
    start: SiameseNetwork, work: Work, recipe: Recipe, compute: Compute
) -> Callable[[], object]:
    """An epoch as the recipe says."""
    network = copy.deepcopy(start).to(compute.device)
    optimizer = build_optimizer(network, recipe)
    batches = TripletBatches(work.triplets, recipe.batch_size, recipe.batching)

    def epoch() -> object:
        inputs = WarpedCrops(resident(work.pixels, compute.device), recipe.warps)
        return train_epoch(network, optimizer, inputs, batches, recipe, compute, seed=0, epoch=1)

    return epoch


def network_alone(
    start: SiameseNetwork, work: Work, recipe: Recipe, compute: Compute
) -> Callable[[], object]:
    """An epoch on crops that lie ready, neither gathered nor warped: passes, loss and Adam."""
    network = copy.deepcopy(start).to(compute.device).train()
    optimizer = build_optimizer(network, recipe)
    roles = work.triplets.anchor_idx, work.triplets.positive_idx, work.triplets.negative_idx
    ready = [torch.from_numpy(work.pixels[rows]).to(compute.device) for rows in roles]
    steps = list(zip(*(torch.split(pixels, recipe.batch_size) for pixels in ready), strict=True))

    def epoch() -> None:
        for passes in steps:
            with compute.autocast():
                anchor, positive, negative = (network(pixels) for pixels in passes)
            embeddings = torch.cat([anchor, positive, negative])
            places = torch.arange(len(embeddings), device=embeddings.device).reshape(3, -1)
            outcome = triplet_margin(embeddings, Targets(triplets=places), recipe.margin)
            optimizer.zero_grad(set_to_none=True)
            outcome.loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()

    return epoch

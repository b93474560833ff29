"""Epochs of training on tiny crops: their loss, their steps, and that they repeat."""

import copy
import io
import shutil
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from pytorch_metric_learning.losses import SupConLoss
from torch import Tensor, nn

from benchmarks.reference import reference_optimizer, train_reference
from model.checkpoint import (
    Checkpoint,
    load_checkpoint,
    load_optimizer,
    save_checkpoint,
    save_optimizer,
)
from model.compute import Compute, Precision
from model.crops import streamed
from model.embedding import pool_features
from model.errors import ModelInputError
from model.inputs import StoredFeatures, WarpedCrops
from model.network import NetworkShape, SiameseNetwork, build_network
from model.pretrained import IMAGENET
from model.samplers import ArtistBatches, TripletBatches, draw_artist_batches
from model.training import (
    Batching,
    EpochResult,
    Recipe,
    build_optimizer,
    learning_rate,
    train_epoch,
)
from model.triplets import Triplets, draw_triplets
from model.warp import WarpRanges

FLOAT32 = Compute("cpu", "float32")
STILL = WarpRanges(0, 0, 0, 0, scale_low=1, scale_high=1, shear=0, distortion=0, perspective=0)
CERTAIN = NetworkShape(
    crop_size=32, hidden_size=8, embedding_size=4, backbone_dropout=0, head_dropout=0
)
DROPPING = replace(CERTAIN, backbone_dropout=0.25, head_dropout=0.3)

rng = np.random.default_rng(2)
ARTISTS = np.repeat([0, 1, 2], 4)
PIXELS = rng.integers(256, size=(12, 32, 32, 3), dtype=np.uint8)
TRIPLETS = draw_triplets(ARTISTS, 7, rng)
RECIPE = Recipe(learning_rate=1e-3, margin=2.0, batch_size=4)
UNWARPED = replace(RECIPE, warps=STILL)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Use one thread: tensors this small gain nothing from a second one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def run_epoch(
    network: SiameseNetwork,
    optimizer: torch.optim.Optimizer,
    pixels: NDArray[np.uint8],
    triplets: Triplets,
    recipe: Recipe,
    compute: Compute,
    **rest: Any,
) -> EpochResult:
    """Train for one epoch on triplets of warped crops."""
    inputs = WarpedCrops(streamed(pixels, compute.device), recipe.warps)
    batches = TripletBatches(triplets, recipe.batch_size, recipe.batching)
    return train_epoch(network, optimizer, inputs, batches, recipe, compute, **rest)


class Normalise(nn.Module):
    """The first steps of a backbone."""

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(IMAGENET.mean).view(3, 1, 1))
        self.register_buffer("deviation", torch.tensor(IMAGENET.deviation).view(3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        return images.sub(self.mean).div(self.deviation)


@cache
def untrained(shape: NetworkShape) -> SiameseNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = SiameseNetwork(shape)
        convolution = nn.Conv2d(3, 512, kernel_size=4, stride=4)
        layers = (Normalise(), nn.AvgPool2d(8), convolution, nn.BatchNorm2d(512))
        network.backbone = nn.Sequential(*layers)  # type: ignore[assignment]
    return network


def shallow(shape: NetworkShape) -> SiameseNetwork:
    """A network with one layer before its head, quick to train."""
    return copy.deepcopy(untrained(shape))


def trained(
    network: SiameseNetwork,
    recipe: Recipe,
    *,
    compute: Compute = FLOAT32,
    seed: int = 1,
    epoch: int = 1,
) -> SiameseNetwork:
    """A copy of ``network`` after one epoch."""
    network = copy.deepcopy(network)
    optimizer = build_optimizer(network, recipe)
    run_epoch(network, optimizer, PIXELS, TRIPLETS, recipe, compute, seed=seed, epoch=epoch)
    return network


def identical(one: SiameseNetwork, other: SiameseNetwork) -> bool:
    """Bit for bit, batch statistics included."""
    ours, theirs = one.state_dict(), other.state_dict()
    return all(torch.equal(ours[name], theirs[name]) for name in ours)


def embedded(network: SiameseNetwork, rows: NDArray[np.int32]) -> Tensor:
    embeddings: Tensor = network(torch.from_numpy(PIXELS[rows]))
    return embeddings


def test_the_epochs_loss_and_accuracy_are_means_over_triplets() -> None:
    network = build_network(CERTAIN, "none", seed=1)
    by_hand = copy.deepcopy(network).train()
    costs, right = [], 0
    with torch.no_grad():
        for batch in (slice(0, 4), slice(4, 7)):
            anchor = embedded(by_hand, TRIPLETS.anchor_idx[batch])
            positive = embedded(by_hand, TRIPLETS.positive_idx[batch])
            negative = embedded(by_hand, TRIPLETS.negative_idx[batch])
            criterion = torch.nn.TripletMarginLoss(margin=2.0, reduction="none")
            costs += criterion(anchor, positive, negative).tolist()
            right += int(((anchor - positive).norm(dim=1) < (anchor - negative).norm(dim=1)).sum())

    recipe = replace(UNWARPED, learning_rate=0.0)
    optimizer = build_optimizer(network, recipe)
    result = run_epoch(network, optimizer, PIXELS, TRIPLETS, recipe, FLOAT32, seed=1, epoch=1)
    assert result.loss == pytest.approx(sum(costs) / 7, rel=1e-4)
    assert result.accuracy == pytest.approx(right / 7)
    assert result.seconds > 0
    assert result.images_per_second == pytest.approx(21 / result.seconds)
    # With a learning rate of 0, the batches by hand see the same weights.
    parameters = zip(network.parameters(), by_hand.parameters(), strict=True)
    assert all(torch.equal(ours, theirs) for ours, theirs in parameters)


def test_a_step_equals_adam_with_weight_decay_on_the_mean_loss() -> None:
    network = shallow(CERTAIN)
    by_hand = copy.deepcopy(network).train()
    recipe = replace(UNWARPED, batch_size=7, weight_decay=0.5)
    adam = torch.optim.Adam(by_hand.parameters(), lr=1e-3, weight_decay=0.5, foreach=False)
    anchor, positive, negative = (
        embedded(by_hand, rows)
        for rows in (TRIPLETS.anchor_idx, TRIPLETS.positive_idx, TRIPLETS.negative_idx)
    )
    torch.nn.TripletMarginLoss(margin=2.0)(anchor, positive, negative).backward()
    adam.step()
    stepped = trained(network, recipe)
    for ours, theirs in zip(stepped.head.parameters(), by_hand.head.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)
    # A first step of Adam moves each weight by about the learning rate, well over the tolerance.
    before, after = (one.state_dict()["head.2.weight"] for one in (network, stepped))
    moved = (after - before).abs().median().item()
    assert moved == pytest.approx(1e-3, rel=0.05)


def test_each_role_has_its_own_forward_pass() -> None:
    network = trained(shallow(CERTAIN), UNWARPED)
    assert network.state_dict()["backbone.3.num_batches_tracked"].item() == 3 * 2


@pytest.mark.parametrize(
    "changes", [{}, {"gradient_checkpointing": True}, {"batching": "shared"}], ids=str
)
def test_no_step_reads_anything_back_from_the_device(changes: dict[str, Any]) -> None:
    """On torch's device that computes nothing, reading any value fails."""
    network = shallow(CERTAIN).to("meta")
    adam = torch.optim.Adam(network.parameters())  # the fused version needs a real device
    nowhere, done = Compute("meta", "float32"), []
    with pytest.raises(RuntimeError, match=r"item\(\) cannot be called on meta"):
        run_epoch(
            network,
            adam,
            PIXELS,
            TRIPLETS,
            replace(RECIPE, **changes),
            nowhere,
            seed=1,
            epoch=1,
            progress=lambda count, total: done.append((count, total)),
        )
    assert done == [(4, 7), (7, 7)]


def test_together_each_image_is_warped_and_embedded_once() -> None:
    recipe = replace(RECIPE, batching="together", batch_size=7)
    network = shallow(CERTAIN)
    optimizer = build_optimizer(network, recipe)
    seen: list[int] = []
    network.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    result = run_epoch(network, optimizer, PIXELS, TRIPLETS, recipe, FLOAT32, seed=1, epoch=1)
    rows = np.stack([TRIPLETS.anchor_idx, TRIPLETS.positive_idx, TRIPLETS.negative_idx])
    assert seen == [len(np.unique(rows))]
    assert result.images_per_second == pytest.approx(seen[0] / result.seconds)


def test_together_the_loss_equals_that_of_the_triplets_in_one_pass() -> None:
    network = build_network(CERTAIN, "none", seed=1)
    by_hand = copy.deepcopy(network).train()
    rows = np.stack([TRIPLETS.anchor_idx, TRIPLETS.positive_idx, TRIPLETS.negative_idx])
    distinct = sorted(set(rows.ravel().tolist()))
    with torch.no_grad():
        found = dict(zip(distinct, embedded(by_hand, np.array(distinct, np.int32)), strict=True))
    roles = [torch.stack([found[row] for row in role.tolist()]) for role in rows]
    expected = torch.nn.TripletMarginLoss(margin=2.0)(*roles)
    recipe = replace(UNWARPED, batching="together", batch_size=7, learning_rate=0.0)
    optimizer = build_optimizer(network, recipe)
    result = run_epoch(network, optimizer, PIXELS, TRIPLETS, recipe, FLOAT32, seed=1, epoch=1)
    assert result.loss == pytest.approx(expected.item(), rel=1e-5)


def test_one_pass_equals_three_without_batch_statistics() -> None:
    network = shallow(CERTAIN)
    network.backbone[3] = nn.Identity()  # type: ignore[operator]
    ways = [trained(network, replace(UNWARPED, batching=way)) for way in ("roles", "together")]
    for ours, theirs in zip(*(way.parameters() for way in ways), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_recomputed_passes_learn_the_same_bit_for_bit(precision: Precision) -> None:
    network, compute = build_network(DROPPING, "none", seed=1), Compute("cpu", precision)
    plain, checkpointed = (
        trained(network, replace(RECIPE, gradient_checkpointing=way), compute=compute)
        for way in (False, True)
    )
    assert identical(plain, checkpointed)
    layers = [layer for layer in checkpointed.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert {layer.momentum for layer in layers} == {0.1}


@pytest.mark.parametrize("batching", ["together", "shared"])
def test_gradient_checkpointing_is_refused_where_it_saves_no_memory(batching: Batching) -> None:
    with pytest.raises(ModelInputError, match=f"gradient_checkpointing .* batching={batching}"):
        Recipe(batching=batching, gradient_checkpointing=True)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="compiling needs a compiler")
@pytest.mark.parametrize("is_checkpointed", [False, True])
def test_a_compiled_network_learns_the_same(is_checkpointed: bool) -> None:
    network, recipe = shallow(CERTAIN), replace(UNWARPED, batch_size=7)
    plain = trained(network, recipe)
    compiled = trained(
        network, replace(recipe, compile_network=True, gradient_checkpointing=is_checkpointed)
    )
    for ours, theirs in zip(plain.parameters(), compiled.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("count", "size", "expected"),
    [(7, 7, [7]), (7, 9, [7]), (8, 7, [4, 4]), (10, 4, [4, 3, 3]), (9, 2, [2, 2, 2, 2, 1])],
)
def test_batches_are_nearly_equal_and_not_too_large(
    count: int, size: int, expected: list[int]
) -> None:
    # Crops of 64 pixels leave four places per channel, so even one crop has a variance.
    network = shallow(replace(CERTAIN, crop_size=64))
    pixels = PIXELS.repeat(2, axis=1).repeat(2, axis=2)
    triplets = draw_triplets(ARTISTS, count, np.random.default_rng(1))
    recipe = replace(UNWARPED, batch_size=size)
    told = [(0, count)]
    run_epoch(
        network,
        build_optimizer(network, recipe),
        pixels,
        triplets,
        recipe,
        FLOAT32,
        seed=1,
        epoch=1,
        progress=lambda done, total: told.append((done, total)),
    )
    assert [after - before for (before, _), (after, _) in pairwise(told)] == expected
    assert {total for _, total in told} == {count}


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_an_epoch_repeats_bit_for_bit(precision: Precision) -> None:
    network = build_network(DROPPING, "none", seed=1)
    compute = Compute("cpu", precision)
    first = trained(network, RECIPE, compute=compute)
    torch.rand(3)  # other draws in between do not matter
    assert identical(first, trained(network, RECIPE, compute=compute))
    assert not identical(first, network)


@pytest.mark.parametrize(
    ("shape", "recipe"), [(DROPPING, UNWARPED), (CERTAIN, RECIPE)], ids=["dropout", "warps"]
)
def test_dropout_and_warps_depend_on_seed_and_epoch(shape: NetworkShape, recipe: Recipe) -> None:
    network = shallow(shape)
    first = trained(network, recipe)
    assert not identical(first, trained(network, recipe, seed=2))
    assert not identical(first, trained(network, recipe, epoch=2))


def test_only_dropout_and_warps_are_random() -> None:
    network = shallow(CERTAIN)
    assert identical(trained(network, UNWARPED), trained(network, UNWARPED, seed=2, epoch=2))


def test_training_does_not_touch_torchs_global_generator() -> None:
    network = shallow(DROPPING)
    before = torch.random.get_rng_state()
    trained(network, RECIPE)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_training_resumes_from_a_checkpoint_as_if_never_interrupted(tmp_path: Path) -> None:
    network = build_network(DROPPING, "none", seed=1)
    optimizer = build_optimizer(network, RECIPE)

    def run(one: SiameseNetwork, stepper: torch.optim.Optimizer, epoch: int) -> EpochResult:
        return run_epoch(one, stepper, PIXELS, TRIPLETS, RECIPE, FLOAT32, seed=1, epoch=epoch)

    run(network, optimizer, epoch=1)
    save_checkpoint(tmp_path / "epoch.pt", Checkpoint(network, epoch=1))
    save_optimizer(tmp_path / "optimizer.pt", optimizer)
    straight = run(network, optimizer, epoch=2)

    restored = load_checkpoint(tmp_path / "epoch.pt").network
    optimizer = build_optimizer(restored, RECIPE)
    load_optimizer(tmp_path / "optimizer.pt", optimizer)
    resumed = run(restored, optimizer, epoch=2)
    assert (resumed.loss, resumed.accuracy) == (straight.loss, straight.accuracy)
    assert identical(restored, network)


def test_a_few_epochs_lower_the_loss() -> None:
    pixels = PIXELS // 4 + np.array([0, 90, 190], np.uint8)[ARTISTS][:, None, None, None]
    network = shallow(CERTAIN)
    optimizer = build_optimizer(network, UNWARPED)
    triplets = draw_triplets(ARTISTS, 12, np.random.default_rng(1))
    results = [
        run_epoch(network, optimizer, pixels, triplets, UNWARPED, FLOAT32, seed=1, epoch=epoch)
        for epoch in range(1, 7)
    ]
    assert results[-1].loss < results[0].loss / 2


@pytest.mark.parametrize(
    ("precision", "shape", "within"), [("float32", DROPPING, 1e-3), ("bfloat16", CERTAIN, 0.03)]
)
def test_the_loss_curve_equals_the_references(
    precision: Precision, shape: NetworkShape, within: float
) -> None:
    pixels = PIXELS // 4 + np.array([0, 90, 190], np.uint8)[ARTISTS][:, None, None, None]
    network, recipe = shallow(shape), replace(RECIPE, batch_size=12)
    layers = list(copy.deepcopy(network.backbone).children())[1:]
    reference = nn.Sequential(*layers, copy.deepcopy(network.head))
    optimizer, slow = build_optimizer(network, recipe), reference_optimizer(reference, recipe)
    files, compute = [png(crop) for crop in pixels], Compute("cpu", precision)
    ours, theirs = [], []
    for epoch in range(1, 7):
        triplets = draw_triplets(ARTISTS, 24, np.random.default_rng(epoch))
        ours.append(
            run_epoch(
                network, optimizer, pixels, triplets, recipe, compute, seed=1, epoch=epoch
            ).loss
        )
        with torch.random.fork_rng(devices=[]):
            theirs.append(
                train_reference(reference, slow, files, triplets, recipe, seed=1, epoch=epoch)
            )
    assert theirs[-1] < theirs[0] / 2
    assert ours == pytest.approx(theirs, rel=within, abs=within)


def png(crop: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(crop).save(file, "PNG")
    return file.getvalue()


def test_a_loss_that_is_not_finite_is_blamed_on_the_learning_rate() -> None:
    network = shallow(CERTAIN)
    recipe = replace(UNWARPED, learning_rate=1e30)
    triplets = Triplets(*(np.tile(idx, 3) for idx in columns(TRIPLETS)))
    with pytest.raises(ModelInputError, match=r"^training diverged in epoch 4: .*learning_rate$"):
        run_epoch(
            network,
            build_optimizer(network, recipe),
            PIXELS,
            triplets,
            recipe,
            FLOAT32,
            seed=1,
            epoch=4,
        )


def columns(triplets: Triplets) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    return triplets.anchor_idx, triplets.positive_idx, triplets.negative_idx


def test_the_backbone_has_its_own_learning_rate() -> None:
    shape = NetworkShape(
        crop_size=32, hidden_size=8, embedding_size=4, features="statistics", normalised=True
    )
    network = build_network(shape, "none", seed=1)
    recipe = replace(UNWARPED, learning_rate=1e-2, backbone_learning_rate=1e-4, batch_size=7)
    after = trained(network, recipe)
    moved = {
        name: (value - network.state_dict()[name]).abs().max().item()
        for name, value in after.named_parameters()
    }
    # A first step of Adam moves a weight by about the learning rate.
    head = [far for name, far in moved.items() if name.startswith("head")]
    backbone = [far for name, far in moved.items() if name.startswith("backbone")]
    assert max(head) == pytest.approx(1e-2, rel=0.05)
    assert max(backbone) == pytest.approx(1e-4, rel=0.05)


def batches_of_artists(seed: int) -> ArtistBatches:
    rng = np.random.default_rng(seed)
    return draw_artist_batches(ARTISTS, 3, 3, 0.0, rng)


FROZEN = NetworkShape(
    crop_size=32,
    hidden_size=8,
    embedding_size=4,
    backbone_dropout=0,
    head_dropout=0,
    features="statistics",
    head="residual",
    heads=2,
    normalised=True,
    frozen=True,
)
CONTRASTIVE = Recipe(
    learning_rate=1e-2, loss="contrastive", sampler="artists", optimizer="adamw", epochs=4
)


def stored_features(network: SiameseNetwork, copies: int = 1) -> StoredFeatures:
    features = pool_features(network, PIXELS, np.arange(len(PIXELS)), FLOAT32)
    return StoredFeatures(tuple(features + copy for copy in range(copies)), torch.device("cpu"))


def test_each_head_on_stored_features_is_trained_by_its_own_loss() -> None:
    network = build_network(FROZEN, "none", seed=1)
    features, batches = stored_features(network), batches_of_artists(1)
    by_hand, recipe = copy.deepcopy(network).train(), replace(CONTRASTIVE, learning_rate=0.0)
    optimizer = build_optimizer(network, recipe)
    result = train_epoch(network, optimizer, features, batches, recipe, FLOAT32, seed=1, epoch=1)
    costs = []
    for batch in batches:
        (rows,), labels = batch.passes, torch.from_numpy(np.asarray(batch.labels))
        seen = torch.from_numpy(features.copies[0][rows])
        with torch.no_grad():
            halves = by_hand.embed(seen).chunk(2, dim=1)
        costs.append(np.mean([SupConLoss(0.1)(half, labels).item() for half in halves]))
    weights = [batch.size for batch in batches]
    assert result.loss == pytest.approx(np.average(costs, weights=weights), rel=1e-4)


def test_training_on_features_lowers_the_loss_and_keeps_the_backbone() -> None:
    network = build_network(FROZEN, "none", seed=1)
    before = {name: value.clone() for name, value in network.backbone_state().items()}
    features, optimizer = stored_features(network), build_optimizer(network, CONTRASTIVE)
    losses = [
        train_epoch(
            network,
            optimizer,
            features,
            batches_of_artists(epoch),
            CONTRASTIVE,
            FLOAT32,
            seed=1,
            epoch=epoch,
        ).loss
        for epoch in range(1, 5)
    ]
    assert losses[-1] < losses[0]
    assert all(torch.equal(value, before[name]) for name, value in network.backbone_state().items())


def test_one_copy_is_drawn_for_each_image() -> None:
    features = StoredFeatures(
        tuple(np.full((40, 2), copy, np.float32) for copy in range(3)), torch.device("cpu")
    )
    found = features.gather(np.arange(40), np.random.default_rng(1))[:, 0]
    again = features.gather(np.arange(40), np.random.default_rng(1))[:, 0]
    assert set(found.tolist()) == {0, 1, 2}
    assert torch.equal(found, again)


@pytest.mark.parametrize("steps", [1, 2, 7, 100])
def test_one_cycle_equals_torchs(steps: int) -> None:
    weight = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    recipe = Recipe(schedule="one-cycle")
    if steps > 2:  # torch divides by zero for fewer
        theirs = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, 1.0, total_steps=steps, pct_start=0.2, cycle_momentum=False
        )
        for step in range(steps):
            assert learning_rate(step, steps, recipe) == pytest.approx(
                theirs.get_last_lr()[0], abs=1e-6
            )
            optimizer.step()
            if step < steps - 1:
                theirs.step()
    shares = [learning_rate(step, steps, recipe) for step in range(steps)]
    assert all(0 <= share <= 1 for share in shares)

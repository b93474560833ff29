"""How fast this device computes and copies: the limit of any training or evaluation."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import conv2d
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.amount import Amount
from benchmarks.report import Row, Table
from benchmarks.timing import alternate
from model.compute import Precision
from model.network import NetworkShape, build_network

# Channels and side of the 3 x 3 convolutions that ResNet-18 is made of, for images of 224 x 224.
STAGES = ((64, 56), (128, 28), (256, 14), (512, 7))
PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16")


@dataclass(frozen=True, slots=True)
class Rates:
    """Operations a second, in each precision: of a large matrix product, and of convolutions."""

    product: dict[Precision, float]
    forward: dict[Precision, float]
    training: dict[Precision, float]  # forward and backward

    @property
    def most(self) -> float:
        """The greatest of them all."""
        every = (*self.product.values(), *self.forward.values(), *self.training.values())
        return max(every)


def measure(device: str, amount: Amount) -> Table:
    """Rates of matrix products, of ResNet's convolutions, and of copying."""
    rates = measure_rates(device, amount)
    kinds = (
        (f"matrix product of {amount.side:,} x {amount.side:,}", rates.product),
        ("3 x 3 convolutions of the four stages, forward", rates.forward),
        ("the same, forward and backward", rates.training),
    )
    rows = [
        Row(f"{kind}, {precision}", rate / 1e9, "GFLOP/s", rate / each["float32"])
        for kind, each in kinds
        for precision, rate in each.items()
    ]
    bandwidth = Row(
        "copying, bytes read and written", copy_rate(device, amount.copied) / 1e9, "GB/s"
    )
    return Table("limits", f"rates of {device}", (*rows, bandwidth))


def measure_rates(device: str, amount: Amount) -> Rates:
    """Measure matrix products, and convolutions of images of 224 x 224."""
    product, forward, training, side = {}, {}, {}, amount.side
    for precision in PRECISIONS:
        matrix = torch.randn(side, side, device=device, dtype=getattr(torch, precision))
        product[precision] = _rate(partial(torch.mm, matrix, matrix), device)
        layers = [
            _layer(channels, edge, amount.convolved, device, precision) for channels, edge in STAGES
        ]
        forward[precision] = _rate(partial(_convolve, layers), device)
        training[precision] = _rate(partial(_learn, layers), device)
    return Rates(product, forward, training)


def operations(images: int, size: int, *, training: bool) -> int:
    """Floating-point operations of the network on crops of ``size``, and of their gradients."""
    network = build_network(NetworkShape(crop_size=size), "none", seed=0).train()
    pixels = torch.zeros(2, size, size, 3, dtype=torch.uint8)
    with FlopCounterMode(display=False) as counter:
        embeddings = network(pixels)
        if training:
            embeddings.sum().backward()
    return int(counter.get_total_flops()) // 2 * images


def copy_rate(device: str, count: int) -> float:
    """Bytes a second read and written by a copy of ``count`` bytes."""
    source = torch.ones(count, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * count / alternate({"copy": lambda: target.copy_(source)}, 5, device)["copy"]


def _layer(
    channels: int, edge: int, batch: int, device: str, precision: Precision
) -> tuple[Tensor, Tensor]:
    kind = getattr(torch, precision)
    images = torch.randn(batch, channels, edge, edge, device=device, dtype=kind)
    weight = torch.randn(channels, channels, 3, 3, device=device, dtype=kind)
    order = torch.channels_last
    return (
        images.to(memory_format=order).requires_grad_(),
        weight.to(memory_format=order).requires_grad_(),
    )


def _convolve(layers: list[tuple[Tensor, Tensor]]) -> None:
    with torch.no_grad():
        for images, weight in layers:
            conv2d(images, weight, padding=1)


def _learn(layers: list[tuple[Tensor, Tensor]]) -> None:
    for images, weight in layers:
        found = conv2d(images, weight, padding=1)
        torch.autograd.grad(found, (images, weight), torch.ones_like(found))


def _rate(work: Callable[[], object], device: str) -> float:
    with FlopCounterMode(display=False) as counter:
        work()
    return float(counter.get_total_flops()) / alternate({"work": work}, 5, device)["work"]

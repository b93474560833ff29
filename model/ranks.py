"""Ranks: processes that train one network together, each with its part of every pass.

They take the steps that one process takes: a pass's batch statistics and dropout are those of the
whole pass, the loss is that of the whole batch, and gradients are summed over the ranks. Only the
order of additions differs.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional

from model.errors import ModelInputError


@dataclass(slots=True)
class Ranks:
    """One rank among ``count``; ``passing`` is how many images the current pass has in all."""

    rank: int = 0
    count: int = 1
    passing: int = 0

    def part(self, total: int) -> slice:
        """This rank's part of ``total`` images; no two parts differ by more than one image.

        >>> [Ranks(rank, 3).part(10) for rank in range(3)]
        [slice(0, 3, None), slice(3, 6, None), slice(6, 10, None)]
        """
        return slice(total * self.rank // self.count, total * (self.rank + 1) // self.count)

    def forward(self, through: Callable[[Tensor], Tensor], images: Tensor, total: int) -> Tensor:
        """Send this rank's images of a pass ``through`` a network: the whole pass's (total, D).

        Only this rank's part has a gradient. Raises ModelInputError if a rank has no image.
        """
        if self.count == 1:
            return through(images)
        if total < self.count:
            raise ModelInputError(
                f"devices: a pass of {total} cannot be divided among {self.count};"
                " set fewer devices or larger batches"
            )
        self.passing = total
        ours, part = through(images), self.part(total)
        whole = ours.new_zeros(total, *ours.shape[1:])
        whole[part] = ours.detach()
        distributed.all_reduce(whole)
        return torch.cat([whole[: part.start], ours, whole[part.stop :]])

    def sum_gradients(self, weights: Iterable[nn.Parameter]) -> None:
        """Sum the gradients of all ranks, so that each takes the same optimizer step."""
        if self.count == 1:
            return
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        joined = torch.cat([gradient.reshape(-1) for gradient in gradients])
        distributed.all_reduce(joined)
        sizes = [gradient.numel() for gradient in gradients]
        for gradient, summed in zip(gradients, torch.split(joined, sizes), strict=True):
            gradient.copy_(summed.view_as(gradient))


def spread(module: nn.Module, ranks: Ranks) -> None:
    """Make batch normalisation and dropout in ``module`` see whole passes, in place."""
    for name, layer in module.named_children():
        if isinstance(layer, nn.BatchNorm2d):
            setattr(module, name, SpreadBatchNorm(layer, ranks))
        elif isinstance(layer, nn.Dropout):
            setattr(module, name, SpreadDropout(layer.p, ranks))
        else:
            spread(layer, ranks)


class SpreadDropout(nn.Module):
    """Dropout whose draws are those of one process for the whole pass."""

    def __init__(self, p: float, ranks: Ranks) -> None:
        """Drop with probability ``p``."""
        super().__init__()
        self.p, self.ranks = p, ranks

    def forward(self, values: Tensor) -> Tensor:
        """(b, ...) → (b, ...)."""
        if not self.training:
            return values
        ones = values.new_ones(self.ranks.passing, *values.shape[1:])
        return values * functional.dropout(ones, self.p)[self.ranks.part(len(ones))]


class SpreadBatchNorm(nn.BatchNorm2d):
    """Batch normalisation with the statistics of the whole pass, in place of another layer.

    torch's own ``SyncBatchNorm`` does not work on CPUs.
    """

    def __init__(self, layer: nn.BatchNorm2d, ranks: Ranks) -> None:
        """Take over weights, running statistics and mode, and what timm's layers do next."""
        super().__init__(layer.num_features, layer.eps, layer.momentum, device="meta")
        self._parameters, self._buffers = layer._parameters, layer._buffers
        for name, child in layer.named_children():
            self.add_module(name, child)
        self.ranks = ranks
        self.train(layer.training)

    def forward(self, values: Tensor) -> Tensor:
        """(b, C, H, W) → (b, C, H, W)."""
        if not self.training:
            return self._go_on(super().forward(values))
        count = self.ranks.passing * values[0, 0].numel()
        normalised, mean, variance = _Normalise.apply(
            values, self.weight, self.bias, self.eps, count
        )
        with torch.no_grad():
            assert self.num_batches_tracked is not None
            self.num_batches_tracked += 1
            unbiased = variance * (count / (count - 1))
            for running, new in ((self.running_mean, mean), (self.running_var, unbiased)):
                assert running is not None
                running.lerp_(new, self.momentum or 0.0)
        return self._go_on(normalised)

    def _go_on(self, values: Tensor) -> Tensor:
        for child in self.children():
            values = child(values)
        return values


class _Normalise(torch.autograd.Function):
    """Ioffe & Szegedy 2015, "Batch Normalization", over the values of all ranks."""

    @staticmethod
    def forward(
        ctx: Any, values: Tensor, weight: Tensor, bias: Tensor, eps: float, count: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Normalise (b, C, H, W) by mean and variance (C,) of ``count`` values a channel."""
        variance, mean = torch.var_mean(values.float(), (0, 2, 3), correction=0)
        ours = values.numel() // len(mean)
        # In float64, so that the difference of squares below keeps its digits.
        sums = torch.stack([mean.double(), variance.double() + mean.double() ** 2]) * ours
        distributed.all_reduce(sums)
        whole_mean, square = sums / count
        whole_variance = (square - whole_mean**2).clamp(min=0).to(weight)
        whole_mean = whole_mean.to(weight)
        ctx.save_for_backward(values, weight, whole_mean, torch.rsqrt(whole_variance + eps))
        ctx.count = count
        ctx.mark_non_differentiable(whole_mean, whole_variance)
        normalised = functional.batch_norm(
            values, whole_mean, whole_variance, weight, bias, eps=eps
        )
        return normalised, whole_mean, whole_variance

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of values, and of weight and bias by this rank's values alone."""
        values, weight, mean, scale = ctx.saved_tensors
        gradient = gradients[0].float()
        by_channel = (1, -1, 1, 1)
        standard = (values.float() - mean.view(by_channel)) * scale.view(by_channel)
        sums = torch.stack([gradient.sum((0, 2, 3)), (gradient * standard).sum((0, 2, 3))])
        of_bias, of_weight = sums.clone()
        distributed.all_reduce(sums)
        shift, slope = (each.view(by_channel) for each in sums / ctx.count)
        of_values = (gradient - shift - standard * slope) * (weight * scale).view(by_channel)
        return of_values.to(values.dtype), of_weight, of_bias, None, None

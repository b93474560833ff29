"""Gradient checkpointing: time for memory, with the same numbers (Chen et al. 2016,
"Training Deep Nets with Sublinear Memory Cost")."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

Forward = Callable[[Tensor], Tensor]


def gone_through_twice(network: nn.Module, forward: Forward) -> Forward:
    """Have each pass of ``forward`` keep no activations, and make them anew for its gradients.

    Of several passes those of one are held at a time. Dropout repeats its draws; the running
    statistics of ``network``, which ``forward`` goes through, are brought up to date once.
    """

    def through(pixels: Tensor) -> Tensor:
        embeddings: Tensor = checkpoint(
            forward,
            pixels,
            use_reentrant=False,
            context_fn=lambda: (nullcontext(), _statistics_kept(network)),
        )
        return embeddings

    return through


@contextmanager
def _statistics_kept(network: nn.Module) -> Iterator[None]:
    """Leave the running statistics as they are, whatever goes through the network."""
    layers = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    kept = [(layer, layer.momentum, _count(layer).clone()) for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
    try:
        yield
    finally:
        for layer, momentum, count in kept:
            layer.momentum = momentum
            _count(layer).copy_(count)


def _count(layer: nn.BatchNorm2d) -> Tensor:
    """How many batches have gone through the layer."""
    assert layer.num_batches_tracked is not None
    return layer.num_batches_tracked

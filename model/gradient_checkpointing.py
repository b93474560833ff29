"""Gradient checkpointing: less memory for more time, with the same numbers.

See Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost".
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

Forward = Callable[[Tensor], Tensor]


def gone_through_twice(network: nn.Module, forward: Forward) -> Forward:
    """Make ``forward`` discard each pass's activations and recompute them for its gradients.

    Dropout repeats its draws. The running statistics of ``network`` are updated only once.
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
    """Keep batch normalisation from updating its running statistics."""
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
    """The number of batches that have passed the layer."""
    assert layer.num_batches_tracked is not None
    return layer.num_batches_tracked

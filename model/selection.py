"""Which epoch is the best, and when to stop looking for a better one: by validation alone."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ValidatedEpoch:
    """What an epoch's checkpoint reached on the kept validation triplets."""

    epoch: int
    accuracy: float
    loss: float


def best_epoch(history: Sequence[ValidatedEpoch]) -> ValidatedEpoch:
    """The epoch of highest validation accuracy; among equals the lower loss, then the earlier.

    >>> best_epoch([ValidatedEpoch(1, 0.7, 2.0), ValidatedEpoch(2, 0.8, 1.9)]).epoch
    2
    """
    return min(history, key=lambda one: (-one.accuracy, one.loss, one.epoch))


def should_stop(history: Sequence[ValidatedEpoch], patience: int) -> bool:
    """Whether the last ``patience`` epochs all failed to better the best one; 0: never stop.

    >>> should_stop([ValidatedEpoch(1, 0.8, 2.0), ValidatedEpoch(2, 0.7, 1.9)], patience=1)
    True
    """
    if patience == 0 or not history:
        return False
    return history[-1].epoch - best_epoch(history).epoch >= patience

"""Which epoch is the best, and when to stop looking for a better one: by validation alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

EpochMetric = Literal["triplet_accuracy", "roc_auc"]


@dataclass(frozen=True, slots=True)
class ValidatedEpoch:
    """What an epoch's checkpoint reached on the kept validation triplets."""

    epoch: int
    accuracy: float
    loss: float
    roc_auc: float | None = None


def best_epoch(
    history: Sequence[ValidatedEpoch], by: EpochMetric = "triplet_accuracy"
) -> ValidatedEpoch:
    """The epoch of highest validation accuracy; among equals the lower loss, then the earlier.

    >>> best_epoch([ValidatedEpoch(1, 0.7, 2.0), ValidatedEpoch(2, 0.8, 1.9)]).epoch
    2
    """
    if by == "roc_auc" and all(one.roc_auc is not None for one in history):
        return min(history, key=lambda one: (-(one.roc_auc or 0), -one.accuracy, one.epoch))
    return min(history, key=lambda one: (-one.accuracy, one.loss, one.epoch))


def should_stop(
    history: Sequence[ValidatedEpoch], patience: int, by: EpochMetric = "triplet_accuracy"
) -> bool:
    """Whether the last ``patience`` epochs all failed to better the best one; 0: never stop.

    >>> should_stop([ValidatedEpoch(1, 0.8, 2.0), ValidatedEpoch(2, 0.7, 1.9)], patience=1)
    True
    """
    if patience == 0 or not history:
        return False
    return history[-1].epoch - best_epoch(history, by).epoch >= patience

"""Which epoch is the best, and when to stop looking for a better one: by validation alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Criterion = Literal["triplet_accuracy", "roc_auc"]


@dataclass(frozen=True, slots=True)
class ValidatedEpoch:
    """What an epoch's checkpoint reached on the kept validation triplets and on all pairs."""

    epoch: int
    accuracy: float
    loss: float
    roc_auc: float | None = None  # None where it was not measured


def best_epoch(
    history: Sequence[ValidatedEpoch], by: Criterion = "triplet_accuracy"
) -> ValidatedEpoch:
    """The epoch that is best on validation.

    By triplet accuracy it is the most accurate; among equals the lower loss, then the earlier. By
    ROC AUC it is that of the highest; among equals the more accurate, then the earlier. Where some
    epoch has no ROC AUC, triplet accuracy decides: one epoch's cannot be set against another's.

    >>> history = [ValidatedEpoch(1, 0.7, 2.0, roc_auc=0.9), ValidatedEpoch(2, 0.8, 1.9, 0.8)]
    >>> best_epoch(history).epoch, best_epoch(history, by="roc_auc").epoch
    (2, 1)
    """
    if by == "triplet_accuracy" or any(one.roc_auc is None for one in history):
        return min(history, key=lambda one: (-one.accuracy, one.loss, one.epoch))
    return min(history, key=lambda one: (-(one.roc_auc or 0), -one.accuracy, one.epoch))


def should_stop(
    history: Sequence[ValidatedEpoch], patience: int, by: Criterion = "triplet_accuracy"
) -> bool:
    """Whether the last ``patience`` epochs all failed to better the best one; 0: never stop.

    >>> should_stop([ValidatedEpoch(1, 0.8, 2.0), ValidatedEpoch(2, 0.7, 1.9)], patience=1)
    True
    """
    if patience == 0 or not history:
        return False
    return history[-1].epoch - best_epoch(history, by).epoch >= patience

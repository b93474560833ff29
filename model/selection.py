"""Choose the best epoch and when to stop, from validation results only."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Criterion = Literal["triplet_accuracy", "roc_auc"]


@dataclass(frozen=True, slots=True)
class ValidatedEpoch:
    """The validation results of an epoch's checkpoint."""

    epoch: int
    accuracy: float
    loss: float
    roc_auc: float | None = None  # None if it was not measured


def best_epoch(
    history: Sequence[ValidatedEpoch], by: Criterion = "triplet_accuracy"
) -> ValidatedEpoch:
    """Return the epoch that is best on validation.

    Ties in triplet accuracy go to the lower loss, ties in ROC AUC to the higher accuracy, then both
    to the earlier epoch. If any epoch lacks a ROC AUC, triplet accuracy decides.

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
    """Whether none of the last ``patience`` epochs is the best; patience 0 never stops.

    >>> should_stop([ValidatedEpoch(1, 0.8, 2.0), ValidatedEpoch(2, 0.7, 1.9)], patience=1)
    True
    """
    if patience == 0 or not history:
        return False
    return history[-1].epoch - best_epoch(history, by).epoch >= patience

"""The best epoch and the end of training, on short histories."""

import doctest

import pytest

from model import selection
from model.selection import ValidatedEpoch, best_epoch, should_stop


def test_the_examples_in_the_docstrings_hold() -> None:
    outcome = doctest.testmod(selection)
    assert outcome.attempted > 0
    assert outcome.failed == 0


def history(*figures: tuple[float, float]) -> list[ValidatedEpoch]:
    """Epochs 1, 2, ... of the given (accuracy, loss)."""
    return [ValidatedEpoch(epoch, *figure) for epoch, figure in enumerate(figures, start=1)]


@pytest.mark.parametrize(
    ("figures", "best"),
    [
        ([(0.5, 1.0)], 1),
        ([(0.5, 1.0), (0.9, 3.0), (0.8, 0.1)], 2),  # accuracy before loss
        ([(0.9, 2.0), (0.9, 1.0), (0.9, 1.5)], 2),  # equal accuracy: the lowest loss
        ([(0.1, 0.5), (0.9, 1.0), (0.9, 1.0)], 2),  # equal in both: the earlier
    ],
)
def test_the_best_epoch_is_the_most_accurate(figures: list[tuple[float, float]], best: int) -> None:
    assert best_epoch(history(*figures)).epoch == best
    assert best_epoch(history(*figures)[::-1]).epoch == best


def judged(*figures: tuple[float | None, float, float]) -> list[ValidatedEpoch]:
    """Epochs 1, 2, ... of the given (ROC AUC, accuracy, loss)."""
    return [
        ValidatedEpoch(epoch, accuracy, loss, roc_auc)
        for epoch, (roc_auc, accuracy, loss) in enumerate(figures, start=1)
    ]


@pytest.mark.parametrize(
    ("figures", "best"),
    [
        ([(0.5, 0.9, 1.0), (0.8, 0.5, 2.0), (0.7, 0.9, 0.1)], 2),  # ROC AUC before accuracy
        ([(0.8, 0.5, 1.0), (0.8, 0.6, 2.0), (0.8, 0.55, 1.0)], 2),  # equal: the most accurate
        ([(0.8, 0.6, 2.0), (0.8, 0.6, 1.0)], 1),  # equal in both: the earlier
        ([(0.0, 0.5, 1.0), (0.0, 0.6, 1.0)], 2),  # 0 is a value, too
        ([(None, 0.6, 1.0), (0.9, 0.5, 1.0)], 1),  # one lacks it: accuracy decides
        ([(None, 0.6, 2.0), (None, 0.6, 1.0)], 2),  # all lack it: accuracy, then loss
    ],
)
def test_the_best_epoch_by_roc_auc(
    figures: list[tuple[float | None, float, float]], best: int
) -> None:
    assert best_epoch(judged(*figures), by="roc_auc").epoch == best
    assert best_epoch(judged(*figures)[::-1], by="roc_auc").epoch == best


def test_training_stops_by_the_chosen_criterion() -> None:
    epochs = judged((0.9, 0.5, 1.0), (0.8, 0.6, 1.0), (0.7, 0.7, 1.0))
    assert should_stop(epochs, patience=2, by="roc_auc")
    assert not should_stop(epochs[:2], patience=2, by="roc_auc")
    assert not should_stop(epochs, patience=2)


def test_training_stops_when_patience_is_exhausted() -> None:
    epochs = history((0.6, 2.0), (0.8, 2.0), (0.7, 1.0), (0.8, 2.0), (0.8, 1.9), (0.1, 9.0))
    stops = [should_stop(epochs[:count], patience=2) for count in range(1, 7)]
    # Epoch 4 only equals epoch 2, so training would have stopped there; epoch 5 is better.
    assert stops == [False, False, False, True, False, False]


def test_patience_zero_never_stops() -> None:
    assert not should_stop(history(*[(0.9, 1.0)] + [(0.1, 9.0)] * 50), patience=0)


def test_nothing_stops_before_the_first_epoch() -> None:
    assert not should_stop([], patience=1)

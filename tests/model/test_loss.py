"""The loss against torch's own and a plain loop over triplets; the accuracy against counting."""

import doctest
import math

import pytest
import torch
from torch import Tensor

from model import loss
from model.loss import triplet_outcome

MARGINS = [0.001, 0.2, 1.0, 5.0, 50.0]


def test_the_examples_in_the_docstrings_hold() -> None:
    outcome = doctest.testmod(loss)
    assert outcome.attempted > 0
    assert outcome.failed == 0


def drawn(seed: int) -> list[Tensor]:
    """Embeddings (40, 6) of the three roles, some triplets easy and some hard."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(40, 6, generator=generator, requires_grad=True) for _ in range(3)]


@pytest.mark.parametrize("margin", MARGINS)
def test_loss_and_gradients_are_those_of_torch(margin: float) -> None:
    ours, theirs = drawn(seed=3), drawn(seed=3)
    loss_of_ours = triplet_outcome(ours[0], ours[1], ours[2], margin).loss
    loss_of_theirs = torch.nn.TripletMarginLoss(margin)(*theirs)
    torch.testing.assert_close(loss_of_ours, loss_of_theirs)
    gradients = torch.autograd.grad(loss_of_ours, ours)
    assert any(gradient.abs().sum() > 0 for gradient in gradients)
    torch.testing.assert_close(gradients, torch.autograd.grad(loss_of_theirs, theirs))


@pytest.mark.parametrize("margin", MARGINS)
def test_a_loop_over_triplets_gives_the_same_loss_and_count(margin: float) -> None:
    roles = drawn(seed=4)
    costs, right = [], 0
    for anchor, positive, negative in zip(*(role.tolist() for role in roles), strict=True):
        gap = math.dist(anchor, positive) - math.dist(anchor, negative)
        costs.append(max(0.0, gap + margin))
        right += gap < 0
    outcome = triplet_outcome(roles[0], roles[1], roles[2], margin)
    assert outcome.loss.item() == pytest.approx(sum(costs) / len(costs), rel=1e-4)
    assert outcome.correct.item() == right


def test_equal_distances_count_as_wrong() -> None:
    anchor = torch.zeros(3, 2)
    positive = torch.tensor([[0.0, 2.0], [1.0, 0.0], [3.0, 0.0]])
    negative = torch.tensor([[0.0, 2.0], [4.0, 0.0], [0.0, 1.0]])
    assert triplet_outcome(anchor, positive, negative, margin=1.0).correct.item() == 1


def test_no_cost_where_every_negative_is_further_by_the_margin() -> None:
    anchor, positive = torch.zeros(2, 1), torch.ones(2, 1)
    negative = torch.tensor([[6.5], [-7.0]])
    assert triplet_outcome(anchor, positive, negative, margin=5.0).loss.item() == 0.0

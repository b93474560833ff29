"""The loss against torch's own and a plain loop over triplets; the accuracy against counting."""

import doctest
import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pytorch_metric_learning.losses import SupConLoss
from torch import Tensor

from model import losses
from model.errors import ModelInputError
from model.losses import (
    Outcome,
    Targets,
    count_nearer,
    supervised_contrastive,
    triplet_margin,
)

MARGINS = [0.001, 0.2, 1.0, 5.0, 50.0]


def test_the_examples_in_the_docstrings_hold() -> None:
    outcome = doctest.testmod(losses)
    assert outcome.attempted > 0
    assert outcome.failed == 0


def triplet_outcome(anchor: Tensor, positive: Tensor, negative: Tensor, margin: float) -> Outcome:
    """The loss of triplets given by role."""
    places = torch.arange(3 * len(anchor)).reshape(3, -1)
    return triplet_margin(torch.cat([anchor, positive, negative]), Targets(triplets=places), margin)


def drawn(seed: int) -> list[Tensor]:
    """Embeddings (40, 6) of the three roles, some triplets easy and some hard."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(40, 6, generator=generator, requires_grad=True) for _ in range(3)]


@pytest.mark.parametrize("margin", MARGINS)
def test_loss_and_gradients_equal_torchs(margin: float) -> None:
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


def test_the_loss_is_zero_if_every_negative_is_further_by_the_margin() -> None:
    anchor, positive = torch.zeros(2, 1), torch.ones(2, 1)
    negative = torch.tensor([[6.5], [-7.0]])
    assert triplet_outcome(anchor, positive, negative, margin=5.0).loss.item() == 0.0


def labelled(seed: int, artists: int = 5, each: int = 3) -> tuple[Tensor, Tensor]:
    """A batch's embeddings and labels, by number of artists and images each."""
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(artists * each, 6, generator=generator, requires_grad=True)
    return embeddings, torch.arange(artists).repeat_interleave(each)[torch.randperm(artists * each)]


@pytest.mark.parametrize("temperature", [0.05, 0.1, 1.0])
def test_the_contrastive_loss_equals_pytorch_metric_learnings(temperature: float) -> None:
    embeddings, labels = labelled(seed=5)
    theirs = SupConLoss(temperature)(embeddings, labels)
    ours = supervised_contrastive(embeddings, Targets(labels), temperature).loss
    torch.testing.assert_close(ours, theirs)
    gradients = (torch.autograd.grad(one, embeddings)[0] for one in (ours, theirs))
    torch.testing.assert_close(*gradients)


def test_an_artist_with_one_image_in_the_batch_is_not_an_anchor() -> None:
    embeddings, labels = labelled(seed=6)
    labels = torch.cat([labels[:-1], torch.tensor([99])])
    ours = supervised_contrastive(embeddings, Targets(labels), 0.1).loss
    torch.testing.assert_close(ours, SupConLoss(0.1)(embeddings, labels))


@pytest.mark.parametrize("margin", [0.2, 5.0])
def test_labels_make_every_possible_triplet(margin: float) -> None:
    embeddings, labels = labelled(seed=7)
    points, artists = embeddings.tolist(), labels.tolist()
    costs, right = [], 0
    for a, p, n in itertools.permutations(range(len(points)), 3):
        if artists[a] == artists[p] != artists[n]:
            gap = math.dist(points[a], points[p]) - math.dist(points[a], points[n])
            costs.append(max(0.0, gap + margin))
            right += gap < 0
    outcome = triplet_margin(embeddings, Targets(labels), margin)
    assert outcome.loss.item() == pytest.approx(sum(costs) / len(costs), rel=1e-4)
    assert (outcome.correct.item(), outcome.n_triplets.item()) == (right, len(costs))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-2, 2)), min_size=3, max_size=12))
def test_nearer_positives_are_counted_as_a_loop_counts_them(
    images: list[tuple[int, int]],
) -> None:
    """Among few integers there are many ties, which count as wrong."""
    labels, places = torch.tensor(images).T
    similarity = -(places[:, None] - places).abs().float()
    similarity.fill_diagonal_(torch.inf)
    right = 0
    for a, p, n in itertools.permutations(range(len(images)), 3):
        if images[a][0] == images[p][0] != images[n][0]:
            right += abs(images[a][1] - images[p][1]) < abs(images[a][1] - images[n][1])
    assert count_nearer(similarity, labels[:, None] == labels).item() == right


def test_the_contrastive_loss_counts_the_triplets_of_its_batch() -> None:
    embeddings, labels = labelled(seed=8)
    ours = supervised_contrastive(embeddings, Targets(labels), 0.1)
    directions = torch.nn.functional.normalize(embeddings)  # the same order as by angle
    theirs = triplet_margin(directions, Targets(labels), 0.1)
    assert ours.correct.item() == theirs.correct.item()
    assert ours.n_triplets.item() == theirs.n_triplets.item() == 5 * 3 * 2 * 12


def test_a_loss_that_needs_labels_refuses_a_batch_without_them() -> None:
    with pytest.raises(ModelInputError, match="sampler=artists"):
        supervised_contrastive(torch.zeros(3, 2), Targets(), 0.1)

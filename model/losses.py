"""Training losses. A new loss is one function here, with its name in `model.recipe`.

A loss takes the embeddings (M, D) of a batch and its targets. It also counts the batch's triplets
whose anchor is nearer to the positive, a figure that people can compare between losses.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from model.errors import ModelInputError
from model.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Targets:
    """What is known about a batch of M embeddings: their artists, or their triplets."""

    labels: Tensor | None = None  # (M,) a number for each artist
    triplets: Tensor | None = None  # (3, T) places of anchors, positives and negatives


@dataclass(frozen=True, slots=True)
class Outcome:
    """A batch's mean ``loss``, and its ``correct`` triplets of ``n_triplets``; all are 0-d."""

    loss: Tensor
    correct: Tensor
    n_triplets: Tensor


Loss = Callable[[Tensor, Targets], Outcome]


def loss_of(recipe: Recipe) -> Loss:
    """Return the recipe's loss."""
    match recipe.loss:
        case "triplet":
            return partial(triplet_margin, margin=recipe.margin)
        case "contrastive":
            return partial(supervised_contrastive, temperature=recipe.temperature)


def mean_outcome(outcomes: Sequence[Outcome]) -> Outcome:
    """Average the loss of several heads, and add up their counts."""
    return Outcome(
        torch.stack([one.loss for one in outcomes]).mean(),
        torch.stack([one.correct for one in outcomes]).sum(),
        torch.stack([one.n_triplets for one in outcomes]).sum(),
    )


def triplet_margin(embeddings: Tensor, targets: Targets, margin: float) -> Outcome:
    """Mean of max(0, d(a, p) - d(a, n) + margin) over the triplets, or all that the labels make.

    d is the Euclidean distance (Schroff et al. 2015, "FaceNet", without the squares, as in
    ``torch.nn.TripletMarginLoss``). Equal distances count as wrong.

    >>> points = torch.tensor([[0.0], [1.0], [3.0]])
    >>> outcome = triplet_margin(points, Targets(triplets=torch.tensor([[0], [1], [2]])), 5.0)
    >>> round(outcome.loss.item(), 4), outcome.correct.item()
    (3.0, 1)
    """
    triplets = all_triplets(targets) if targets.triplets is None else targets.triplets
    anchor, positive, negative = (embeddings.index_select(0, role) for role in triplets)
    positive_dist = functional.pairwise_distance(anchor, positive)
    negative_dist = functional.pairwise_distance(anchor, negative)
    loss = torch.relu(positive_dist - negative_dist + margin).mean()
    correct = positive_dist < negative_dist
    return Outcome(loss, correct.sum(), correct.new_tensor(len(correct), dtype=torch.int64))


def supervised_contrastive(embeddings: Tensor, targets: Targets, temperature: float) -> Outcome:
    """Cross entropy of picking an anchor's positives from the rest of the batch by similarity.

    For each anchor i with positives P(i): minus the mean over p in P(i) of
    log(exp(s_ip / t) / sum over j != i of exp(s_ij / t)), where s is the dot product of normalised
    embeddings and t the temperature; then the mean over anchors with a positive (Khosla et al.
    2020, "Supervised Contrastive Learning", equation 2).

    >>> points = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    >>> outcome = supervised_contrastive(points, Targets(torch.tensor([0, 0, 1, 1])), 1.0)
    >>> round(outcome.loss.item(), 4), outcome.correct.item()  # log(e + 2) - 1
    (0.5514, 8)
    """
    labels = labels_of(targets)
    directions = functional.normalize(embeddings)
    similarity = directions @ directions.T
    itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    same = (labels[:, None] == labels) & ~itself
    logits = (similarity / temperature).masked_fill(itself, -torch.inf)
    likelihood = logits.masked_fill(itself, 0.0) - logits.logsumexp(dim=1, keepdim=True)
    positives = same.sum(dim=1)
    cost = -(likelihood * same).sum(dim=1) / positives.clamp(min=1)
    n_anchors = (positives > 0).sum()
    with torch.no_grad():
        correct = count_nearer(similarity.masked_fill(itself, torch.inf), same | itself)
        n_triplets = (positives * (len(labels) - 1 - positives)).sum()
    return Outcome(cost.sum() / n_anchors, correct, n_triplets)


def count_nearer(similarity: Tensor, same: Tensor) -> Tensor:
    """Count triplets whose positive is more similar to the anchor than the negative: 0-d, int64.

    ``similarity`` (M, M) is infinite on its diagonal; ``same`` (M, M) is true for one artist. Ties
    count as wrong. Sorting avoids M³ comparisons.

    >>> similarity = torch.tensor([[0.0, 2.0, 1.0], [2.0, 0.0, 3.0], [1.0, 3.0, 0.0]])
    >>> _ = similarity.fill_diagonal_(torch.inf)
    >>> same = torch.tensor([[True, True, False], [True, True, False], [False, False, True]])
    >>> count_nearer(similarity, same).item()
    1
    """
    # Positives come first among ties, so that equally similar negatives are not counted.
    order = torch.argsort(same, dim=1, descending=True, stable=True)
    order = order.gather(1, torch.argsort(similarity.gather(1, order), dim=1, stable=True))
    is_same = same.gather(1, order)
    passed = (~is_same).cumsum(dim=1)  # negatives less similar than the image in this place
    is_itself = torch.zeros_like(is_same)
    is_itself[:, -1] = True  # infinitely similar
    return (passed * (is_same & ~is_itself)).sum()


def all_triplets(targets: Targets) -> Tensor:
    """Every triplet (3, T) that a batch's labels make: anchor, positive, negative."""
    labels = labels_of(targets)
    same = labels[:, None] == labels
    itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    return ((same & ~itself)[:, :, None] & ~same[:, None, :]).nonzero().T


def labels_of(targets: Targets) -> Tensor:
    """Return the labels. Raises ModelInputError if the sampler gives none."""
    if targets.labels is None:
        raise ModelInputError("loss: this loss needs batches by artist; set sampler=artists")
    return targets.labels

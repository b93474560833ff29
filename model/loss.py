"""The triplet margin loss, and the distances that it and the triplet accuracy share."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class TripletOutcome:
    """What one batch of triplets came to: ``loss`` a mean, ``correct`` a count (0-d tensors)."""

    loss: Tensor
    correct: Tensor


def triplet_outcome(
    anchor: Tensor, positive: Tensor, negative: Tensor, margin: float
) -> TripletOutcome:
    """Mean of max(0, d(a, p) - d(a, n) + margin), and how often d(a, p) < d(a, n).

    The three are embeddings of shape (B, D), d is the Euclidean distance (Schroff et al. 2015,
    without the squares, as ``torch.nn.TripletMarginLoss``). Equal distances count as wrong.

    >>> a, p, n = torch.tensor([[0.0]]), torch.tensor([[1.0]]), torch.tensor([[3.0]])
    >>> outcome = triplet_outcome(a, p, n, margin=5.0)
    >>> round(outcome.loss.item(), 4), outcome.correct.item()
    (3.0, 1)
    """
    positive_dist = functional.pairwise_distance(anchor, positive)
    negative_dist = functional.pairwise_distance(anchor, negative)
    loss = torch.relu(positive_dist - negative_dist + margin).mean()
    return TripletOutcome(loss, (positive_dist < negative_dist).sum())

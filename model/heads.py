"""Heads: from a backbone's features to an embedding. A new head is one function here."""

from torch import nn

from model.shape import NetworkShape


def build_head(size: int, shape: NetworkShape) -> nn.Module:
    """The head that ``shape`` names, for features of ``size`` values an image."""
    match shape.head:
        case "flatten":
            return flatten_head(size, shape)


def flatten_head(size: int, shape: NetworkShape) -> nn.Sequential:
    """The reference's: two linear layers on the flattened features."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Dropout(shape.backbone_dropout),
        nn.Linear(size, shape.hidden_size),
        nn.ReLU(),
        nn.Dropout(shape.head_dropout),
        nn.Linear(shape.hidden_size, shape.embedding_size),
    )

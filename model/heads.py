"""Heads: from a backbone's features to an embedding. A new head is one function here."""

from torch import Tensor, nn

from model.shape import NetworkShape


def build_head(size: int, shape: NetworkShape) -> nn.Module:
    """The head that ``shape`` names, for features of ``size`` values an image."""
    match shape.head:
        case "flatten":
            return flatten_head(size, shape)
        case "residual":
            return ResidualHead(size, shape)


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


class ResidualHead(nn.Module):
    """Two linear layers, and a third past them: what is linear in the features need not be learnt
    by the others."""

    def __init__(self, size: int, shape: NetworkShape) -> None:
        """Build it with random weights."""
        super().__init__()
        self.dropout = nn.Dropout(shape.backbone_dropout)
        self.layers = nn.Sequential(
            nn.Linear(size, shape.hidden_size),
            nn.ReLU(),
            nn.Dropout(shape.head_dropout),
            nn.Linear(shape.hidden_size, shape.embedding_size),
        )
        self.past = nn.Linear(size, shape.embedding_size, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Features of a batch → (B, embedding_size)."""
        features = self.dropout(features.flatten(1))
        embeddings: Tensor = self.layers(features) + self.past(features)
        return embeddings

"""Heads turn a backbone's features into an embedding. A new head is one function here."""

from torch import Tensor, nn

from model.shape import NetworkShape


def build_head(size: int, shape: NetworkShape) -> nn.Module:
    """Build the head that ``shape`` names, for ``size`` features per image."""
    match shape.head:
        case "flatten":  # the reference's
            return nn.Sequential(
                nn.Flatten(), nn.Dropout(shape.backbone_dropout), *_layers(size, shape)
            )
        case "residual":
            return ResidualHead(size, shape)


class ResidualHead(nn.Module):
    """Two linear layers, and a third that bypasses them, so they need not learn what is linear."""

    def __init__(self, size: int, shape: NetworkShape) -> None:
        """Build the head with random weights."""
        super().__init__()
        self.dropout = nn.Dropout(shape.backbone_dropout)
        self.layers = nn.Sequential(*_layers(size, shape))
        self.past = nn.Linear(size, shape.embedding_size, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Embed features: → (B, embedding_size)."""
        features = self.dropout(features.flatten(1))
        embeddings: Tensor = self.layers(features) + self.past(features)
        return embeddings


def _layers(size: int, shape: NetworkShape) -> list[nn.Module]:
    return [
        nn.Linear(size, shape.hidden_size),
        nn.ReLU(),
        nn.Dropout(shape.head_dropout),
        nn.Linear(shape.hidden_size, shape.embedding_size),
    ]

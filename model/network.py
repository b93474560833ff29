"""The Siamese network: a backbone for features, and small heads for the embedding."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.backbone import Backbone
from model.heads import build_head
from model.shape import NetworkShape

__all__ = ["NetworkShape", "SiameseNetwork", "Standardise", "build_network"]

FURTHEST = 8.0  # deviations from the mean at which features are clipped
LEAST_DEVIATION = 0.01  # of the mean deviation: smaller variation is treated as noise


class Standardise(nn.Module):
    """Shift and scale each feature to mean 0 and deviation 1 over the training images."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, size: int) -> None:
        """Start as the identity, until `fit`."""
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("deviation", torch.ones(size))

    def fit(self, mean: Tensor, deviation: Tensor) -> None:
        """Set mean and deviation (D,) to those of the training images' features."""
        self.mean.copy_(mean)
        least = LEAST_DEVIATION * deviation.mean().item() + 1e-6
        self.deviation.copy_(deviation.clamp(min=least))

    def forward(self, features: Tensor) -> Tensor:
        """(B, D) → (B, D), clipped at `FURTHEST` deviations."""
        return features.sub(self.mean).div(self.deviation).clamp(-FURTHEST, FURTHEST)


class SiameseNetwork(nn.Module):
    """Embeds crops so that those by one artist lie close together.

    It takes pixels as they are stored, and normalises them itself.
    """

    def __init__(self, shape: NetworkShape) -> None:
        """Build the network with random weights. Raises ModelInputError for an unknown backbone."""
        super().__init__()
        self.shape = shape
        self.backbone = Backbone(shape.backbone, shape.features)
        size = self.backbone.feature_shape(shape.crop_size).numel()
        is_vector = shape.features == "statistics"
        self.standardise: nn.Module = Standardise(size) if is_vector else nn.Identity()
        heads = [build_head(size, shape) for _ in range(shape.heads)]
        self.head: nn.Module = heads[0] if shape.heads == 1 else nn.ModuleList(heads)
        self.backbone.requires_grad_(not shape.frozen)

    def forward(self, pixels: Tensor) -> Tensor:
        """Embed crops: (B, S, S, 3) uint8 → (B, heads * embedding_size) float32."""
        embeddings = self.embed(self.features(pixels))
        if self.training or not self.shape.mirrored:
            return embeddings
        return self.join(embeddings, self.embed(self.features(pixels.flip(2))))

    def features(self, pixels: Tensor) -> Tensor:
        """The backbone's features of crops: (B, S, S, 3) uint8 → (B, C, H, W) or (B, D)."""
        # Permuted like this, stored pixels are already in channels-last memory order.
        images = pixels.permute(0, 3, 1, 2).float().div(255.0)
        features: Tensor = self.backbone(images)
        return features

    def pool(self, features: Tensor) -> Tensor:
        """Features as one vector an image, maps averaged over it: → (B, D)."""
        if self.shape.features != "map":
            return features
        by_channel: Tensor = self.backbone.parts[0].by_channel(features)
        return by_channel.mean(dim=2)

    def embed(self, features: Tensor) -> Tensor:
        """Embed features: → (B, heads * embedding_size) float32.

        The squared distance of two embeddings is the mean over the heads.
        """
        features = self.standardise(features)
        heads = self.head if isinstance(self.head, nn.ModuleList) else [self.head]
        parts = [head(features).float() for head in heads]
        if self.shape.normalised:
            parts = [functional.normalize(part) for part in parts]
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1) / math.sqrt(len(parts))

    def join(self, embeddings: Tensor, of_mirror_images: Tensor) -> Tensor:
        """Average the embeddings of images and their mirror images: (B, D), (B, D) → (B, D)."""
        mean = (embeddings + of_mirror_images) / 2
        return functional.normalize(mean) if self.shape.normalised else mean

    def train(self, mode: bool = True) -> "SiameseNetwork":
        """Set the mode; a frozen backbone stays in evaluation mode."""
        super().train(mode)
        if self.shape.frozen:
            self.backbone.eval()
        return self

    def fit_features(self, mean: Tensor, deviation: Tensor) -> None:
        """Standardise by mean and deviation (D,) of the training images; feature maps are not."""
        if isinstance(self.standardise, Standardise):
            self.standardise.fit(mean, deviation)

    def trained_state(self) -> dict[str, Tensor]:
        """The state that training changes: everything except a frozen backbone."""
        frozen = self.backbone_state()
        return {name: value for name, value in self.state_dict().items() if name not in frozen}

    def backbone_state(self) -> dict[str, Tensor]:
        """The state of a frozen backbone; empty if the backbone is trained."""
        state = self.state_dict() if self.shape.frozen else {}
        return {name: value for name, value in state.items() if name.startswith("backbone.")}


def build_network(shape: NetworkShape, weights: str, seed: int) -> SiameseNetwork:
    """Build the network in channels-last memory order, with random parts drawn from ``seed``.

    ``weights`` is ``pretrained``, ``none``, or a file with the backbone's weights. Raises
    ModelInputError if they are missing or do not fit.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = SiameseNetwork(shape)
    network.backbone.load(weights)
    # torch's own stubs leave `to(memory_format=...)` untyped in its return.
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return, unused-ignore]

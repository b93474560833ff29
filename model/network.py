"""The Siamese network: a backbone that sees, and a small head that embeds."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.backbone import Backbone
from model.heads import build_head
from model.shape import NetworkShape

__all__ = ["NetworkShape", "SiameseNetwork", "Standardise", "build_network"]


FURTHEST = 8.0  # deviations from the mean: what lies further tells nothing more
LEAST_DEVIATION = 0.01  # of the mean one: what varies less is taken for noise


class Standardise(nn.Module):
    """Shift and scale each feature to mean 0 and deviation 1 over the training images."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, size: int) -> None:
        """Leave features as they are until `fit` has seen some."""
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("deviation", torch.ones(size))

    def fit(self, mean: Tensor, deviation: Tensor) -> None:
        """Take over mean and deviation (D,) of the training images' features."""
        self.mean.copy_(mean)
        least = LEAST_DEVIATION * deviation.mean().item() + 1e-6
        self.deviation.copy_(deviation.clamp(min=least))

    def forward(self, features: Tensor) -> Tensor:
        """(B, D) → (B, D), within `FURTHEST` deviations."""
        return features.sub(self.mean).div(self.deviation).clamp(-FURTHEST, FURTHEST)


class SiameseNetwork(nn.Module):
    """Embeds crops so that those by one hand lie close together.

    All images of a batch go through this one network. It takes pixels as they are stored, so
    nobody can forget to normalise them.
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
        """What the backbone sees in crops: (B, S, S, 3) uint8 → (B, C, H, W) or (B, D)."""
        # Viewed this way round, stored pixels already are in channels-last memory order.
        images = pixels.permute(0, 3, 1, 2).float().div(255.0)
        features: Tensor = self.backbone(images)
        return features

    def embed(self, features: Tensor) -> Tensor:
        """Make embeddings of features: → (B, heads * embedding_size) float32.

        The squared distance of two is the mean of what each head finds.
        """
        features = self.standardise(features)
        heads = self.head if isinstance(self.head, nn.ModuleList) else [self.head]
        parts = [head(features).float() for head in heads]
        if self.shape.normalised:
            parts = [functional.normalize(part) for part in parts]
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1) / math.sqrt(len(parts))

    def join(self, embeddings: Tensor, of_mirror_images: Tensor) -> Tensor:
        """One embedding of a picture and its mirror image: (B, D) and (B, D) → (B, D)."""
        mean = (embeddings + of_mirror_images) / 2
        return functional.normalize(mean) if self.shape.normalised else mean

    def train(self, mode: bool = True) -> "SiameseNetwork":
        """Set the mode; a frozen backbone stays as it is when it embeds."""
        super().train(mode)
        if self.shape.frozen:
            self.backbone.eval()
        return self

    def fit_features(self, mean: Tensor, deviation: Tensor) -> None:
        """Take over mean and deviation (D,) of the training images' features; maps stay as are."""
        if isinstance(self.standardise, Standardise):
            self.standardise.fit(mean, deviation)

    def trained_state(self) -> dict[str, Tensor]:
        """The weights and statistics that training changes: all but a frozen backbone's."""
        return {name: value for name, value in self.state_dict().items() if self._is_trained(name)}

    def backbone_state(self) -> dict[str, Tensor]:
        """The rest: what a frozen backbone keeps for good; nothing where it is trained."""
        state = self.state_dict()
        return {name: value for name, value in state.items() if not self._is_trained(name)}

    def _is_trained(self, name: str) -> bool:
        return not (self.shape.frozen and name.startswith("backbone."))


def build_network(shape: NetworkShape, weights: str, seed: int) -> SiameseNetwork:
    """Build the network in channels-last memory order, its random parts drawn from ``seed``.

    ``weights`` is ``pretrained``, ``none``, or a file that holds the backbone's weights. Raises
    ModelInputError where they cannot be had or do not fit.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = SiameseNetwork(shape)
    network.backbone.load(weights)
    # torch's own stubs leave `to(memory_format=...)` untyped in its return.
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return, unused-ignore]

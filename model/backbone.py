"""The backbone: one or more timm networks side by side, from images to features."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

import torch
from torch import Tensor, nn

from model.errors import ModelInputError
from model.pretrained import IMAGENET, PACKAGED, load_weights
from model.shape import FeatureKind

REVISION = 1
"""Increase this when the same weights give different features."""


class Trunk(nn.Module):
    """A timm network without its classifier, with the normalisation its weights expect.

    ``kind`` is ``map`` for the last feature map (B, C, H, W), or ``statistics`` for the mean and
    deviation of every channel at every level (B, D): early levels show brushwork, late ones the
    subject.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, name: str, kind: FeatureKind) -> None:
        """Build the network with random weights. Raises ModelInputError for an unknown name."""
        super().__init__()
        self.name, self.kind = name, kind
        self.network: Any = _create(name)
        cfg = {} if name in PACKAGED else getattr(self.network, "pretrained_cfg", {})
        self.register_buffer("mean", _per_channel(cfg.get("mean", IMAGENET.mean)))
        self.register_buffer("deviation", _per_channel(cfg.get("std", IMAGENET.deviation)))

    def forward(self, images: Tensor) -> Tensor:
        """Turn images (B, 3, S, S), from 0 to 1, into features (B, C, H, W) or (B, D)."""
        images = images.sub(self.mean).div(self.deviation)
        if self.kind == "map":
            last_map: Tensor = self.network.forward_features(images)
            return last_map
        maps = self.network.forward_intermediates(images, intermediates_only=True)
        return torch.cat([_means_and_deviations(each.flatten(2)) for each in maps], dim=1)

    def by_channel(self, last_map: Tensor) -> Tensor:
        """Return the last map as (B, C, places), whatever order the network uses."""
        if last_map.ndim == 3:  # a transformer's: (B, places, C)
            return last_map.transpose(1, 2)
        is_last = getattr(self.network, "output_fmt", "NCHW") == "NHWC"
        return (last_map.movedim(-1, 1) if is_last else last_map).flatten(2)


class Backbone(nn.Module):
    """Trunks that see the same images; their features are concatenated."""

    def __init__(self, names: str, kind: FeatureKind) -> None:
        """Build the trunks listed in ``names``, joined by ``+``, with random weights.

        Raises ModelInputError for an unknown name, or for several trunks with ``map``.
        """
        super().__init__()
        split = names.split("+")
        if len(split) > 1 and kind == "map":
            raise ModelInputError(
                "features: maps of several backbones cannot be joined; set features=statistics"
            )
        self.parts = [Trunk(name.strip(), kind) for name in split]
        self.trunks = nn.ModuleList(self.parts)  # the same, as torch wants them

    def forward(self, images: Tensor) -> Tensor:
        """Turn images (B, 3, S, S), from 0 to 1, into features, see `Trunk`."""
        return torch.cat([trunk(images) for trunk in self.parts], dim=1)

    def load(self, weights: str) -> None:
        """Load ``weights`` into every trunk, see `model.pretrained.load_weights`."""
        for trunk in self.parts:
            load_weights(trunk.network, trunk.name, weights)

    def feature_shape(self, crop_size: int) -> torch.Size:
        """The shape of one image's features, found by passing a black image."""
        was_training = self.training
        self.eval()
        with torch.inference_mode():
            features: Tensor = self(torch.zeros(1, 3, crop_size, crop_size))
        self.train(was_training)
        return features.shape[1:]


def _create(name: str) -> nn.Module:
    import timm  # takes two seconds, which exported networks need not spend

    architecture = name.partition(".")[0]
    if not timm.is_model(architecture):
        alike = get_close_matches(architecture, timm.list_models(), 3)
        hint = f"; did you mean {', '.join(alike)}?" if alike else ""
        raise ModelInputError(f"backbone: timm has no network {name!r}{hint}")
    # As in torchvision, no branch of a ResNet starts at zero.
    is_resnet = timm.model_entrypoint(architecture).__module__ == "timm.models.resnet"
    arguments: dict[str, Any] = {"zero_init_last": False} if is_resnet else {}
    try:
        network: nn.Module = timm.create_model(
            name, False, num_classes=0, global_pool="", **arguments
        )
    except (RuntimeError, TypeError, ValueError) as error:
        raise ModelInputError(f"backbone: timm cannot build {name!r}: {error}") from error
    return network


def _means_and_deviations(features: Tensor) -> Tensor:
    """Mean and deviation of each channel of (B, C, places): (B, 2 C).

    They describe style (Huang & Belongie 2017, "Arbitrary Style Transfer in Real-time with
    Adaptive Instance Normalization").
    """
    means, squares = features.mean(dim=2), features.square().mean(dim=2)
    return torch.cat([means, (squares - means.square()).clamp(min=0).add(1e-6).sqrt()], dim=1)


def _per_channel(values: Sequence[float]) -> Tensor:
    return torch.tensor(values).view(1, 3, 1, 1)

"""The shape of the network: plain values, so that settings do not import torch."""

from dataclasses import dataclass
from typing import Literal

FeatureKind = Literal["map", "statistics"]
HeadKind = Literal["flatten", "residual"]


@dataclass(frozen=True, slots=True)
class NetworkShape:
    """Everything needed to build the network; the defaults are the reference's.

    ``crop_size`` is in pixels. ``backbone_dropout`` comes before the first linear layer,
    ``head_dropout`` before the second. ``backbone`` names one of timm's networks, or several joined
    by ``+``; it is not trained if ``frozen``. Each of ``heads`` gives ``embedding_size`` values. A
    ``normalised`` embedding has length 1. A ``mirrored`` one averages image and mirror image.
    """

    crop_size: int = 224
    hidden_size: int = 256
    embedding_size: int = 64
    backbone_dropout: float = 0.25
    head_dropout: float = 0.30
    backbone: str = "resnet18.tv_in1k"
    features: FeatureKind = "map"
    head: HeadKind = "flatten"
    heads: int = 1
    normalised: bool = False
    mirrored: bool = False
    frozen: bool = False

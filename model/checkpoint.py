"""Checkpoints: tensors and plain settings in a file, nothing that could run when it is read."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from model.errors import ModelInputError
from model.network import NetworkShape, SiameseNetwork

FORMAT = "samehand checkpoint 1"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A network as it stood after ``epoch`` (0: before any training)."""

    network: SiameseNetwork
    epoch: int


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write the checkpoint to ``path``; making that all or nothing is the caller's part."""
    content = {
        "format": FORMAT,
        "epoch": checkpoint.epoch,
        "shape": asdict(checkpoint.network.shape),
        "network": checkpoint.network.state_dict(),
    }
    torch.save(content, path)


def load_checkpoint(path: Path, device: str = "cpu") -> Checkpoint:
    """Read a checkpoint back.

    Raises ModelInputError for a file that is missing or not ours, OSError where it cannot be read.
    """
    content = _load(path)
    try:
        network = SiameseNetwork(NetworkShape(**content["shape"]))
        network.load_state_dict(content["network"])
        checkpoint = Checkpoint(network, int(content["epoch"]))
    except (AttributeError, KeyError, TypeError, RuntimeError, ValueError) as error:
        raise ModelInputError(f"{path} is a damaged checkpoint: its parts do not fit") from error
    network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload, unused-ignore]
    return checkpoint


def save_optimizer(path: Path, optimizer: torch.optim.Optimizer) -> None:
    """Write the optimizer's state, which only the next epoch needs, to ``path``."""
    torch.save({"format": FORMAT, "optimizer": optimizer.state_dict()}, path)


def load_optimizer(path: Path, optimizer: torch.optim.Optimizer) -> None:
    """Bring ``optimizer`` to the state in ``path``. Raises ModelInputError if it does not fit."""
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
    except Exception as error:  # torch raises a different class for every way a file can be wrong
        raise ModelInputError(f"{path} is not a checkpoint of samehand") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ModelInputError(f"{path} is not a checkpoint of samehand")
    return content

"""The device and precision that a network computes with."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from model.errors import ModelInputError

Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True, slots=True)
class Compute:
    """The name of a torch device (``cpu``, ``cuda``, ``cuda:1``, ``mps``) and a precision."""

    device: str
    precision: Precision

    def autocast(self) -> AbstractContextManager[object]:
        """Run matrix products in bfloat16 if that is the precision."""
        if self.precision == "float32":
            return nullcontext()
        return torch.autocast(torch.device(self.device).type, torch.bfloat16)


def choose_compute(device: str = "auto", precision: str = "auto") -> Compute:
    """Resolve ``auto``: the GPU if there is one, and bfloat16 if the device is fast at it.

    Raises ModelInputError for a device that this machine does not have.
    """
    best = "cuda" if torch.cuda.is_available() else "cpu"
    name = best if device == "auto" else device
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError) as error:  # torch without CUDA asserts
        raise ModelInputError(f"device: this machine has no {name}; use auto or cpu") from error
    if precision in ("float32", "bfloat16"):
        return Compute(name, "bfloat16" if precision == "bfloat16" else "float32")
    return Compute(name, "bfloat16" if _has_fast_bfloat16(name) else "float32")


def devices_of(device: str, count: int) -> tuple[str, ...]:
    """The devices that ``count`` processes train on; 0 means every accelerator.

    Raises ModelInputError if there are not so many, or if ``device`` names a single one.
    """
    if device == "cpu":
        return (device,) * max(count, 1)
    if device != "cuda":
        if count > 1:
            raise ModelInputError(f"devices: {device} is one; set device=cuda or devices=1")
        return (device,)
    there = torch.cuda.device_count()
    if count > there:
        raise ModelInputError(
            f"devices: this machine has {there} GPUs; set devices to at most that"
        )
    if count == 1 or there == 1:
        return (device,)
    return tuple(f"cuda:{number}" for number in range(count or there))


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy a tensor from the CPU to ``device`` without waiting for a GPU."""
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def describe_device(device: str) -> str:
    """Describe ``device`` for the record of a run."""
    if torch.device(device).type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return f"{device} ({torch.get_num_threads()} threads)"


def _has_fast_bfloat16(device: str) -> bool:
    if torch.device(device).type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # torch has no public function for this yet.
    return device == "cpu" and bool(torch.cpu._is_avx512_bf16_supported())

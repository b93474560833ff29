"""Where the network computes, and in which precision."""

import os
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

import torch

from model.errors import ModelInputError

Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True, slots=True)
class Compute:
    """A torch device by name (``cpu``, ``cuda``, ``cuda:1``, ``mps``) and a precision."""

    device: str
    precision: Precision

    def autocast(self) -> AbstractContextManager[object]:
        """Run matrix products in bfloat16, where that is the precision."""
        return torch.autocast(
            torch.device(self.device).type, torch.bfloat16, enabled=self.precision == "bfloat16"
        )


def choose_compute(device: str = "auto", precision: str = "auto") -> Compute:
    """Settle ``auto``: the accelerator if there is one, bfloat16 if the device is fast at it.

    Raises ModelInputError for a device that this machine does not have.
    """
    name = _best_device() if device == "auto" else device
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError) as error:  # CUDA-less builds of torch assert
        raise ModelInputError(f"device: this machine has no {name}; use auto or cpu") from error
    if precision in ("float32", "bfloat16"):
        return Compute(name, "bfloat16" if precision == "bfloat16" else "float32")
    return Compute(name, "bfloat16" if _has_fast_bfloat16(name) else "float32")


def leave_a_core() -> None:
    """Use one core fewer than there are, where the user has not said how many (OMP_NUM_THREADS).

    oneDNN's threads wait for each other by spinning. Where Prefect's server or anything else takes
    a core away from one of them for a moment, all stand still: on two busy cores two threads were
    seen to train 5 images/s, one thread 58.
    """
    if "OMP_NUM_THREADS" not in os.environ and hasattr(os, "sched_getaffinity"):
        torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) - 1))


def describe_device(device: str) -> str:
    """Say in words what ``device`` is, for the record of a run."""
    if torch.device(device).type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return f"{device} ({torch.get_num_threads()} threads)"


def _best_device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def _has_fast_bfloat16(device: str) -> bool:
    if torch.device(device).type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # torch has no public name for this yet.
    return device == "cpu" and bool(torch.cpu._is_avx512_bf16_supported())

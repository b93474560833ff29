"""Which machine measured, and with which versions."""

import platform
import re
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import torch

from storage.threads import available_cores

LIBRARIES = (
    "torch",
    "torchvision",
    "onnxruntime",
    "pillow",
    "numpy",
    "nvidia-nvimgcodec-cu13",
    "prefect",
)


@dataclass(frozen=True, slots=True)
class Machine:
    """``name`` is that of its file of results."""

    name: str
    processor: str
    cores: int
    bfloat16: bool
    gpu: str | None
    versions: dict[str, str]


def this_machine(device: str) -> Machine:
    """This machine, with its GPU where ``device`` is one."""
    processor, cores = _processor(), available_cores()
    gpu = torch.cuda.get_device_name(device) if torch.device(device).type == "cuda" else None
    words = f"{processor} {cores} cores {gpu or ''}"
    return Machine(
        name=re.sub(r"\W+", "-", words.lower()).strip("-"),
        processor=processor,
        cores=cores,
        bfloat16=bool(torch.cpu._is_avx512_bf16_supported()),
        gpu=gpu,
        versions={"python": platform.python_version()}
        | {name: version(name) for name in LIBRARIES},
    )


def _processor() -> str:
    """The processor's name, as Linux tells it; elsewhere its kind."""
    facts = Path("/proc/cpuinfo")
    text = facts.read_text(encoding="utf-8") if facts.exists() else ""
    named = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    return named[1] if named else platform.machine()

"""Tensors have the requested device and precision."""

import platform
from pathlib import Path

import pytest
import torch

from model.compute import Compute, choose_compute, describe_device
from model.errors import ModelInputError

CPU_FACTS = Path("/proc/cpuinfo")


@pytest.mark.parametrize(
    ("precision", "expected"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)]
)
def test_matrix_products_have_the_requested_precision(
    precision: str, expected: torch.dtype
) -> None:
    compute = choose_compute("cpu", precision)
    assert compute == Compute("cpu", "bfloat16" if expected is torch.bfloat16 else "float32")
    with compute.autocast():
        assert torch.mm(torch.ones(2, 2), torch.ones(2, 2)).dtype == expected


@pytest.mark.parametrize("device", ["cuda:99", "abacus"])
def test_a_missing_device_is_refused(device: str) -> None:
    with pytest.raises(ModelInputError, match=f"^device: .* no {device}; use auto or cpu$"):
        choose_compute(device)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_without_cuda_it_is_refused_and_not_chosen_by_auto() -> None:
    with pytest.raises(ModelInputError, match=r"^device: .* no cuda; use auto or cpu$"):
        choose_compute("cuda")
    assert choose_compute("auto").device == "cpu"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_auto_prefers_cuda_and_describes_it_by_name() -> None:
    assert choose_compute("auto").device == "cuda"
    assert torch.cuda.get_device_name() in describe_device("cuda")


@pytest.mark.skipif(
    platform.machine() != "x86_64" or not CPU_FACTS.is_file(),
    reason="reads the processor's own list of instructions, as Linux shows it",
)
def test_auto_chooses_bfloat16_if_the_processor_supports_it() -> None:
    fast = "avx512_bf16" in CPU_FACTS.read_text().split()
    assert choose_compute("cpu", "auto").precision == ("bfloat16" if fast else "float32")


def test_a_processor_is_described_with_its_threads() -> None:
    assert describe_device("cpu") == f"cpu ({torch.get_num_threads()} threads)"

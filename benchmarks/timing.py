"""Ways of doing the same work, timed in turn: what else the machine does slows all of them."""

import time
from collections.abc import Callable, Mapping
from statistics import median

import torch

from benchmarks.report import Row

Work = Callable[[], object]


def alternate(ways: Mapping[str, Work], rounds: int, device: str = "cpu") -> dict[str, float]:
    """Median seconds of each way; they take turns, after a first one that does not count."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, work in ways.items():
            seconds = seconds_of(work, device)
            if turn:
                taken[name].append(seconds)
    return {name: median(seconds) for name, seconds in taken.items()}


def seconds_of(work: Work, device: str = "cpu") -> float:
    """How long the work takes, a GPU's part of it included."""
    start = time.perf_counter()
    work()
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def compared(seconds: Mapping[str, float], notes: Mapping[str, str]) -> list[Row]:
    """A row for each way; its ratio is how many times as fast as the first it is."""
    first = next(iter(seconds.values()))
    return [
        Row(name, taken, "s", first / taken, notes.get(name, "")) for name, taken in seconds.items()
    ]

"""``make bench``: every benchmark, or those named, one after the other."""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks import (
    atlas,
    cold,
    cropping,
    evaluation,
    exported,
    learning,
    limits,
    memory,
    near_duplicates,
    orchestration,
    pairs,
    scale,
    shards,
    training,
    triplets,
)
from benchmarks.amount import Amount, amount_on
from benchmarks.machine import this_machine
from benchmarks.report import Table, keep, markdown

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Choice:
    """What the command line says."""

    device: str
    originals: Path | None
    share: float

    @property
    def amount(self) -> Amount:
        """How much work shows how fast the device is."""
        return amount_on(self.device)

    def rates(self) -> limits.Rates:
        """Measure what the device can do at the most."""
        return limits.measure_rates(self.device, self.amount)


MEASURED: Mapping[str, Callable[[Choice], Table]] = {
    "limits": lambda chosen: limits.measure(chosen.device, chosen.amount),
    "training": lambda chosen: training.measure(chosen.device, chosen.rates(), chosen.amount),
    "learning": lambda chosen: learning.measure(chosen.device),
    "evaluation": lambda chosen: evaluation.measure(chosen.device, chosen.rates()),
    "exported": lambda chosen: exported.measure(),
    "cropping": lambda chosen: cropping.measure(chosen.originals),
    "near-duplicates": lambda chosen: near_duplicates.measure(chosen.originals),
    "atlas": lambda chosen: atlas.measure(),
    "triplets": lambda chosen: triplets.measure(),
    "cold": lambda chosen: cold.measure(),
    "memory": lambda chosen: memory.measure(chosen.device),
    "orchestration": lambda chosen: orchestration.measure(),
    "shards": lambda chosen: shards.measure(),
    "pairs": lambda chosen: pairs.measure(chosen.share),
    "scale": lambda chosen: scale.measure(share=chosen.share),
}


def main() -> None:
    """Measure, print, and keep the tables in the machine's file."""
    names = list(MEASURED)
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names))
    parser.add_argument("--device", default="cpu", help="cpu, or cuda")
    parser.add_argument("--originals", type=Path, help="a folder of full-size JPEGs")
    parser.add_argument("--share", type=float, default=1.0, help="share of 22 million pairs")
    given = parser.parse_args()
    unknown = set(given.names) - set(names)
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    chosen, machine = Choice(given.device, given.originals, given.share), this_machine(given.device)
    for name in given.names or names:
        table = MEASURED[name](chosen)
        print(*markdown(table), "", sep="\n", flush=True)
        keep(table, machine, RESULTS)


if __name__ == "__main__":
    main()

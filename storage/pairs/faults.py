"""Rows of a pair file that cannot be scored: counted, named, and too many of them refused."""

import csv
from dataclasses import dataclass, field
from pathlib import Path

from storage.errors import InputError

NAMED = 1_000  # so many faulty rows are named; all are counted


@dataclass(frozen=True, slots=True)
class Fault:
    """A row that is no pair to score; `row` is that of the file, the header being row 1."""

    row: int
    reason: str


@dataclass(slots=True)
class Faults:
    """All faulty rows so far: their number, and the first of them."""

    count: int = 0
    named: list[Fault] = field(default_factory=list)

    def add(self, row: int, reason: str) -> None:
        """Count a row, and name it while there is room."""
        self.count += 1
        if len(self.named) < NAMED:
            self.named.append(Fault(row, reason))


def write_faults(path: Path, faults: Faults) -> None:
    """Write the faulty rows that are named, with their reasons, as CSV."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("row", "reason"))
        writer.writerows((fault.row, fault.reason) for fault in faults.named)


def check_faults(path: Path, faults: Faults, n_rows: int, share: float) -> None:
    """Raise InputError where more than `share` of the rows of `path`, or all, are faulty."""
    if faults.count < n_rows and faults.count <= share * n_rows:
        return
    shown = "; ".join(f"row {each.row}: {each.reason}" for each in faults.named[:3])
    raise InputError(
        f"{path}: {faults.count} of {n_rows} rows cannot be scored ({shown}): "
        f"repair them, or raise rejected_share, now {share:g}"
    )

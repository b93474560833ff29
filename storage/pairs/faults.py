"""Rows of a pair file that cannot be scored."""

import csv
from dataclasses import dataclass, field
from pathlib import Path

from storage.errors import InputError

NAMED = 1_000  # the first rows are listed with their reasons; all are counted


@dataclass(frozen=True, slots=True)
class Fault:
    """A row that cannot be scored; `row` counts the file's rows, the header being row 1."""

    row: int
    reason: str


@dataclass(slots=True)
class Faults:
    """The number of faulty rows so far, and the first of them."""

    count: int = 0
    named: list[Fault] = field(default_factory=list)

    def add(self, row: int, reason: str) -> None:
        """Count a row, and list it if there is room."""
        self.count += 1
        if len(self.named) < NAMED:
            self.named.append(Fault(row, reason))


def write_faults(path: Path, faults: Faults) -> None:
    """Write the listed rows and their reasons as CSV."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("row", "reason"))
        writer.writerows((fault.row, fault.reason) for fault in faults.named)


def check_faults(path: Path, faults: Faults, n_rows: int, share: float) -> None:
    """Raise InputError if more than `share` of the rows of `path`, or all, are faulty."""
    if faults.count < n_rows and faults.count <= share * n_rows:
        return
    shown = "; ".join(f"row {each.row}: {each.reason}" for each in faults.named[:3])
    raise InputError(
        f"{path}: {faults.count} of {n_rows} rows cannot be scored ({shown}): "
        f"correct them, or raise rejected_share, now {share:g}"
    )

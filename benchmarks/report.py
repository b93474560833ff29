"""What a benchmark found: a Markdown table for people, JSON for programs, one file a machine."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # it takes torch along, and each measurement of pairs is a process of its own
    from benchmarks.machine import Machine


@dataclass(frozen=True, slots=True)
class Row:
    """One figure; ``ratio`` says how many times better it is than what it is compared with."""

    what: str
    value: float
    unit: str
    ratio: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """The figures of one benchmark; ``work`` says what was done, and how much of it."""

    name: str
    work: str
    rows: tuple[Row, ...]


def markdown(table: Table) -> Iterator[str]:
    """The lines of the table for people."""
    yield f"| {table.work} | | ratio | |"
    yield "|---|---|---|---|"
    for row in table.rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.3g}"
        yield f"| {row.what} | {_three_digits(row.value)} {row.unit} | {ratio} | {row.note} |"


def keep(table: Table, machine: "Machine", folder: Path) -> Path:
    """Put the table into the machine's file, in place of the one of that name; returns the file."""
    path = folder / f"{machine.name}.json"
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    kept[table.name] = asdict(machine) | asdict(table)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return path


def _three_digits(value: float) -> str:
    """Three digits that count, or all before the point.

    >>> [_three_digits(value) for value in (0.01234, 1.2345, 12345.6)]
    ['0.0123', '1.23', '12,346']
    """
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"

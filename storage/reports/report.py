"""The report of a run: one Markdown file beside its plots."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

MEASURES = {
    "tar_at_1_percent_far": "true acceptance at 1 % false acceptance",
    "tar_at_5_percent_far": "true acceptance at 5 % false acceptance",
    "map_at_r": "mean average precision of neighbours (MAP@R)",
    "cllr": "cost of the probabilities in bits (Cllr; 0 is perfect, 1 is guessing)",
}
"""Further metrics of the network in words, in the order shown."""
_SPECIAL = re.compile(r"[\\`*<|~&]|\](?=[(\[:])|(?<![^\W_])_|_(?![^\W_])")
"""What Markdown would not show as it is; brackets and underscores only where they matter."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A value with its 95 % interval, if it has one."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Contender:
    """The metrics of the network, a baseline or an earlier evaluation on the test split."""

    name: str
    triplet_accuracy: Figure
    roc_auc: Figure
    matched_triplet_accuracy: Figure | None = None
    matched_roc_auc: Figure | None = None


@dataclass(frozen=True, slots=True)
class Measure:
    """One of `MEASURES` over all images, and over matched ones if there are any."""

    metric: str
    overall: Figure
    matched: Figure | None = None


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of the report's table of facts."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture beside the report: its file name, and what it shows."""

    file_name: str
    caption: str


@dataclass(frozen=True, slots=True)
class Report:
    """The contents of a report, in order; ``verdict`` is Markdown, everything else plain text."""

    title: str
    verdict: str
    contenders: Sequence[Contender]
    measures: Sequence[Measure]
    matched_on: str | None
    facts: Sequence[Fact]
    epochs: pd.DataFrame
    pictures: Sequence[Picture]


def file_beside(picture: Picture) -> str:
    """Link to a picture in the report's own folder."""
    return picture.file_name


def render_report(report: Report, link: Callable[[Picture], str] = file_beside) -> str:
    """Write the report as Markdown; `link` gives the address of a picture."""
    sections = [
        f"# {escaped(report.title)}",
        report.verdict,
        contender_table(report.contenders, report.matched_on),
        "Brackets hold 95 % intervals from resampling the artists.",
    ]
    if report.measures:  # older evaluations have none
        table_of_measures = measure_table(report.measures, report.matched_on)
        sections += ["## More about the network", table_of_measures]
    sections += ["## How it was measured", fact_table(report.facts)]
    sections += [f"![{picture.caption}]({link(picture)})" for picture in report.pictures]
    if len(report.epochs):
        sections += ["## Epochs", epoch_table(report.epochs)]
    return "\n\n".join(sections) + "\n"


def contender_table(contenders: Sequence[Contender], matched_on: str | None) -> str:
    """Tabulate the network beside the baselines, on the same triplets and pairs."""
    head = ["", "triplet accuracy", "ROC AUC"]
    rows = [[one.name, _share(one.triplet_accuracy), _decimal(one.roc_auc)] for one in contenders]
    if matched_on is not None:
        head.append(f"triplet accuracy, matched on {matched_on}")
        for row, one in zip(rows, contenders, strict=True):
            row.append(_share(one.matched_triplet_accuracy))
    if any(one.matched_roc_auc for one in contenders):
        head.append(f"ROC AUC, matched on {matched_on}")
        for row, one in zip(rows, contenders, strict=True):
            row.append(_decimal(one.matched_roc_auc))
    return table(head, rows)


def measure_table(measures: Sequence[Measure], matched_on: str | None) -> str:
    """Tabulate further metrics of the network."""
    written = [_decimal if one.metric == "cllr" else _share for one in measures]
    head = ["", "all paintings"]
    rows = [
        [MEASURES[one.metric], write(one.overall)]
        for one, write in zip(measures, written, strict=True)
    ]
    if any(one.matched for one in measures):
        head.append(f"matched on {matched_on}")
        for row, one, write in zip(rows, measures, written, strict=True):
            row.append(write(one.matched))
    return table(head, rows)


def epoch_table(epochs: pd.DataFrame) -> str:
    """Tabulate each split's loss and accuracy by epoch, leaving out what was not measured."""
    columns = [
        (split, measure, epochs[f"{split}_{measure}"].astype(float))
        for split in ("train", "validation", "test")
        for measure in ("loss", "accuracy")
    ]
    shown = {"epoch": epochs["epoch"].map(str)} | {
        f"{split} {measure}": values.map(
            _percent if measure == "accuracy" else "{:.3f}".format
        ).where(values.notna(), "–")
        for split, measure, values in columns
        if values.notna().any()
    }
    return table(list(shown), list(zip(*shown.values(), strict=True)))


def fact_table(facts: Sequence[Fact]) -> str:
    """Tabulate facts, one per line."""
    return table(["", ""], [[fact.name, fact.value] for fact in facts])


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table of plain texts in Markdown."""
    ruled = [map(escaped, head), ["---"] * len(head), *(map(escaped, row) for row in rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in ruled)


def escaped(text: str) -> str:
    """Write plain text on one line of Markdown, so that names and paths look as they are."""
    return _SPECIAL.sub(r"\\\g<0>", " ".join(text.splitlines()))


def _share(figure: Figure | None) -> str:
    if figure is None:
        return "–"
    return _percent(figure.value) + _bounds(figure, 100, ".1f")


def _decimal(figure: Figure | None) -> str:
    if figure is None:
        return "–"
    return f"{figure.value:.3f}" + _bounds(figure, 1, ".3f")


def _bounds(figure: Figure, scale: float, form: str) -> str:
    if figure.low is None or figure.high is None:
        return ""
    return f" [{scale * figure.low:{form}}, {scale * figure.high:{form}}]"


def _percent(value: float) -> str:
    return f"{100 * value:.2f} %"

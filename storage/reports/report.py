"""The report of a run: one Markdown file beside its plots."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

MEASURES = {
    "tar_at_1_percent_far": "true acceptance at 1 % false acceptance",
    "tar_at_5_percent_far": "true acceptance at 5 % false acceptance",
    "map_at_r": "mean average precision of neighbours (MAP@R)",
    "cllr": "cost of the probabilities in bits (Cllr; 0 is perfect, 1 is guessing)",
    "cllr_min": "the same after the best possible calibration",
    "cllr_calibration": "what this calibration loses against that",
    "false_acceptance": "pairs by two artists with the verdict same",
    "false_rejection": "pairs by one artist with the verdict different",
    "undecided_same": "pairs by one artist without a verdict (cannot tell)",
    "undecided_different": "pairs by two artists without a verdict (cannot tell)",
    "same_share": "pairs by one artist among all pairs of these paintings",
    "precision": "verdicts same that are right, among all pairs of these paintings",
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
    """The network, a baseline or an earlier evaluation: its figures by metric and scope."""

    name: str
    figures: Mapping[tuple[str, str], Figure]


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
    """The contents of a report, in order; ``contenders`` begin with the network.

    All of it is plain text.
    """

    title: str
    summary: str
    contenders: Sequence[Contender]
    matched_on: str | None
    facts: Sequence[Fact]
    epochs: pd.DataFrame
    pictures: Sequence[Picture]


@dataclass(frozen=True, slots=True)
class Table:
    """Plain texts in rows and columns; the first column names the rows."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


def file_beside(picture: Picture) -> str:
    """Link to a picture in the report's own folder."""
    return picture.file_name


def render_report(
    report: Report, link: Callable[[Picture], str] = file_beside, page: Path | None = None
) -> str:
    """Write the report as Markdown; `link` gives the address of a picture, `page` of the page."""
    sections = [
        f"# {escaped(report.title)}",
        escaped(report.summary),
        contender_table(report.contenders, report.matched_on),
        "Brackets hold 95 % intervals from resampling the artists.",
    ]
    if page is not None:
        sections.insert(2, f"To look at in a browser: [{escaped(str(page))}]({page.as_uri()})")
    if further := measure_table(report.contenders[0], report.matched_on):
        sections += ["## More about the network", further]
    sections += ["## How it was measured", fact_table(report.facts)]
    sections += [f"![{picture.caption}]({link(picture)})" for picture in report.pictures]
    if len(report.epochs):
        sections += ["## Epochs", epoch_table(report.epochs)]
    return "\n\n".join(sections) + "\n"


def contender_table(contenders: Sequence[Contender], matched_on: str | None) -> str:
    """Tabulate the network beside the baselines in Markdown."""
    cells = compare_contenders(contenders, matched_on)
    return table(cells.head, cells.rows)


def compare_contenders(contenders: Sequence[Contender], matched_on: str | None) -> Table:
    """Put the network beside the baselines, on the same triplets and pairs."""
    columns = {
        f"{title}{suffix}": [
            written(metric, one.figures.get((metric, scope))) for one in contenders
        ]
        for scope, suffix in _scopes("", f", matched on {matched_on}", matched_on)
        for metric, title in (("triplet_accuracy", "triplet accuracy"), ("roc_auc", "ROC AUC"))
        if any((metric, scope) in one.figures for one in contenders)
    }
    names = [one.name for one in contenders]
    return Table(["", *columns], list(zip(names, *columns.values(), strict=True)))


def measure_table(network: Contender, matched_on: str | None) -> str:
    """Tabulate further metrics of the network in Markdown; older evaluations have none."""
    cells = further_measures(network, matched_on)
    return table(cells.head, cells.rows) if cells.rows else ""


def further_measures(network: Contender, matched_on: str | None) -> Table:
    """List further metrics of the network; older evaluations have none."""
    measured = [metric for metric in MEASURES if (metric, "all") in network.figures]
    columns = {
        title: [written(metric, network.figures.get((metric, scope))) for metric in measured]
        for scope, title in _scopes("all paintings", f"matched on {matched_on}", matched_on)
        if any((metric, scope) in network.figures for metric in measured)
    }
    names = [MEASURES[metric] for metric in measured]
    return Table(["", *columns], list(zip(names, *columns.values(), strict=True)))


def epoch_table(epochs: pd.DataFrame) -> str:
    """Tabulate each split's loss and accuracy by epoch in Markdown."""
    cells = list_epochs(epochs)
    return table(cells.head, cells.rows)


def list_epochs(epochs: pd.DataFrame) -> Table:
    """List each split's loss and accuracy by epoch, leaving out what was not measured."""
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
    return Table(list(shown), list(zip(*shown.values(), strict=True)))


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


def _scopes(everything: str, matched: str, matched_on: str | None) -> list[tuple[str, str]]:
    """Each scope with its title; an earlier evaluation may be matched even if this one is not."""
    return [("all", everything), *([("matched", matched)] if matched_on is not None else [])]


def written(metric: str, figure: Figure | None) -> str:
    """Write a figure with its interval, in per cent or, where that is usual, as a decimal."""
    if figure is None:
        return "–"
    is_decimal = metric in ("roc_auc", "cllr", "cllr_min", "cllr_calibration")
    value = f"{figure.value:.3f}" if is_decimal else _percent(figure.value)
    if figure.low is None or figure.high is None:
        return value
    bounds = (
        f"{bound:.3f}" if is_decimal else f"{100 * bound:.1f}"
        for bound in (figure.low, figure.high)
    )
    return f"{value} [{', '.join(bounds)}]"


def _percent(value: float) -> str:
    return f"{100 * value:.2f} %"

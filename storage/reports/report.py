"""The report of a run: one Markdown file beside its plots."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

MEASURES = {
    "tar_at_1_percent_far": "true acceptance at 1 % false acceptance",
    "tar_at_5_percent_far": "true acceptance at 5 % false acceptance",
    "map_at_r": "mean average precision of neighbours (MAP@R)",
    "cllr": "cost of the probabilities in bits (Cllr; 0 is perfect, 1 is guessing)",
}
"""The network's further measures in words, in the order in which they are shown."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure, with its 95 % interval where it has one."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Contender:
    """One way of telling hands apart, judged on the test split."""

    name: str
    triplet_accuracy: Figure
    roc_auc: Figure
    matched_triplet_accuracy: Figure | None = None
    matched_roc_auc: Figure | None = None


@dataclass(frozen=True, slots=True)
class Measure:
    """One of `MEASURES`: of everything, and of what is matched where there is any."""

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
    """What a report says, in the order in which it says it."""

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
    """Write the report as Markdown; `link` says where each picture is."""
    sections = [
        f"# {report.title}",
        report.verdict,
        contender_table(report.contenders, report.matched_on),
        "Brackets hold 95 % intervals, from drawing the artists anew with replacement.",
        *_measure_section(report),
        "## How it was measured",
        fact_table(report.facts),
        *[f"![{picture.caption}]({link(picture)})" for picture in report.pictures],
    ]
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
    """Tabulate the network's further measures."""
    head = ["", "all paintings"]
    rows = [[MEASURES[one.metric], _worded(one.metric, one.overall)] for one in measures]
    if any(one.matched for one in measures):
        head.append(f"matched on {matched_on}")
        for row, one in zip(rows, measures, strict=True):
            row.append(_worded(one.metric, one.matched))
    return table(head, rows)


def epoch_table(epochs: pd.DataFrame) -> str:
    """Tabulate loss and accuracy of each split by epoch."""
    names = {
        f"{split}_{measure}": f"{split} {measure}"
        for split in ("train", "validation", "test")
        for measure in ("loss", "accuracy")
    }
    shown = [name for name in names if epochs[name].notna().any()]
    rows = [
        [str(epoch), *(_figure(name, value) for name, value in zip(shown, values, strict=True))]
        for epoch, *values in epochs[["epoch", *shown]].itertuples(index=False)
    ]
    return table(["epoch", *(names[name] for name in shown)], rows)


def _measure_section(report: Report) -> list[str]:
    """Nothing where an evaluation is from before measures were stored."""
    if not report.measures:
        return []
    return ["## More about the network", measure_table(report.measures, report.matched_on)]


def fact_table(facts: Sequence[Fact]) -> str:
    """Tabulate facts, a line each."""
    return table(["", ""], [[fact.name, fact.value] for fact in facts])


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table in Markdown."""
    ruled = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in row) + " |" for row in ruled)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _figure(name: str, value: float) -> str:
    if pd.isna(value):
        return "–"
    return _percent(value) if name.endswith("accuracy") else f"{value:.3f}"


def _worded(metric: str, figure: Figure | None) -> str:
    return _decimal(figure) if metric == "cllr" else _share(figure)


def _share(figure: Figure | None) -> str:
    if figure is None:
        return "–"
    return _percent(figure.value) + _bounds(figure, lambda bound: f"{100 * bound:.1f}")


def _decimal(figure: Figure | None) -> str:
    if figure is None:
        return "–"
    return f"{figure.value:.3f}" + _bounds(figure, lambda bound: f"{bound:.3f}")


def _bounds(figure: Figure, written: Callable[[float], str]) -> str:
    if figure.low is None or figure.high is None:
        return ""
    return f" [{written(figure.low)}, {written(figure.high)}]"


def _percent(value: float) -> str:
    return f"{100 * value:.2f} %"

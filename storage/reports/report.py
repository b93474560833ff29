"""The report of a run: one Markdown file beside its plots."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True, slots=True)
class Contender:
    """One way of telling hands apart, judged on the test split; the bounds are a 95 % interval."""

    name: str
    triplet_accuracy: float
    triplet_accuracy_low: float
    triplet_accuracy_high: float
    roc_auc: float
    roc_auc_low: float
    roc_auc_high: float
    matched_triplet_accuracy: float | None


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
        "## How it was measured",
        table(["", ""], [[fact.name, fact.value] for fact in report.facts]),
        *[f"![{picture.caption}]({link(picture)})" for picture in report.pictures],
    ]
    if len(report.epochs):
        sections += ["## Epochs", epoch_table(report.epochs)]
    return "\n\n".join(sections) + "\n"


def contender_table(contenders: Sequence[Contender], matched_on: str | None) -> str:
    """Tabulate the network beside the baselines, on the same triplets and pairs."""
    head = ["", "triplet accuracy", "ROC AUC"]
    rows = [
        [
            one.name,
            _interval(one.triplet_accuracy, one.triplet_accuracy_low, one.triplet_accuracy_high),
            f"{one.roc_auc:.3f} [{one.roc_auc_low:.3f}, {one.roc_auc_high:.3f}]",
        ]
        for one in contenders
    ]
    if matched_on is not None:
        head.append(f"matched on {matched_on}")
        for row, one in zip(rows, contenders, strict=True):
            row.append(_percent(one.matched_triplet_accuracy))
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


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    ruled = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in row) + " |" for row in ruled)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _figure(name: str, value: float) -> str:
    if pd.isna(value):
        return "–"
    return _percent(value) if name.endswith("accuracy") else f"{value:.3f}"


def _interval(value: float, low: float, high: float) -> str:
    return f"{_percent(value)} [{100 * low:.1f}, {100 * high:.1f}]"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.2f} %"

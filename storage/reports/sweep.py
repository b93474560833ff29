"""The report of a sweep: the metrics of each recipe, and how much recipes differ."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from storage.reports.report import Picture, file_beside, table

METRICS = {
    "roc_auc": "ROC AUC",
    "triplet_accuracy": "triplet accuracy",
    "matched_roc_auc": "matched ROC AUC",
    "matched_triplet_accuracy": "matched triplet accuracy",
}


@dataclass(frozen=True, slots=True)
class SweepReport:
    """The contents of a report; ``title`` is Markdown, the tables come from the database."""

    title: str
    trainings: pd.DataFrame
    differences: pd.DataFrame
    picture: Picture


def render_sweep(report: SweepReport, link: Callable[[Picture], str] = file_beside) -> str:
    """Write the report as Markdown; `link` gives the address of the picture."""
    sections = [
        f"# {report.title}",
        recipe_table(report.trainings),
        "Means over folds of artists and seeds, on unseen artists.",
        "## Differences",
        difference_table(report.differences),
        "How many points the first recipe is better than the second, on the same artists and pairs."
        " Brackets hold 95 % intervals from resampling the same artists for both.",
        f"![{report.picture.caption}]({link(report.picture)})",
    ]
    return "\n\n".join(sections) + "\n"


def recipe_table(trainings: pd.DataFrame) -> str:
    """Tabulate each recipe's mean metrics over its folds and seeds."""
    names = [name for name in METRICS if name in trainings and trainings[name].notna().any()]
    means = trainings.groupby("recipe", sort=False)[names].mean()
    best_first = means.sort_values("roc_auc", ascending=False)
    counts = trainings.groupby("recipe").size()
    rows = [
        [str(recipe), *(f"{value:.4f}" for value in values), str(counts[recipe])]
        for recipe, *values in best_first.itertuples()
    ]
    return table(["recipe", *(METRICS[name] for name in names), "trainings"], rows)


def difference_table(differences: pd.DataFrame) -> str:
    """Tabulate the differences, in points, with their intervals."""
    columns = ["recipe", "rival", "metric", "value", "low", "high"]
    rows = [
        [
            recipe,
            rival,
            METRICS[metric],
            f"{100 * value:+.2f} [{100 * low:+.2f}, {100 * high:+.2f}]",
        ]
        for recipe, rival, metric, value, low, high in differences[columns].itertuples(index=False)
    ]
    return table(["recipe", "against", "metric", "points"], rows)

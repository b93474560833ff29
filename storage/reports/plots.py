"""The pictures of a report, each drawn straight to a PNG file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

SPLIT_COLOURS = {"train": "#7f8c8d", "validation": "#2471a3", "test": "#c0392b"}
SAME_COLOUR, DIFFERENT_COLOUR = "#1e8449", "#b9770e"
LONGEST = 40  # characters of a name beside a plot
Floats = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Two crops side by side: (S, S, 3) uint8 each, with the line to write beneath them."""

    first: npt.NDArray[np.uint8]
    second: npt.NDArray[np.uint8]
    caption: str


def plot_epochs(
    epochs: pd.DataFrame,
    measure: str,
    best_epoch: int,
    target: Path,
    splits: Sequence[str] = ("train", "validation", "test"),
) -> None:
    """Draw ``loss`` or ``accuracy`` of the splits by epoch, the best one marked."""
    figure, axes = _canvas(f"Triplet {measure} by epoch", "epoch", measure)
    for split in splits:
        colour = SPLIT_COLOURS[split]
        values = epochs[f"{split}_{measure}"].astype(float)
        if values.notna().any():
            axes.plot(epochs["epoch"], values, marker="o", color=colour, label=split)
    axes.axvline(best_epoch, color="black", linestyle=":", label=f"best: epoch {best_epoch}")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()
    _save(figure, target)


def plot_roc(
    false_positive_rate: Floats, true_positive_rate: Floats, title: str, target: Path
) -> None:
    """Draw the receiver operating characteristic; the dashed line is guessing."""
    figure, axes = _canvas(title, "false positive rate", "true positive rate")
    axes.plot([0, 1], [0, 1], color="grey", linestyle="--")
    axes.plot(false_positive_rate, true_positive_rate, color=SPLIT_COLOURS["test"])
    axes.set_aspect("equal")
    _save(figure, target)


def plot_distances(
    distances: Floats, same_artist: npt.NDArray[np.bool_], threshold: float, target: Path
) -> None:
    """Draw how far apart pairs by one hand and pairs by two are: two histograms of equal area."""
    figure, axes = _canvas("Distance between two paintings", "distance", "density")
    edges = np.histogram_bin_edges(distances, bins=60).tolist()
    for chosen, colour, label in (
        (same_artist, SAME_COLOUR, "by the same artist"),
        (~same_artist, DIFFERENT_COLOUR, "by two artists"),
    ):
        axes.hist(distances[chosen], edges, density=True, alpha=0.6, color=colour, label=label)
    axes.axvline(threshold, color="black", linestyle=":", label=f"threshold {threshold:.2f}")
    axes.legend()
    _save(figure, target)


def plot_verdicts(verdicts: Sequence[Verdict], title: str, target: Path) -> None:
    """Draw pairs of crops with a caption each, four pairs a row."""
    columns, rows = 4, max(1, -(-len(verdicts) // 4))
    figure = Figure(figsize=(3.2 * columns, 2.3 * rows + 0.5), layout="constrained")
    figure.suptitle(title)
    for place, panel in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        panel.axis("off")
        if place < len(verdicts):
            verdict = verdicts[place]
            gap = np.full((len(verdict.first), max(2, len(verdict.first) // 16), 3), 255, np.uint8)
            panel.imshow(np.hstack([verdict.first, gap, verdict.second]))
            panel.set_title(verdict.caption, fontsize=7)
    _save(figure, target)


def plot_differences(differences: pd.DataFrame, target: Path) -> None:
    """Draw by how much recipes differ, metric by metric, with their intervals."""
    columns = differences[["recipe", "rival"]].itertuples(index=False)
    names = [f"{_cut(recipe)}\nagainst {_cut(rival)}" for recipe, rival in columns]
    figure = Figure(figsize=(8, 1.2 + 0.5 * len(names)), layout="constrained")
    axes = figure.subplots()
    axes.axvline(0, color="grey", linestyle="--")
    for place, (metric, rows) in enumerate(differences.groupby("metric", sort=False)):
        values, low, high = (100 * rows[name] for name in ("value", "low", "high"))
        axes.errorbar(
            values,
            rows.index + 0.0,
            xerr=[values - low, high - values],
            fmt="o",
            capsize=3,
            color=f"C{place}",
            label=str(metric).replace("_", " "),
        )
    axes.set_yticks(range(len(names)), names, fontsize=7)
    axes.invert_yaxis()
    axes.set_xlabel("points, the first better on the right")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    _save(figure, target)


def _cut(text: str) -> str:
    """A long name without its middle."""
    half = LONGEST // 2
    return text if len(text) <= LONGEST else f"{text[:half]}…{text[-half:]}"


def _canvas(title: str, x_label: str, y_label: str) -> tuple[Figure, Axes]:
    # No pyplot: it keeps every figure in a global list, and flows may draw from several threads.
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.set_title(title)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.grid(alpha=0.3)
    return figure, axes


def _save(figure: Figure, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=110)

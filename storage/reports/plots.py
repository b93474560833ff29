"""The pictures of a report, each drawn to a PNG file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator

SPLIT_COLOURS = {"train": "#7f8c8d", "validation": "#2471a3", "test": "#c0392b"}
SAME_COLOUR, DIFFERENT_COLOUR = "#1e8449", "#b9770e"
LONGEST = 50  # characters of a name in a plot
FONTS = (
    "DejaVu Sans",
    *("Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans JP", "Noto Sans SC", "Noto Sans KR"),
    *("Source Han Sans", "Droid Sans Fallback", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei"),
    *("IPAexGothic", "IPAGothic", "TakaoPGothic", "VL PGothic", "NanumGothic", "UnDotum"),
    *("Hiragino Sans", "PingFang HK", "Apple SD Gothic Neo", "Arial Unicode MS"),
    *("Yu Gothic", "MS Gothic", "Microsoft YaHei", "SimHei", "Malgun Gothic"),
    "Last Resort High-Efficiency",  # comes with matplotlib, and draws a frame for any character
)
"""For each character, the first of these that has it is used; most are for East Asian names."""
Floats = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class ShownPair:
    """Two crops side by side: (S, S, 3) uint8 each, with a caption."""

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
    """Draw the splits' ``loss`` or ``accuracy`` by epoch, and mark the best epoch."""
    figure, axes = _canvas(f"Triplet {measure} by epoch", "epoch", measure)
    for split in splits:
        colour = SPLIT_COLOURS[split]
        values = epochs[f"{split}_{measure}"].astype(float)
        if values.notna().any():
            axes.plot(epochs["epoch"], values, marker="o", color=colour, label=split)
    axes.axvline(best_epoch, color="black", linestyle=":", label=f"best: epoch {best_epoch}")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()
    save_figure(figure, target)


def plot_roc(
    false_positive_rate: Floats, true_positive_rate: Floats, title: str, target: Path
) -> None:
    """Draw the ROC curve; the dashed line is guessing."""
    figure, axes = _canvas(title, "false positive rate", "true positive rate")
    axes.plot([0, 1], [0, 1], color="grey", linestyle="--")
    axes.plot(false_positive_rate, true_positive_rate, color=SPLIT_COLOURS["test"])
    axes.set_aspect("equal")
    save_figure(figure, target)


def plot_distances(
    distances: Floats, same_artist: npt.NDArray[np.bool_], threshold: float, target: Path
) -> None:
    """Draw the distances of pairs by one artist and by two: two histograms of equal area."""
    figure, axes = _canvas("Distance between two paintings", "distance", "density")
    edges = np.histogram_bin_edges(distances, bins=60).tolist()
    for chosen, colour, label in (
        (same_artist, SAME_COLOUR, "by the same artist"),
        (~same_artist, DIFFERENT_COLOUR, "by two artists"),
    ):
        axes.hist(distances[chosen], edges, density=True, alpha=0.6, color=colour, label=label)
    axes.axvline(threshold, color="black", linestyle=":", label=f"threshold {threshold:.2f}")
    axes.legend()
    save_figure(figure, target)


def plot_reliability(probability: Floats, same_share: Floats, target: Path) -> None:
    """Draw the share of pairs by one artist by their probability; the dashed line is ideal."""
    figure, axes = _canvas(
        "Reliability of the probabilities at even odds",
        "probability of one artist",
        "share by one artist, both kinds weighted equally",
    )
    axes.plot([0, 1], [0, 1], color="grey", linestyle="--")
    axes.plot(probability, same_share, marker="o", color=SPLIT_COLOURS["test"])
    axes.set_aspect("equal")
    save_figure(figure, target)


def plot_pairs(pairs: Sequence[ShownPair], title: str, target: Path) -> None:
    """Draw pairs of crops with their captions, four pairs a row."""
    columns, rows = 4, max(1, -(-len(pairs) // 4))
    figure = Figure(figsize=(3.2 * columns, 2.02 * rows + 0.4), layout="constrained")
    figure.suptitle(title)
    for place, panel in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        panel.axis("off")
        if place < len(pairs):
            pair = pairs[place]
            gap = np.full((len(pair.first), max(2, len(pair.first) // 16), 3), 255, np.uint8)
            panel.imshow(np.hstack([pair.first, gap, pair.second]))
            panel.set_title("\n".join(map(cut_name, pair.caption.splitlines())), fontsize=7)
    save_figure(figure, target)


def plot_differences(differences: pd.DataFrame, target: Path) -> None:
    """Draw how much recipes differ, metric by metric, with intervals."""
    columns = differences[["recipe", "rival"]].itertuples(index=False)
    names = [f"{cut_name(recipe)}\nagainst {cut_name(rival)}" for recipe, rival in columns]
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
    axes.set_xlabel("difference in points; right of 0, the first recipe is better")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    save_figure(figure, target)


def cut_name(text: str) -> str:
    """Leave out the middle of a long name."""
    half = LONGEST // 2
    return text if len(text) <= LONGEST else f"{text[:half]}…{text[-half:]}"


def _canvas(title: str, x_label: str, y_label: str) -> tuple[Figure, Axes]:
    # pyplot would keep every figure in a global list, and flows may draw in several threads.
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.set(title=title, xlabel=x_label, ylabel=y_label)
    axes.grid(alpha=0.3)
    return figure, axes


def save_figure(figure: Figure, target: Path) -> None:
    """Write a figure as PNG, with fonts for the characters of any name."""
    installed = {font.name for font in fontManager.ttflist}
    fonts = [font for font in FONTS if font in installed]
    for text in figure.findobj(Text):
        text.set(parse_math=False, fontfamily=fonts)  # a name with two $ is no formula
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=110)

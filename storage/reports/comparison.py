"""The picture of a comparison: what the network saw, and how far apart it put the two."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from storage.reports.plots import DIFFERENT_COLOUR, SAME_COLOUR, Floats, cut_name, save_figure

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class ShownImage:
    """An image: as its file has it, its crop, and where the crop is like the other image.

    ``likeness`` (G, G) is above 0 where the crop is like the other, below 0 where it differs.
    """

    name: str
    whole: Pixels  # (H, W, 3)
    crop: Pixels  # (S, S, 3)
    likeness: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Histograms:
    """How many validation pairs of each kind (B,) lie between the ``edges`` (B + 1,)."""

    edges: Floats
    same: npt.NDArray[np.integer]
    different: npt.NDArray[np.integer]


def plot_comparison(
    title: str,
    images: Sequence[ShownImage],
    distance: float,
    band: tuple[float, float],
    histograms: Histograms | None,
    target: Path,
) -> None:
    """Draw two ``images``, what the network saw of them, and their distance among those it knows.

    Between the two distances of the ``band`` the verdict is "cannot tell".
    """
    figure = Figure(figsize=(9, 9.5), layout="constrained")
    figure.suptitle(title)
    rows = figure.subplots(3, 3)
    reach = max(float(np.abs(image.likeness).max()) for image in images) or 1.0
    for row, image in zip(rows, images, strict=False):
        _show(row[0], image.whole, cut_name(image.name))
        _show(row[1], image.crop, "what the network sees")
        _show(row[2], image.crop, "alike in green, different in brown")
        side = len(image.crop)
        row[2].imshow(
            image.likeness,
            cmap="BrBG",
            vmin=-reach,
            vmax=reach,
            alpha=0.55,
            extent=(0, side, side, 0),
            interpolation="bicubic",
        )
        row[2].set(xlim=(0, side), ylim=(side, 0))
    for axes in rows[2]:
        axes.remove()
    _draw_distance(figure.add_subplot(rows[2][0].get_gridspec()[2, :]), distance, band, histograms)
    save_figure(figure, target)


def _draw_distance(
    axes: Axes, distance: float, band: tuple[float, float], histograms: Histograms | None
) -> None:
    if histograms is not None:
        for counts, colour, label in (
            (histograms.same, SAME_COLOUR, "by the same artist"),
            (histograms.different, DIFFERENT_COLOUR, "by two artists"),
        ):
            shares = counts / max(1, counts.sum())
            axes.stairs(shares, histograms.edges, fill=True, alpha=0.6, color=colour, label=label)
    axes.axvspan(*band, color="grey", alpha=0.2, label="cannot tell")
    axes.axvline(distance, color="black", label=f"these two: {distance:.2f}")
    axes.set(xlabel="distance", ylabel="share of validation pairs")
    axes.legend(fontsize=8)


def _show(axes: Axes, pixels: Pixels, title: str) -> None:
    axes.axis("off")
    axes.imshow(pixels)
    axes.set_title(title, fontsize=9)

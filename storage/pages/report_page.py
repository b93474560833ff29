"""The page of an evaluation: figures, mistakes, what a threshold costs, and each artist."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from storage.datasets.crop_archive import read_crops
from storage.files import write_atomically
from storage.pages.rendering import embedded, render
from storage.reports.report import (
    Contender,
    Report,
    compare_contenders,
    further_measures,
    list_epochs,
    written,
)

REDRAWN = ("distances.png", "mistakes.png")
"""Plots of the report that the page shows in a better way."""
HEADLINES = (
    ("triplet_accuracy", "Triplet accuracy", "picks the other painting by the same artist"),
    ("roc_auc", "ROC AUC", "a pair by one artist is closer than a pair by two"),
    (
        "tar_at_5_percent_far",
        "True acceptance",
        "pairs by one artist accepted if 5 % of those by two are",
    ),
    ("cllr", "Cllr", "cost of the probabilities in bits: 0 is perfect, 1 is guessing"),
)


@dataclass(frozen=True, slots=True)
class Painting:
    """A painting as it is shown; ``title`` may be blank."""

    file_name: str
    artist: str
    title: str


@dataclass(frozen=True, slots=True)
class PaintingPair:
    """Two paintings, how far apart they are, and how likely that makes one artist."""

    first: Painting
    second: Painting
    same_artist: bool  # the truth
    distance: float
    probability: float


@dataclass(frozen=True, slots=True)
class ErrorCurve:
    """How many pairs each of K thresholds accepts, by kind; the last accepts them all."""

    thresholds: Sequence[float]  # (K,) ascending, the model's own and both ends of its band too
    same: Sequence[int]  # (K,) pairs by one artist
    different: Sequence[int]  # (K,) pairs by two


@dataclass(frozen=True, slots=True)
class ArtistRow:
    """An artist's images, triplet accuracy with its interval, ROC AUC, and nearest other artist.

    None stands for what cannot be measured, such as the accuracy on a single image.
    """

    name: str
    images: int
    accuracy: float | None
    low: float | None
    high: float | None
    auc: float | None
    nearest_wrong: str


@dataclass(frozen=True, slots=True)
class MistakenRow:
    """Two artists, how many of their pairs are accepted as one artist's, and the closest."""

    first: str
    second: str
    accepted: int
    pairs: int
    nearest: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a page shows beside the report."""

    curve: ErrorCurve
    threshold: float
    accept_within: float
    reject_beyond: float
    prior: float
    hardest: Sequence[PaintingPair]
    artists: Sequence[ArtistRow]
    mistaken: Sequence[MistakenRow]


def write_report_page(
    target: Path, report: Report, evidence: Evidence, crops: Path, plots: Path
) -> None:
    """Write the page with every picture inside: from the zip `crops`, and the folder `plots`."""
    shown = [each for pair in evidence.hardest for each in (pair.first, pair.second)]
    names = [painting.file_name for painting in shown]
    pictures = {name: embedded(data, "jpeg") for name, data in read_crops(crops, names).items()}
    plotted = [
        (plot.caption, embedded((plots / plot.file_name).read_bytes(), "png"))
        for plot in report.pictures
        if plot.file_name not in REDRAWN
    ]
    values = {
        "report": report,
        "evidence": evidence,
        "pictures": pictures,
        "plots": plotted,
        "headlines": _headlines(report.contenders[0], report.matched_on),
        "contenders": compare_contenders(report.contenders, report.matched_on),
        "measures": further_measures(report.contenders[0], report.matched_on),
        "epochs": list_epochs(report.epochs),
        "data": {
            **asdict(evidence.curve),
            "threshold": evidence.threshold,
            "accept_within": evidence.accept_within,
            "reject_beyond": evidence.reject_beyond,
        },
    }
    write_atomically(target, render("report", values))


def _headlines(network: Contender, matched_on: str | None) -> list[tuple[str, str, str, str]]:
    """Name, value, interval and meaning of each figure to see first."""
    found = []
    for scope, suffix in (("all", ""), ("matched", f", same {matched_on}")):
        for metric, name, meaning in HEADLINES[: 2 if scope == "matched" else None]:
            if figure := network.figures.get((metric, scope)):
                value, _, interval = written(metric, figure).partition(" [")
                found.append((name + suffix, value, interval.rstrip("]"), meaning))
    return found

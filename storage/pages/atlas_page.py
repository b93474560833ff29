"""The atlas page: the map of a collection, with search, doubtful attributions and duplicates."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from storage.files import write_atomically
from storage.pages.rendering import render
from storage.pages.thumbnails import ACROSS, PER_SHEET, SIDE, order_on_map, write_sheets

PAGE = "atlas.html"
SHEETS = "thumbnails"


@dataclass(frozen=True, slots=True)
class AtlasPicture:
    """A picture on the map; `artist`, `title` and `split` may be blank.

    `neighbours` are other pictures' places in the page with their distances, nearest first.
    `attribution` are artists with their probabilities, likeliest first.
    """

    file_name: str
    artist: str
    title: str
    split: str
    x: float
    y: float
    neighbours: tuple[tuple[int, float], ...] = ()
    attribution: tuple[tuple[str, float], ...] = ()
    is_doubtful: bool = False


@dataclass(frozen=True, slots=True)
class NearDuplicate:
    """Two files, by name, that show one painting, and why; the page may have one or none."""

    first: str
    second: str
    reason: str


@dataclass(frozen=True, slots=True)
class AtlasPage:
    """The contents of an atlas page, all of it plain text; `notes` say how it was made."""

    title: str
    notes: Sequence[str]
    pictures: Sequence[AtlasPicture]
    duplicates: Sequence[NearDuplicate] = ()


def write_atlas_page(
    folder: Path,
    page: AtlasPage,
    read: Callable[[str], bytes],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Write atlas.html and its thumbnails to `folder`, and return the page's path.

    `read` returns the bytes of a picture's file by its name, for example the crop from a dataset's
    zip. Doubtful pictures are listed in the page's order, so the most doubtful should come first.
    """
    x, y = _on_unit_square(page.pictures)
    order = order_on_map(x, y)
    names = [page.pictures[each].file_name for each in order]
    write_sheets(folder / SHEETS, names, read, progress)
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    values = {"page": page, "data": _columns(page, x, y, place)}
    target = folder / PAGE
    write_atomically(target, render("atlas", values, images=("'self'", "file:")))
    return target


def _on_unit_square(
    pictures: Sequence[AtlasPicture],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Move the map to 0 to 1, keeping its proportions: (N,), (N,)."""
    points = np.array([(each.x, each.y) for each in pictures], dtype=np.float64).reshape(-1, 2)
    if not len(points):
        return points[:, 0], points[:, 1]
    low, high = points.min(axis=0), points.max(axis=0)
    span = float((high - low).max()) or 1.0
    placed = 0.5 + (points - (low + high) / 2) / span
    return placed[:, 0], placed[:, 1]


def _columns(
    page: AtlasPage,
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    place: npt.NDArray[np.int64],
) -> dict[str, object]:
    """Put the pictures into columns, which a browser reads several times as fast as records."""
    pictures = page.pictures
    idx_of = {each.file_name: idx for idx, each in enumerate(pictures)}
    known = (name for each in pictures for name in (each.artist, *dict(each.attribution)))
    artists = {name: number for number, name in enumerate(dict.fromkeys(known))}
    return {
        "thumbnails": {"folder": SHEETS, "side": SIDE, "across": ACROSS, "per_sheet": PER_SHEET},
        "artists": list(artists),
        "file_name": [each.file_name for each in pictures],
        "title": [each.title for each in pictures],
        "split": [each.split for each in pictures],
        "artist": [artists[each.artist] for each in pictures],
        "x": x.round(5).tolist(),
        "y": y.round(5).tolist(),
        "place": place.tolist(),
        "neighbours": [
            [(idx, round(distance, 3)) for idx, distance in each.neighbours] for each in pictures
        ],
        "attribution": [
            [(artists[name], round(share, 4)) for name, share in each.attribution]
            for each in pictures
        ],
        "doubtful": [idx for idx, each in enumerate(pictures) if each.is_doubtful],
        "duplicates": [  # a file that is not in the page by its name
            (idx_of.get(one.first, one.first), idx_of.get(one.second, one.second), one.reason)
            for one in page.duplicates
        ],
    }

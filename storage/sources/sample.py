"""Writes the sample gallery to disk in the layout of Kaggle's Painter by Numbers."""

import csv
import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from storage.errors import InputError
from storage.locks import wait_lock
from storage.sources.gallery.paintings import GalleryPlan, Painting, paint_gallery, random_stream

EDITION = 1  # raised whenever the same plan gives other pictures
PLAN_FILE = "plan.json"
ALL_COLUMNS = (
    "artist", "date", "genre", "pixelsx", "pixelsy", "size_bytes", "source", "style", "title",
    "artist_group", "in_train", "new_filename",
)  # fmt: skip
TRAIN_COLUMNS = ("filename", "artist", "title", "style", "genre", "date")
PAIR_COLUMNS = ("index", "image1", "image2")


def _silently(done: int, total: int) -> None:
    """Report no progress."""


def write_gallery(
    folder: Path, plan: GalleryPlan, progress: Callable[[int, int], None] = _silently
) -> None:
    """Write the gallery of the plan into `folder`, unless it is there already.

    The folder appears only when complete, and replaces a gallery of another plan. One process
    paints while others wait. Raises InputError if the folder holds anything else.
    `progress` is called with the pictures done and their total.
    """
    with wait_lock(folder.with_name(f".{folder.name}.lock")):
        if _written_plan(folder) != _as_json(plan):
            _replace_gallery(folder, plan, progress)


def _replace_gallery(folder: Path, plan: GalleryPlan, progress: Callable[[int, int], None]) -> None:
    if not (folder / PLAN_FILE).exists() and folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder}: holds other files; empty it or name another folder")
    with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as workplace:
        gallery = Path(workplace) / "gallery"
        paintings = _write_pictures(gallery, plan, progress)
        _write_tables(gallery, paintings, plan)
        (gallery / PLAN_FILE).write_text(_as_json(plan), encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        gallery.rename(folder)


def _as_json(plan: GalleryPlan) -> str:
    return json.dumps({"edition": EDITION, **asdict(plan)})


def _written_plan(folder: Path) -> str | None:
    path = folder / PLAN_FILE
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _write_pictures(
    gallery: Path, plan: GalleryPlan, progress: Callable[[int, int], None]
) -> list[Painting]:
    """Write `train/` and `test.zip`; return the paintings in the order of their numbers."""
    (gallery / "train").mkdir(parents=True)
    done: list[Painting] = []
    with zipfile.ZipFile(gallery / "test.zip", "w") as archive:
        for painting in paint_gallery(plan):
            if painting.in_train:
                (gallery / "train" / painting.filename).write_bytes(painting.jpeg)
            else:  # a ZipInfo is dated 1980, a name alone would be dated today
                archive.writestr(zipfile.ZipInfo(f"test/{painting.filename}"), painting.jpeg)
            done.append(painting)
            progress(len(done), plan.paintings)
    return sorted(done, key=lambda painting: painting.number)


def _write_tables(gallery: Path, paintings: list[Painting], plan: GalleryPlan) -> None:
    """Write Kaggle's three CSV files; only `all_data_info.csv` names the artists."""
    train = [painting for painting in paintings if painting.in_train]
    test = [painting for painting in paintings if painting.group == "test_only"]
    _write_csv(gallery / "all_data_info.csv", ALL_COLUMNS, map(_all_data_row, paintings))
    _write_csv(gallery / "train_info.csv", TRAIN_COLUMNS, map(_train_row, train))
    _write_csv(gallery / "submission_info.csv", PAIR_COLUMNS, _pair_rows(test, plan))


def _write_csv(path: Path, columns: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def _all_data_row(painting: Painting) -> tuple[object, ...]:
    width, height = map(float, painting.size)  # numbers with a point, as in Kaggle's file
    return (
        painting.artist, painting.date, painting.genre, width, height,
        float(len(painting.jpeg)), "samehand", painting.style, painting.title,
        painting.group, painting.in_train, painting.filename,
    )  # fmt: skip


def _train_row(painting: Painting) -> tuple[object, ...]:
    alias = hashlib.sha1(painting.artist.encode(), usedforsecurity=False).hexdigest()
    return (
        painting.filename, alias, painting.title, painting.style, painting.genre, painting.date
    )  # fmt: skip


def _pair_rows(test: list[Painting], plan: GalleryPlan) -> Iterable[tuple[object, ...]]:
    """Yield pairs of pictures to judge, about half of them by the same artist."""
    rng = random_stream(plan, 0, 1)
    for index in range(plan.pairs):
        first = test[rng.integers(len(test))]
        same = rng.uniform() < 0.5
        others = [p for p in test if p is not first and (p.artist == first.artist) == same]
        yield index, first.filename, others[rng.integers(len(others))].filename

"""Kaggle's *Painter by Numbers* as a source, with groups of artists as the reference has them."""

import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd

from storage.catalogs.catalog import Catalog, build_catalog
from storage.catalogs.checks import check_images
from storage.catalogs.csv_table import read_csv_table
from storage.catalogs.draws import draw_names, draw_rank
from storage.errors import InputError
from storage.image_files import list_images

KAGGLE_TABLE: Final = "all_data_info.csv"
REPLACEMENTS: Final = "replacements_for_corrupted_files"
# Not artists. The reference drops them from train_and_test alone: its result still has "1" and
# "II" from train_only, with one image each.
JUNK_LABELS: Final = ("II", "1", "Hadis-i Şerîf", "Hadis-i Şerîfler")


@dataclass(frozen=True, slots=True)
class KaggleDraw:
    """How many artists of train_and_test to draw, and how many images of each; 0 for all."""

    artists: int = 500
    images_per_artist: int = 10
    seed: int = 0


def kaggle_table(folder: Path) -> Path:
    """Return the path of Kaggle's table of all images, unpacked or zipped as Kaggle delivers it."""
    unpacked, zipped = folder / KAGGLE_TABLE, folder / f"{KAGGLE_TABLE}.zip"
    return zipped if zipped.is_file() and not unpacked.is_file() else unpacked


def read_kaggle(folder: Path, draw: KaggleDraw) -> Catalog:
    """Read `all_data_info.csv`: test_only is the test set, the rest is still to be split.

    From the part of train_and_test that Kaggle trained on, artists and images of each are drawn.
    Images are looked for in the folders `train` and `test` and in Kaggle's zip files, first among
    its replacements for corrupt files. An image found nowhere stays at `train/123.jpg`.
    Raises InputError naming a wrong row.
    """
    table = kaggle_table(folder)
    images = _read_rows(table)
    images["file"] = _locate(folder, images)
    check_images(images, table)
    drawn = _draw_rows(images[_is_drawn_from(images)], draw)
    is_taken = images["artist_group"] != "train_and_test"
    return build_catalog(folder, images[is_taken | images.index.isin(drawn)], table)


def _read_rows(table: Path) -> pd.DataFrame:
    """Read every row, with the catalog's column names and its group's split."""
    required = ("artist", "artist_group", "in_train", "new_filename")
    images = read_csv_table(table, required)
    images["in_train"] = images["in_train"].str.capitalize()  # spreadsheets write TRUE
    _check_words(images, table, "artist_group", ("train_only", "test_only", "train_and_test"))
    _check_words(images, table, "in_train", ("True", "False"))
    images = images.rename(columns={"artist": "artist_name", "new_filename": "image_name"})
    is_test = images["artist_group"] == "test_only"
    images["split"] = is_test.map({True: "test", False: ""}).astype("str")
    return images


def _check_words(images: pd.DataFrame, table: Path, column: str, known: tuple[str, ...]) -> None:
    for row, word in images.loc[~images[column].isin(known), column][:1].items():
        raise InputError(
            f"{table}, row {row}: {column} is {word!r} instead of one of {', '.join(known)}"
        )


def _is_drawn_from(images: pd.DataFrame) -> "pd.Series[bool]":
    """Mark the rows from which artists are drawn; junk labels are compared in NFC."""
    composed = {name: unicodedata.normalize("NFC", name) for name in images["artist_name"].unique()}
    return (
        (images["artist_group"] == "train_and_test")
        & (images["in_train"] == "True")
        & ~images["artist_name"].map(composed).isin(JUNK_LABELS)
    )


def _draw_rows(images: pd.DataFrame, rules: KaggleDraw) -> "pd.Index[int]":
    """Draw artists, then images of each; return the rows."""
    artists = draw_names(
        images["artist_name"], rules.artists, seed=rules.seed, purpose="kaggle artists"
    )
    theirs = images[images["artist_name"].isin(artists)]
    if rules.images_per_artist == 0:
        return theirs.index
    ranks = [draw_rank(rules.seed, "kaggle images", name) for name in theirs["image_name"]]
    shuffled = theirs.assign(rank=ranks).sort_values("rank")
    return shuffled.groupby("artist_name").head(rules.images_per_artist).index


def _locate(folder: Path, images: pd.DataFrame) -> list[str]:
    """Find each image's file; `in_train` says in which of Kaggle's two sets it is."""
    found = {"train": files_by_name(folder, "train"), "test": files_by_name(folder, "test")}
    pools = images["in_train"].map({"True": "train", "False": "test"})
    return [
        found[pool].get(name, f"{pool}/{name}")
        for pool, name in zip(pools, images["image_name"], strict=True)
    ]


def files_by_name(folder: Path, pool: str) -> dict[str, str]:
    """Map the files of one of Kaggle's sets, train or test, by name; replacements come first.

    Kaggle also gives the training set in parts, `train_1.zip` to `train_9.zip`.
    """
    parts = sorted(
        path.name for ending in (".zip", "") for path in folder.glob(f"{pool}_[0-9]{ending}")
    )
    files = [
        file
        for container in (*parts, f"{pool}.zip", pool)
        for file in list_images(folder, container)
    ]
    for container in (f"{REPLACEMENTS}.zip", REPLACEMENTS):
        files += [f for f in list_images(folder, container) if f.split("/")[-2] == pool]
    return {file.rpartition("/")[2]: file for file in files}

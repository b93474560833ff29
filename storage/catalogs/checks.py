"""What every catalog must satisfy; messages name the first wrong row."""

from collections import defaultdict
from pathlib import Path
from typing import Final

import pandas as pd

from storage.catalogs.artist_names import fold_name
from storage.errors import InputError
from storage.file_names import file_name_fault

SPLITS: Final = ("train", "validation", "test")
EXCLUDED: Final = "excluded"


def check_images(images: pd.DataFrame, source: Path) -> None:
    """Refuse blank names, names that leave the folder, and two images of one name."""
    for column, what in (("artist_name", "artist"), ("image_name", "image")):
        for label in images.index[images[column].str.strip() == ""][:1]:
            raise InputError(f"{_place(images, source, label)}: the {what}'s name is blank")
    _check_file_names(images, source)
    for label, name in images.loc[images["image_name"].duplicated(), "image_name"][:1].items():
        first = images.index[images["image_name"] == name][0]
        raise InputError(
            f"{_place(images, source, label)}: the image {name!r} was already named"
            f" in {images.index.name} {first}; name each image once"
        )


def _check_file_names(images: pd.DataFrame, source: Path) -> None:
    names = {*images["image_name"].tolist(), *images["file"].tolist()}
    faults = {name: fault for name in names if (fault := file_name_fault(name))}
    for column in ("image_name", "file"):
        for label, name in images.loc[images[column].isin(faults), column][:1].items():
            place = _place(images, source, label)
            raise InputError(f"{place}: the file name {name!r} cannot be used: {faults[name]}")


def check_artists(images: pd.DataFrame, source: Path) -> None:
    """Refuse unknown splits, artists in two splits, and artists spelled in two ways."""
    _check_split_words(images, source)
    used = images[images["split"] != EXCLUDED]
    _check_one_split(used, source)
    _check_spelling(used, source)


def _check_split_words(images: pd.DataFrame, source: Path) -> None:
    known = ("", *SPLITS, EXCLUDED)
    for label, word in images.loc[~images["split"].isin(known), "split"][:1].items():
        raise InputError(
            f"{_place(images, source, label)}: the split {word!r} is unknown;"
            f" write {', '.join(known[1:])} or leave it blank"
        )


def _check_one_split(images: pd.DataFrame, source: Path) -> None:
    stated = images[images["split"] != ""]
    first: dict[str, tuple[object, str]] = {}
    for label, artist, split in zip(
        stated.index, stated["artist_name"], stated["split"], strict=True
    ):
        first_label, first_split = first.setdefault(artist, (label, split))
        if split != first_split:
            raise InputError(
                f"{_place(images, source, label)}: the artist {artist!r} is in {split} here and in"
                f" {first_split} in {images.index.name} {first_label}; keep to one split per artist"
            )


def _check_spelling(images: pd.DataFrame, source: Path) -> None:
    """Refuse two spellings of one artist, who could end up in two splits.

    If each has a single image, all are too small to be used, as happens in the reference's catalog.
    """
    n_images = images["artist_name"].value_counts()
    by_key: dict[str, list[str]] = defaultdict(list)
    for artist in images["artist_name"].unique():
        by_key[fold_name(artist)].append(artist)
    doubled = [each for each in by_key.values() if len(each) > 1 and n_images[each].max() > 1]
    if not doubled:
        return
    one, other = doubled[0][:2]
    first, second = (images.index[images["artist_name"] == a][0] for a in (one, other))
    more = "; ".join(" and ".join(map(repr, each)) for each in doubled[1:4])
    rest = f"; so are {more}" + (f" and {len(doubled) - 4} more" if len(doubled) > 4 else "")
    raise InputError(
        f"{_place(images, source, second)}: the artist {other!r} is spelled {one!r}"
        f" in {images.index.name} {first}; spell the name in one way{rest if more else ''}"
    )


def _place(images: pd.DataFrame, source: Path, label: object) -> str:
    return f"{source}, {images.index.name} {label}"

"""The catalog of a source: one row per image, with its artist."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd

from storage.catalogs.artist_names import is_nobody, tidy_artist_names
from storage.catalogs.checks import EXCLUDED, check_artists, check_images
from storage.catalogs.csv_table import read_csv_table
from storage.files import present, write_atomically

NAMED_COLUMNS: Final = ("image_name", "artist_name", "split", "file")
KNOWN_COLUMNS: Final = ("title", "style", "genre", "date")


@dataclass(frozen=True, slots=True, eq=False)
class Catalog:
    """The images of one source, and the folder that holds all their files.

    `images` has one row per image in the source's order and only text columns, a blank being "":

    - `image_name`: unique; what pairs and results call the image
    - `artist_name`: NFC, without blanks around it
    - `split`: "train", "validation", "test" or "excluded" as the source says, else ""
    - `file`: POSIX path relative to `root`, which may continue inside a zip file, as in
      `train.zip/train/123.jpg`; the file need not exist
    - `title`, `style`, `genre`, `date` where known, then the source's own columns

    The index, for messages, is the row of a CSV file (named "row") or the image in a folder
    (named "image"). `notes` are lines for the user on what the source leaves out.
    """

    root: Path
    images: pd.DataFrame
    notes: tuple[str, ...] = ()


def build_catalog(
    root: Path, images: pd.DataFrame, source: Path, notes: tuple[str, ...] = ()
) -> Catalog:
    """Tidy the artists' names, exclude unknown artists, check every row, order the columns.

    `images` holds `NAMED_COLUMNS` and any others; messages name `source`. Raises InputError for
    the first wrong row.
    """
    check_images(images, source)
    tidy = images.assign(artist_name=tidy_artist_names(images["artist_name"]))
    nobodies = [name for name in tidy["artist_name"].unique() if is_nobody(name)]
    by_nobody = tidy["artist_name"].isin(nobodies)
    tidy["split"] = tidy["split"].mask(by_nobody, EXCLUDED)
    if nobodies:
        named = ", ".join(map(repr, nobodies[:3])) + (", …" if len(nobodies) > 3 else "")
        notes += (
            f"{source}: {by_nobody.sum()} images by {named} are excluded: by no known artist",
        )
    check_artists(tidy, source)
    return Catalog(root, _with_columns_first(tidy, (*NAMED_COLUMNS, *KNOWN_COLUMNS)), notes)


def write_catalog(catalog_images: pd.DataFrame, path: Path) -> None:
    """Write the images as a CSV file, atomically; see `catalog_bytes`."""
    write_atomically(path, catalog_bytes(catalog_images))


def catalog_bytes(catalog_images: pd.DataFrame) -> bytes:
    """Return the images as CSV in UTF-8, the reference's six columns first.

    Lines end with CR LF (RFC 4180), because Python's csv only quotes values that contain a sign
    that ends lines.
    """
    first = (*KNOWN_COLUMNS, "artist_name", "image_name", "split", "file")
    ordered = _with_columns_first(catalog_images, first)
    return ordered.to_csv(index=False, lineterminator="\r\n").encode()


def read_catalog(path: Path) -> pd.DataFrame:
    """Read a written catalog with a source's checks, as it may have been edited.

    Raises InputError naming the file and the row.
    """
    images = read_csv_table(present(path), required=NAMED_COLUMNS)
    return build_catalog(path.parent, images, path).images


def _with_columns_first(images: pd.DataFrame, first: tuple[str, ...]) -> pd.DataFrame:
    """Move the columns in `first` to the front; the others keep their order."""
    present = [name for name in first if name in images.columns]
    return images[[*present, *(name for name in images.columns if name not in present)]]

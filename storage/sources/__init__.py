"""Sources of paintings: whatever the user names is looked at and read into one kind of catalog."""

from collections.abc import Callable
from pathlib import Path

from storage.catalogs.catalog import Catalog
from storage.errors import InputError
from storage.sources.folder import holds_artist_folders, read_artist_folders
from storage.sources.gallery.paintings import GalleryPlan
from storage.sources.kaggle import KAGGLE_TABLE, KaggleDraw, kaggle_table, read_kaggle
from storage.sources.sample import write_gallery
from storage.sources.table import read_table

__all__ = ["KaggleDraw", "check_source", "full_name", "locate_source", "read_source"]

SAMPLE = "sample"


def locate_source(source: str, gallery: Path, progress: Callable[[int, int], None]) -> Path:
    """Where a source lies that the user named; the word ``sample`` has the gallery painted first.

    `gallery` is the folder of the sample gallery.
    """
    if source != SAMPLE:
        return Path(full_name(source))
    write_gallery(gallery, GalleryPlan(), progress)
    return gallery


def full_name(source: str) -> str:
    """Name a source so that it is found from any folder."""
    return source if source == SAMPLE else str(Path(source).expanduser().absolute())


def check_source(source: str) -> None:
    """Raise InputError where what the user named is there not or is no source; reads no table."""
    if source != SAMPLE:
        _reader_of(locate_source(source, Path(), lambda *_: None))


def read_source(source: Path, draw: KaggleDraw) -> Catalog:
    """Read a catalog from `source`, finding out by looking what kind of source it is.

    `draw` is for Kaggle's data only. No image is opened, and none need be there.
    Raises InputError where there is no such source, it is of no known kind, or a row is wrong.
    """
    return _reader_of(source)(source, draw)


def _reader_of(source: Path) -> Callable[[Path, KaggleDraw], Catalog]:
    if not source.exists():
        raise InputError(f"{source}: there is no such file or folder")
    if source.is_file() and source.name.lower().endswith((".csv", ".csv.zip")):
        return lambda table, _: read_table(table)
    if kaggle_table(source).is_file():
        return read_kaggle
    if source.is_dir() and holds_artist_folders(source):
        return lambda folder, _: read_artist_folders(folder)
    zips = [source] if source.suffix.lower() == ".zip" else sorted(source.glob("*.zip"))
    hint = (
        f"; if the paintings are in {zips[0].name}, unpack it and give its folder" if zips else ""
    )
    raise InputError(
        f"{source}: not a source of paintings; give the word sample, a folder holding Kaggle's"
        f" {KAGGLE_TABLE}, a folder with one sub-folder of images per artist, or a catalog"
        f" ending in .csv{hint}"
    )

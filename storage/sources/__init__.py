"""Sources of paintings, each read into a catalog."""

from collections.abc import Callable
from pathlib import Path

from storage.catalogs.catalog import Catalog
from storage.errors import InputError
from storage.sources.folder import holds_artist_folders, read_artist_folders
from storage.sources.gallery.paintings import GalleryPlan
from storage.sources.kaggle import KAGGLE_TABLE, KaggleDraw, kaggle_table, read_kaggle
from storage.sources.sample import write_gallery
from storage.sources.table import read_table

__all__ = ["SAMPLE", "KaggleDraw", "check_source", "full_name", "locate_source", "read_source"]

SAMPLE = "sample"


def locate_source(source: str, gallery: Path, progress: Callable[[int, int], None]) -> Path:
    """Return the path of a source; `sample` is painted into the folder `gallery` first."""
    if source != SAMPLE:
        return Path(full_name(source))
    write_gallery(gallery, GalleryPlan(), progress)
    return gallery


def full_name(source: str) -> str:
    """Return the absolute path of a source; `sample` stays as it is."""
    return source if source == SAMPLE else str(Path(source).expanduser().absolute())


def check_source(source: str) -> None:
    """Raise InputError if the path does not exist or is not a supported source."""
    if source != SAMPLE:
        _reader_of(locate_source(source, Path(), lambda *_: None))


def read_source(source: Path, draw: KaggleDraw) -> Catalog:
    """Detect what kind of source this is and read its catalog; no image is opened.

    `draw` is for Kaggle's data only. Raises InputError if the source does not exist or is not
    supported, or if a row is wrong.
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
        f"{source}: not a source of paintings; give sample, a folder with Kaggle's {KAGGLE_TABLE},"
        f" a folder with one sub-folder of images per artist, or a catalog ending in .csv{hint}"
    )

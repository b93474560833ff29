"""A folder with one sub-folder of images per artist as a source."""

from pathlib import Path

import pandas as pd

from storage.catalogs.catalog import NAMED_COLUMNS, Catalog, build_catalog
from storage.image_files import is_image_name


def holds_artist_folders(folder: Path) -> bool:
    """Tell whether any sub-folder directly holds an image."""
    return any(_image_names(artist) for artist in _artist_folders(folder))


def read_artist_folders(folder: Path) -> Catalog:
    """Take each sub-folder's name for an artist, and "Artist/file.jpg" for the image's name.

    Hidden files, other files and deeper folders are left out. Everything is sorted, so that every
    system lists the images alike. Raises InputError for a name that cannot be used.
    """
    rows = [
        (f"{artist.name}/{name}", artist.name, "", f"{artist.name}/{name}")
        for artist in _artist_folders(folder)
        for name in _image_names(artist)
    ]
    index = pd.Index([name for name, *_ in rows], name="image")
    images = pd.DataFrame(rows, columns=list(NAMED_COLUMNS), index=index, dtype="str")
    return build_catalog(folder, images, folder)


def _artist_folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")


def _image_names(artist: Path) -> list[str]:
    files = (path for path in artist.iterdir() if is_image_name(path.name) and path.is_file())
    return sorted(path.name for path in files)

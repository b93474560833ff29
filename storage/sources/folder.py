"""A folder with one sub-folder of images per artist as a source."""

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import pandas as pd

from storage.catalogs.catalog import NAMED_COLUMNS, Catalog, build_catalog
from storage.errors import InputError, unusable
from storage.file_names import is_unicode
from storage.image_files import IMAGE_SUFFIXES, is_image_name

_CURE: Final = (
    "give one folder per artist, or a catalog CSV with the columns artist_name and image_name"
)
_SPLIT: Final = re.compile(r"(train|test)(ing)?[ _-]?\d*", re.IGNORECASE)
_ARTIST_OF_TITLE: Final = re.compile(r"([^\W\d_]+(?:-[^\W_]+)+)_.")  # claude-monet_sunrise.jpg


def holds_artist_folders(folder: Path) -> bool:
    """Return whether any sub-folder holds an image, at any depth, even one in HEIC."""
    return any(
        name.lower().endswith((*IMAGE_SUFFIXES, ".heic", ".heif")) for name in _files(folder)
    )


def read_artist_folders(folder: Path) -> Catalog:
    """Take each sub-folder for an artist, with images called "Artist/file.jpg", sorted.

    Images in deeper folders are by the same artist. The catalog's notes count the files left out,
    except hidden ones. Raises InputError for names that cannot be used, and if the folders are
    clearly not artists.
    """
    images: list[str] = []
    left_out: dict[str, list[str]] = defaultdict(list)
    for name in sorted(_files(folder)):
        if reason := _fault(folder, name):
            left_out[reason].append(name)
        else:
            images.append(name)
    _refuse_splits(folder, images)
    _refuse_styles(folder, images)
    if not images:
        raise InputError("; ".join(_notes(folder, images, left_out)))
    rows = [(name, _artist(name), "", name) for name in images]
    index = pd.Index(images, name="image")
    table = pd.DataFrame(rows, columns=list(NAMED_COLUMNS), index=index, dtype="str")
    return build_catalog(folder, table, folder, tuple(_notes(folder, images, left_out)))


def _files(folder: Path) -> Iterator[str]:
    """Yield the files and linked folders in artists' folders as `Artist/…`, except hidden ones."""
    for artist in folder.iterdir():
        if artist.is_dir() and not artist.name.startswith("."):
            for place, folders, files in os.walk(artist, onerror=_refuse_unreadable):
                folders[:] = [name for name in folders if not name.startswith(".")]
                links = [name for name in folders if Path(place, name).is_symlink()]
                for name in (*files, *links):
                    if not name.startswith("."):
                        yield Path(place, name).relative_to(folder).as_posix()


def _refuse_unreadable(error: OSError) -> None:
    raise unusable(error, f"{error.filename}: cannot be read ({error.strerror})") from error


def _artist(name: str) -> str:
    return name.partition("/")[0]


def _fault(folder: Path, name: str) -> str | None:
    """Say why a file is left out, as a plural to count; None if it is not."""
    path = folder / name
    if path.is_dir():
        return "links to folders"
    if not is_image_name(path.name):
        return f"{path.suffix.lower()} files" if path.suffix else "files without a suffix"
    if not path.is_file():
        return "links that lead nowhere"
    return None if is_unicode(name) else "files whose names are not UTF-8"


def _refuse_splits(folder: Path, images: Iterable[str]) -> None:
    """Refuse folders called `train` or `test`, or `train_1` like Kaggle's parts."""
    for artist in map(_artist, images):
        if _SPLIT.fullmatch(artist):
            raise InputError(f"{folder}: the folder {artist!r} is a split, not an artist; {_CURE}")


def _refuse_styles(folder: Path, images: Iterable[str]) -> None:
    """Refuse one folder per style or genre, with files like `claude-monet_sunrise.jpg`.

    Nearly all names in such a folder begin with an artist's, and at least two artists recur.
    """
    by_folder: dict[str, list[str]] = defaultdict(list)
    for name in images:
        by_folder[_artist(name)].append(name.rpartition("/")[2])
    for artist, names in by_folder.items():
        found = Counter(match[1] for name in names if (match := _ARTIST_OF_TITLE.match(name)))
        repeated = [name for name, count in found.most_common() if count > 1]
        if len(repeated) > 1 and found.total() >= 0.9 * len(names):
            raise InputError(
                f"{folder}: the folder {artist!r} is no artist's: its files are called after"
                f" {', '.join(repeated[:2])} and others; {_CURE}"
            )


def _notes(folder: Path, images: list[str], left_out: Mapping[str, list[str]]) -> Iterator[str]:
    """Yield a line on whatever is left out, or may not be used as intended."""
    if left_out:
        counted = [
            f"{len(names)} {reason} ({_shown(names[0])}{', …' if len(names) > 1 else ''})"
            for reason, names in sorted(left_out.items())
        ]
        yield f"{folder}: left out {'; '.join(counted)}"
    artists = {_artist(name) for name in images}
    lost = {_artist(name) for names in left_out.values() for name in names} - artists
    if lost:
        yield f"{folder}: no image can be read by {', '.join(map(_shown, sorted(lost)))}"
    deeper = [name for name in images if name.count("/") > 1]
    if deeper:
        yield (
            f"{folder}: {len(deeper)} images in deeper folders count as by the artist of the"
            f" outermost, such as {deeper[0]}"
        )
    loose = sorted(path.name for path in folder.iterdir() if path.is_file())
    if pictures := [name for name in loose if is_image_name(name)]:
        yield f"{folder}: {len(pictures)} images lie in no artist's folder ({_shown(pictures[0])})"
    for name in loose:
        if name.lower().endswith((".csv", ".csv.zip")):
            yield f"{folder}: {_shown(name)} is not read; to use it, give it as the source"


def _shown(name: str) -> str:
    """Return a printable name, with bytes that are not UTF-8 as `\\xe9`."""
    return os.fsencode(name).decode(errors="backslashreplace")

"""Reads images in a folder, also inside zip files."""

import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import IO, Final, Self

from storage.errors import InputError, unusable
from storage.file_names import caseless, file_name_fault

IMAGE_SUFFIXES: Final = (
    ".avif", ".bmp", ".gif", ".j2c", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpf", ".jpg",
    ".jpx", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp",
)  # fmt: skip


def is_image_name(name: str) -> bool:
    """Return whether a file is an image by its name; hidden files are not."""
    return not name.startswith(".") and name.lower().endswith(IMAGE_SUFFIXES)


def list_images(root: Path, container: str) -> list[str]:
    """List the images in a folder or zip file in `root`, at any depth, sorted.

    The names are for `ImageReader.read`. Without such a container, the list is empty. Raises
    InputError if the container is a file but not a readable zip file.
    """
    path = root / container
    if path.is_dir():
        files = [file.relative_to(root).as_posix() for file in path.rglob("*") if file.is_file()]
    elif path.is_file():
        with open_zip(path) as archive:
            files = [f"{container}/{_plain_name(member)}" for member in archive.infolist()]
    else:
        return []
    return sorted(file for file in files if is_image_name(file.rpartition("/")[2]))


def find_file(root: Path, file: str) -> tuple[Path, str]:
    """Return the path of a file in `root`, and its name in the zip file at that path, if any.

    Both forms of accented letters (NFC and NFD) and both cases of a suffix match. The path need
    not exist.
    """
    path = root
    parts = file.split("/")
    for n_outside, part in enumerate(parts, start=1):
        spelled = (path / spelling for spelling in _spellings(part))
        path = next((found for found in spelled if found.exists()), path / part)
        if n_outside < len(parts) and part.lower().endswith(".zip") and path.is_file():
            return path, "/".join(parts[n_outside:])
    return path, ""


def open_zip(path: Path) -> zipfile.ZipFile:
    """Open a zip file; raises InputError if it cannot be read."""
    try:
        if _is_part(path):
            raise InputError(f"{path}: one part of a split zip file; join the parts with zip -s 0")
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        text = f"{path}: not a readable zip file ({error}); fetch it again"
        raise unusable(error, text) from error


def _is_part(path: Path) -> bool:
    """Return whether a zip file is part of a split one, by its last record."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _LONGEST_END))
        _, signature, record = file.read().rpartition(b"PK\x05\x06")
    return bool(signature) and record[:2] not in (b"\0\0", b"\xff\xff")


_LONGEST_END: Final = 22 + 65535  # bytes of that record, and of the comment that may follow


class ImageReader:
    """Reads images in one folder from any number of threads; zip files stay open until exit.

    An archive's directory, which at Kaggle has 80,000 entries, is read once for all threads.
    """

    def __init__(self, root: Path) -> None:
        """Read only files in `root`; links that lead out of it are refused."""
        self._root = root.resolve()
        self._archives: dict[Path, _Archive] = {}
        self._lock = Lock()

    def __enter__(self) -> Self:
        """Open nothing yet: an archive is opened with its first image."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the archives."""
        for archive in self._archives.values():
            archive.file.close()

    def read(self, file: str) -> bytes:
        """Return the bytes of `file`, a path relative to the root that may continue in a zip file.

        Raises InputError naming the file if it is missing, unreadable or outside the root.
        """
        if fault := file_name_fault(file):
            raise InputError(f"{file!r}: the file name cannot be used: {fault}")
        try:
            return self._read_beneath_root(file)
        except _UNREADABLE as error:
            raise unusable(error, f"{file}: cannot be read ({error})") from error

    def _read_beneath_root(self, file: str) -> bytes:
        found, member = find_file(self._root, file)
        path = found.resolve()
        if not path.is_relative_to(self._root):
            raise InputError(
                f"{file}: a link leads out of {self._root}; put the file itself in its place"
            )
        if not path.is_file():
            raise InputError(f"{file}: there is no such file in {self._root}")
        return self._read_member(path, member) if member else path.read_bytes()

    def _read_member(self, path: Path, member: str) -> bytes:
        """Read a member, inflating outside the lock.

        A ZipFile's open members share the file safely, but opening and closing changes a count.
        """
        with self._lock:
            if path not in self._archives:
                self._archives[path] = _Archive(open_zip(path))
            opened = self._archives[path].open(member)
        try:
            return opened.read()
        finally:
            with self._lock:
                opened.close()


# For unreadable files, circular links (RuntimeError), and archives that are damaged, encrypted or
# compressed in an unknown way.
_UNREADABLE: Final = (
    OSError,
    EOFError,
    RuntimeError,
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
)


class _Archive:
    """A zip file, whose members are found under any spelling of their names."""

    def __init__(self, file: zipfile.ZipFile) -> None:
        self.file = file
        self._by_key: dict[str, zipfile.ZipInfo | None] = {}

    def open(self, name: str) -> IO[bytes]:
        """Open a member; raises InputError naming the archive if there is none of that name."""
        try:
            return self.file.open(name)
        except KeyError:
            member = self._members().get(caseless(name))
        if member is None:
            archive = Path(self.file.filename or "").name
            raise InputError(f"{name}: there is no such file in the zip file {archive}")
        return self.file.open(member)

    def _members(self) -> dict[str, zipfile.ZipInfo | None]:
        """Map each member by its key; None for a key that two of them share."""
        if not self._by_key:
            for member in self.file.infolist():
                key = caseless(_plain_name(member))
                self._by_key[key] = None if key in self._by_key else member
        return self._by_key


_IS_UTF_8: Final = 0x800  # of a member's flags


def _plain_name(member: zipfile.ZipInfo) -> str:
    """Return a member's name as a plain path: UTF-8, with `/` between folders and no `./`."""
    name = member.filename
    if not member.flag_bits & _IS_UTF_8:
        with suppress(UnicodeError):
            name = name.encode("cp437").decode()  # as Python decoded it
    parts = name.replace("\\", "/").split("/")
    return "/".join(part for part in parts if part not in ("", "."))


def _spellings(part: str) -> Iterator[str]:
    """Spell a file's name as it is, then in either form of its accents and case of its suffix."""
    yield part
    for composed in (unicodedata.normalize("NFC", part), unicodedata.normalize("NFD", part)):
        stem, dot, suffix = composed.rpartition(".")
        for spelled in (suffix, suffix.lower(), suffix.upper()):
            yield f"{stem}{dot}{spelled}"

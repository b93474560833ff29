"""The bytes of images in a folder, or in zip files in it, which are read in place."""

import zipfile
import zlib
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Final, Self

from storage.errors import InputError, unusable
from storage.file_names import file_name_fault

IMAGE_SUFFIXES: Final = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


def is_image_name(name: str) -> bool:
    """Tell by its name whether a file is an image, leaving out hidden files."""
    return not name.startswith(".") and name.lower().endswith(IMAGE_SUFFIXES)


def list_images(root: Path, container: str) -> list[str]:
    """List the images in a folder or a zip file beneath `root`, at any depth, sorted.

    Each is given as `ImageReader.read` takes it; where there is no such container, none is.
    Raises InputError where the container is a file but not a readable zip file.
    """
    path = root / container
    if path.is_dir():
        files = [file.relative_to(root).as_posix() for file in path.rglob("*") if file.is_file()]
    elif path.is_file():
        with _open_zip(path) as archive:
            files = [f"{container}/{member}" for member in archive.namelist()]
    else:
        return []
    return sorted(file for file in files if is_image_name(file.rpartition("/")[2]))


class ImageReader:
    """Reads images beneath one folder, from any number of threads; zip files stay open till exit.

    An archive's directory, of which Kaggle's has 80,000 entries, is read once for all threads.
    """

    def __init__(self, root: Path) -> None:
        """Read beneath `root`, and through no link that leads out of it."""
        self._root = root.resolve()
        self._archives: dict[Path, zipfile.ZipFile] = {}
        self._lock = Lock()

    def __enter__(self) -> Self:
        """Open nothing yet: an archive is opened with its first image."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the archives."""
        for archive in self._archives.values():
            archive.close()

    def read(self, file: str) -> bytes:
        """Give the bytes of `file`, a path relative to the root that may go on inside a zip file.

        Raises InputError naming the file where it is missing, unreadable or outside the root.
        """
        if fault := file_name_fault(file):
            raise InputError(f"{file!r}: the file name cannot be used: {fault}")
        try:
            return self._read_beneath_root(file)
        except KeyError:
            raise InputError(f"{file}: there is no such file in the zip file") from None
        except _UNREADABLE as error:
            raise unusable(error, f"{file}: cannot be read ({error})") from error

    def _read_beneath_root(self, file: str) -> bytes:
        outside, member = self._part_at_zip(file)
        path = (self._root / outside).resolve()
        if not path.is_relative_to(self._root):
            raise InputError(f"{file}: a link leads out of {self._root}")
        if not path.is_file():
            raise InputError(f"{file}: there is no such file in {self._root}")
        return self._read_member(path, member) if member else path.read_bytes()

    def _part_at_zip(self, file: str) -> tuple[str, str]:
        """Part the path where it enters a zip file; the second part is empty where it does not."""
        parts = file.split("/")
        for n_outside, part in enumerate(parts[:-1], start=1):
            outside = "/".join(parts[:n_outside])
            if part.lower().endswith(".zip") and (self._root / outside).is_file():
                return outside, "/".join(parts[n_outside:])
        return file, ""

    def _read_member(self, path: Path, member: str) -> bytes:
        """Read a member, inflating outside the lock.

        Open members of one ZipFile take turns at the file by themselves; only opening and closing
        them changes a count that threads would spoil for each other.
        """
        with self._lock:
            if path not in self._archives:
                self._archives[path] = _open_zip(path)
            opened = self._archives[path].open(member)
        try:
            return opened.read()
        finally:
            with self._lock:
                opened.close()


# What is raised for files that may not be read, links in a circle (RuntimeError), and archives that
# are damaged, encrypted or compressed in unusual ways.
_UNREADABLE: Final = (
    OSError,
    EOFError,
    RuntimeError,
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
)


def _open_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        text = f"{path}: not a readable zip file ({error}); fetch it again"
        raise unusable(error, text) from error

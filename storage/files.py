"""Write files atomically, hash them, and share them where the workspace is an object store.

Outside a store's cache, what is said of the store here does nothing.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from uuid import uuid4

from storage import object_store
from storage.errors import InputError
from storage.object_store import address_of

PARTIAL = ".*.partial"  # how the names of half-written files look


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield a path to write to, and replace `target` by that file when the block succeeds.

    The file is written beside its target, synced to disk and moved in one step, so nobody sees a
    partial file. If the block raises, `target` is unchanged and the new file is removed. A
    killed process leaves `.NAME.*.partial`, see `remove_partials`. Missing folders are created. Of
    several writers, the last one to finish wins. In a cache, the store has the file first.
    """
    with _moved_to(target) as partial:
        yield partial
        with partial.open("rb+") as file:  # else a rename could survive a power cut without content
            os.fsync(file.fileno())
        _put(partial, target)


def write_atomically(target: Path, data: bytes) -> None:
    """Write `data` to `target`, all or nothing; see `replacing`."""
    with replacing(target) as partial:
        partial.write_bytes(data)


def present(path: Path) -> Path:
    """Fetch a file from the store unless the cache has the same; return its path.

    It may be missing in both, or be in the cache alone.
    """
    address = address_of(path)
    found = address and object_store.look_up(address)
    if address and found and found != _size_and_time(path):
        with _moved_to(path) as partial:
            object_store.get(address, partial)
            os.utime(partial, (found[1], found[1]))
    return path


def fetch_folder(folder: Path) -> None:
    """Fetch all files of a folder from the store. Raises InputError if one lies elsewhere."""
    if address := address_of(folder):
        for each in object_store.list_files(address):
            path = PurePosixPath(each.removeprefix(f"{address}/"))
            if path.is_absolute() or ".." in path.parts:
                raise InputError(f"{each}: leads out of its folder; remove it from the store")
            present(folder / path)


def publish_folder(folder: Path) -> None:
    """Put what a folder has in the cache alone, or has newer, into the store."""
    if address_of(folder):
        for path in [each for each in folder.rglob("*") if each.is_file()]:
            is_ours = path.suffix != ".lock" and not path.match(PARTIAL)
            if is_ours and object_store.look_up(str(address_of(path))) != _size_and_time(path):
                _put(path, path)


def is_taken(folder: Path) -> bool:
    """Return whether the store has files in a folder."""
    address = address_of(folder)
    return address is not None and bool(object_store.list_files(address))


def remove(path: Path) -> None:
    """Remove a file, or a folder with all its files, also from the store; it may be missing."""
    if address := address_of(path):
        object_store.remove(address)
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def remove_partials(folder: Path) -> None:
    """Remove the partial files of killed processes in `folder` and below."""
    for partial in folder.rglob(PARTIAL):
        partial.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file in hexadecimal, in constant memory."""
    with present(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _moved_to(target: Path) -> Iterator[Path]:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{uuid4().hex[:12]}.partial")
    try:
        yield partial
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _put(file: Path, target: Path) -> None:
    """Put a file into the store as ``target``, and date it as the store does."""
    if address := address_of(target):
        moment = object_store.put(file, address)
        os.utime(file, (moment, moment))


def _size_and_time(path: Path) -> tuple[int, float] | None:
    if not path.is_file():
        return None
    found = path.stat()
    return found.st_size, found.st_mtime

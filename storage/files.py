"""Files that are either whole or not there: atomic writing, and a file's SHA-256."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield a path to write to; when the block ends well, what lies there becomes `target`.

    The file is written beside its target, synced to the disk and moved into place in one step, so
    nobody ever sees half of it, and a reader of the old file keeps the old one. When the block
    raises, `target` is left as it was and the half-made file is removed. A process killed in
    between leaves a file `.NAME.*.partial`, see `remove_partials`.

    Folders that are missing are made. Of several writers at once, the last one to end wins.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{uuid4().hex[:12]}.partial")
    try:
        yield partial
        _sync(partial)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def write_atomically(target: Path, data: bytes) -> None:
    """Make `data` the content of `target`, all of it or nothing; see `replacing`."""
    with replacing(target) as partial:
        partial.write_bytes(data)


def remove_partials(folder: Path) -> None:
    """Remove what processes that were killed left half-made in `folder` and below."""
    for partial in folder.rglob(".*.partial"):
        partial.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal; the file is read in pieces, whatever its size."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    """Wait until the file's bytes are on the disk: a rename may otherwise survive a power cut
    that its content does not."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())

"""Write files atomically, and hash them."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield a path to write to, and replace `target` by that file when the block succeeds.

    The file is written beside its target, synced to disk and moved in one step, so nobody sees a
    partial file. If the block raises, `target` is unchanged and the new file is removed. A
    killed process leaves `.NAME.*.partial`, see `remove_partials`. Missing folders are created. Of
    several writers, the last one to finish wins.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{uuid4().hex[:12]}.partial")
    try:
        yield partial
        with partial.open("rb+") as file:  # else a rename could survive a power cut without content
            os.fsync(file.fileno())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def write_atomically(target: Path, data: bytes) -> None:
    """Write `data` to `target`, all or nothing; see `replacing`."""
    with replacing(target) as partial:
        partial.write_bytes(data)


def remove_partials(folder: Path) -> None:
    """Remove the partial files of killed processes in `folder` and below."""
    for partial in folder.rglob(".*.partial"):
        partial.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file in hexadecimal, in constant memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

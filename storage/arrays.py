"""Named arrays in a file, written atomically and read without unpickling."""

import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from storage.errors import unusable
from storage.files import present, replacing

Array = npt.NDArray[Any]


def save_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write the arrays to ``path`` as NumPy's .npz."""
    with replacing(path) as partial, partial.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def load_arrays(path: Path) -> dict[str, Array]:
    """Read what :func:`save_arrays` wrote. Raises InputError if the file is missing or damaged."""
    try:
        # np.load would leave a damaged file open.
        with present(path).open("rb") as file, np.load(file, allow_pickle=False) as content:
            return {name: content[name] for name in content.files}
    except _UNREADABLE as error:
        raise unusable(error, f"{path} does not hold the arrays of a run") from error


# TypeError is for a single array, RuntimeError for an encrypted or unusual zip.
_UNREADABLE = (OSError, EOFError, ValueError, TypeError, RuntimeError, BadZipFile, zlib.error)

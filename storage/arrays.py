"""Named arrays in one file, whole or not there, and nothing unpickled."""

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from storage.errors import unusable
from storage.files import replacing

Array = npt.NDArray[Any]


def save_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write the arrays to ``path`` as NumPy's .npz."""
    with replacing(path) as partial, partial.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def load_arrays(path: Path) -> dict[str, Array]:
    """Read what :func:`save_arrays` wrote. Raises InputError if the file is missing or not such."""
    try:
        # Opened here, because np.load leaves a file open that is not whole.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as content:
            return {name: content[name] for name in content.files}
    except _UNREADABLE as error:
        raise unusable(error, f"{path} does not hold the arrays of a run") from error


# What zipfile and NumPy raise for damaged bytes; TypeError is for a single array, RuntimeError for
# an encrypted or unusual zip.
_UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)

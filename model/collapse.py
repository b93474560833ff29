"""Detect collapse: a network that gives every image the same embedding."""

import numpy as np
import numpy.typing as npt

ALIKE = 1e-5  # relative; about a hundred times the rounding of float32


def has_collapsed(embeddings: npt.NDArray[np.float32]) -> bool:
    """Whether all rows of ``embeddings`` (N, D) are equal, up to rounding.

    The triplet loss then equals its margin, and no triplet is correct.

    >>> alike, different = np.float32([[3, 4], [3, 4.00001]]), np.float32([[3, 4], [3, 5]])
    >>> has_collapsed(alike), has_collapsed(different)
    (True, False)
    """
    spread = np.abs(embeddings - embeddings[0]).max()
    return bool(spread <= ALIKE * np.abs(embeddings).max())

"""Collapse: a network that gives every image the same embedding has learnt to tell nothing."""

import numpy as np
import numpy.typing as npt

ALIKE = 1e-5  # relative; some hundred times the rounding of a float32


def has_collapsed(embeddings: npt.NDArray[np.float32]) -> bool:
    """Tell whether the rows of ``embeddings`` (N, D) are all alike, but for rounding.

    A triplet loss is then its margin, and no triplet is right.

    >>> alike, different = np.float32([[3, 4], [3, 4.00001]]), np.float32([[3, 4], [3, 5]])
    >>> has_collapsed(alike), has_collapsed(different)
    (True, False)
    """
    spread = np.abs(embeddings - embeddings[0]).max()
    return bool(spread <= ALIKE * np.abs(embeddings).max())

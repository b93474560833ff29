"""Count the pairs that each threshold accepts: what both errors cost each other."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.distances import Float64, Integers, Pairs

THRESHOLDS = 400


@dataclass(frozen=True, slots=True)
class Accepted:
    """The numbers of pairs at most as far apart as each of K thresholds, by kind."""

    threshold: Float64  # (K,) ascending
    same: Integers  # (K,) pairs by one artist
    different: Integers  # (K,) pairs by two


def accepted_pairs(pairs: Pairs, also: Sequence[float] = ()) -> Accepted:
    """Count the accepted pairs at evenly spaced thresholds, and exactly at those in `also`.

    The thresholds span all distances, so the last one accepts every pair.

    >>> from model.distances import all_pairs
    >>> pairs = all_pairs(np.float32([[0], [1], [3], [7]]), np.array([0, 0, 1, 1]))
    >>> found = accepted_pairs(pairs, also=[2.5])
    >>> at = found.threshold.tolist().index(2.5)
    >>> int(found.same[at]), int(found.different[at])
    (1, 1)
    """
    distance = pairs.distance.astype(np.float64)
    spaced = np.linspace(distance.min(), distance.max(), THRESHOLDS)
    threshold = np.unique(np.concatenate([spaced, np.asarray(also, dtype=np.float64)]))
    same, different = (
        np.searchsorted(np.sort(distance[kind]), threshold, side="right")
        for kind in (pairs.same_artist, ~pairs.same_artist)
    )
    return Accepted(threshold, same, different)

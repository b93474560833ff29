"""The pairs that a network gets wrong most confidently."""

import numpy as np
import numpy.typing as npt

from model.distances import Pairs


def hardest_pairs(pairs: Pairs, threshold: float, count: int) -> npt.NDArray[np.int64]:
    """Indices of at most ``count`` pairs, those furthest on the wrong side of ``threshold`` first.

    Half of them (the odd one too) are pairs by two artists taken for one, the rest pairs by one
    artist taken for two. A pair at the threshold is predicted to be by the same artist.
    """
    beyond = pairs.distance.astype(np.float64) - threshold
    taken_for_one = np.flatnonzero(~pairs.same_artist & (beyond <= 0))
    taken_for_two = np.flatnonzero(pairs.same_artist & (beyond > 0))
    nearest = taken_for_one[np.argsort(beyond[taken_for_one], kind="stable")]
    furthest = taken_for_two[np.argsort(-beyond[taken_for_two], kind="stable")]
    return np.concatenate([nearest[: -(-count // 2)], furthest[: count // 2]])

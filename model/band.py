"""Choose the band of distances in which the verdict is "cannot tell"."""

import numpy as np

from model.calibration import Band, best_threshold
from model.distances import Float32, Float64, Integers, Pairs, require_both_kinds
from model.resampling import Draws, refused_from
from model.weighing import sort_pairs

CONFIDENCE = 0.95
"""How sure it is that the error rates are kept for other artists than those of the validation."""


def choose_band(
    pairs: Pairs, draws: Draws, false_acceptance: float, false_rejection: float
) -> Band:
    """Choose the band by the error rates that are accepted, on validation pairs.

    At most the share `false_acceptance` of the pairs by two artists is to get the verdict "same",
    and at most `false_rejection` of those by one artist "different". The validation artists are
    few, and others may be harder, so each end holds its rate in `CONFIDENCE` of the `draws` of
    artists. If one distance keeps both rates, no pair is left without a verdict. Raises
    `ModelInputError` unless `pairs` hold both kinds.
    """
    require_both_kinds(pairs)
    kinds = sort_pairs(pairs, draws.artist, draws.drawn.shape[1])
    refused = refused_from(kinds, draws.drawn, false_acceptance)
    first_refused = float(np.quantile(refused, 1 - CONFIDENCE, method="lower"))
    passing = pairs.distance[pairs.distance < first_refused]
    accept_within = float(passing.max()) if len(passing) else 0.0
    owner = draws.artist[pairs.first_idx[pairs.same_artist]]
    needed = _accepted_to(pairs.distance[pairs.same_artist], owner, draws, 1 - false_rejection)
    reject_beyond = float(np.quantile(needed, CONFIDENCE, method="higher"))
    if accept_within >= reject_beyond:  # one distance keeps both rates
        middle = best_threshold(pairs)
        is_kept = reject_beyond <= middle < first_refused
        accept_within = reject_beyond = middle if is_kept else accept_within
    return Band(accept_within, reject_beyond)


def _accepted_to(same_dist: Float32, owner: Integers, draws: Draws, share: float) -> Float64:
    """Smallest distance that accepts this share of each draw's same pairs (B,), without NaN."""
    order = np.argsort(same_dist)
    distance, owner = same_dist[order], owner[order]
    found = []
    for times in draws.drawn:
        accepted = np.cumsum(times[owner])
        if accepted[-1] > 0:
            least = np.searchsorted(accepted, share * accepted[-1])
            found.append(distance[min(int(least), len(distance) - 1)])
    return np.array(found or [distance[-1]], dtype=np.float64)

"""How good embeddings are, by triplets, by pairs (verification) and by neighbours (retrieval).

Where a split lacks what a metric is about, the metric raises `ModelInputError` and says what.
scikit-learn is imported where it is used: comparing two paintings need not wait for it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist

from model.distances import (
    NO_SAME_PAIR,
    Float32,
    Float64,
    Integers,
    Pairs,
    TripletDistances,
    all_pairs,
    finite_points,
    predicted_same,
    require_both_kinds,
    require_triplets,
    triplet_distances,
)
from model.errors import ModelInputError

__all__ = [
    "Pairs",
    "RocCurve",
    "TripletDistances",
    "Verdicts",
    "all_pairs",
    "balanced_accuracy",
    "count_verdicts",
    "eer",
    "map_at_r",
    "recall_at_1",
    "roc_auc",
    "roc_points",
    "triplet_accuracy",
    "triplet_distances",
    "triplet_loss_value",
]

QUERY_BLOCK = 256  # queries whose distances to the whole gallery are held at once


@dataclass(frozen=True, slots=True)
class RocCurve:
    """Points of a receiver operating characteristic, from (0, 0) to (1, 1)."""

    false_positive_rate: Float64  # (K,)
    true_positive_rate: Float64  # (K,)


@dataclass(frozen=True, slots=True)
class Verdicts:
    """How many pairs by one artist were accepted as such or rejected, and how many by two."""

    true_accepts: int
    false_rejects: int
    true_rejects: int
    false_accepts: int


def triplet_accuracy(distances: TripletDistances) -> float:
    """Share of triplets with d(anchor, positive) < d(anchor, negative); a tie is a mistake.

    >>> triplet_accuracy(TripletDistances(np.float32([1, 2, 3, 1]), np.float32([4, 2, 1, 2])))
    0.5
    """
    require_triplets(distances)
    return float(np.mean(distances.positive_dist < distances.negative_dist))


def triplet_loss_value(distances: TripletDistances, margin: float) -> float:
    """Mean of max(0, d(anchor, positive) - d(anchor, negative) + margin), as in training.

    With margin 1 the four triplets below cost 0, 1, 3 and 0.

    >>> distances = TripletDistances(np.float32([1, 2, 3, 1]), np.float32([4, 2, 1, 2]))
    >>> triplet_loss_value(distances, margin=1)
    1.0
    """
    require_triplets(distances)
    gap = distances.positive_dist.astype(np.float64) - distances.negative_dist
    return float(np.mean(np.maximum(0, gap + margin)))


def roc_auc(pairs: Pairs) -> float:
    """Chance that a pair by one artist is nearer than a pair by two; a tie counts half.

    Below, 0 and 1 are by one artist, 3 and 7 by another: the same distances are 1 and 4, the
    different ones 2, 3, 6 and 7, and 1 is below all four of those, 4 below two: 6 of 8.

    >>> roc_auc(all_pairs(np.float32([[0], [1], [3], [7]]), np.array([0, 0, 1, 1])))
    0.75
    """
    from sklearn.metrics import roc_auc_score

    require_both_kinds(pairs)
    return float(roc_auc_score(pairs.same_artist, -pairs.distance))


def eer(pairs: Pairs) -> float:
    """Equal error rate: the ROC curve's point where false positive rate = false negative rate.

    The curve is taken as straight between its points. Below, the threshold 3 lets half of the
    different distances 2, 3, 6 and 7 pass, and stops half of the same distances 1 and 4.

    >>> eer(all_pairs(np.float32([[0], [1], [3], [7]]), np.array([0, 0, 1, 1])))
    0.5
    """
    from sklearn.metrics import roc_curve

    require_both_kinds(pairs)
    false_positive, true_positive, _ = roc_curve(pairs.same_artist, -pairs.distance)
    # fpr = fnr = 1 - tpr just where fpr + tpr = 1, and that sum rises all along the curve
    return float(np.interp(1, false_positive + true_positive, false_positive))


def count_verdicts(pairs: Pairs, threshold: float) -> Verdicts:
    """Count the pairs that `threshold` judges rightly and wrongly, of either kind.

    Below, 4.5 lets both same distances 1 and 4 pass, and of the different distances 2, 3, 6 and 7
    the first two.

    >>> points, artists = np.float32([[0], [1], [3], [7]]), np.array([0, 0, 1, 1])
    >>> count_verdicts(all_pairs(points, artists), threshold=4.5)
    Verdicts(true_accepts=2, false_rejects=0, true_rejects=2, false_accepts=2)
    """
    accepted, same = predicted_same(pairs.distance, threshold), pairs.same_artist
    true_accepts = int(np.count_nonzero(accepted & same))
    false_accepts = int(np.count_nonzero(accepted)) - true_accepts
    n_same = int(np.count_nonzero(same))
    return Verdicts(
        true_accepts=true_accepts,
        false_rejects=n_same - true_accepts,
        true_rejects=len(same) - n_same - false_accepts,
        false_accepts=false_accepts,
    )


def balanced_accuracy(pairs: Pairs, threshold: float) -> float:
    """Mean of the shares of same and of different pairs judged rightly at `threshold`.

    Below, 4.5 lets both same distances 1 and 4 pass, and stops two of the different distances
    2, 3, 6 and 7: (1 + 1/2) / 2.

    >>> points, artists = np.float32([[0], [1], [3], [7]]), np.array([0, 0, 1, 1])
    >>> balanced_accuracy(all_pairs(points, artists), threshold=4.5)
    0.75
    """
    from sklearn.metrics import balanced_accuracy_score

    require_both_kinds(pairs)
    predicted = predicted_same(pairs.distance, threshold)
    return float(balanced_accuracy_score(pairs.same_artist, predicted))


def roc_points(pairs: Pairs, limit: int = 1000) -> RocCurve:
    """Corners of the ROC curve, thinned evenly to at most `limit` (2 or more), both ends kept.

    >>> curve = roc_points(all_pairs(np.float32([[0], [1], [3]]), np.array([7, 7, 8])))
    >>> curve.false_positive_rate.tolist(), curve.true_positive_rate.tolist()
    ([0.0, 0.0, 1.0], [0.0, 1.0, 1.0])
    """
    from sklearn.metrics import roc_curve

    require_both_kinds(pairs)
    false_positive, true_positive, _ = roc_curve(pairs.same_artist, -pairs.distance)
    corners = len(false_positive)
    kept = np.linspace(0, corners - 1, min(limit, corners)).round().astype(np.intp)
    return RocCurve(false_positive[kept], true_positive[kept])


def recall_at_1(embeddings: Float32, artists: Integers) -> float:
    """Share of queries whose nearest other image is by the same artist.

    Every row of `embeddings` (N, D) is a query, with every other row as its gallery. A query whose
    artist, in `artists` (N,), has no other image is left out, though it stays in the others'
    galleries. An image of another artist that is equally near makes the query a mistake, so
    embeddings that are all alike earn nothing. Below, only 3 is nearer to a stranger, 1.

    >>> recall_at_1(np.float32([[0], [1], [3], [7]]), np.array([0, 0, 1, 1]))
    0.75
    """
    return float(np.mean([ahead[0] == 0 for ahead in _strangers_ahead(embeddings, artists)]))


def map_at_r(embeddings: Float32, artists: Integers) -> float:
    """Mean average precision at R: Musgrave et al. 2020, "A Metric Learning Reality Check".

    R is the number of other images by the query's artist. A query scores the mean over the ranks
    i = 1 ... R of (precision among the i nearest if the i-th is by the artist, else 0). Shapes,
    queries left out and ties are as in `recall_at_1`. Below, R = 2: the queries 0 and 1 find right,
    wrong (1/2 each), 5 finds wrong, right (1/4), and 3 is left out: 5/4 over 3.

    >>> round(map_at_r(np.float32([[0], [1], [5], [3]]), np.array([0, 0, 0, 1])), 4)
    0.4167
    """
    scores = [_average_precision(ahead) for ahead in _strangers_ahead(embeddings, artists)]
    return float(np.mean(scores))


def _average_precision(ahead: Integers) -> float:
    found = np.arange(1, len(ahead) + 1)
    precision = found / (found + ahead)
    return float(np.sum(precision[found + ahead <= len(ahead)]) / len(ahead))


def _strangers_ahead(embeddings: Float32, artists: Integers) -> Iterator[Integers]:
    """For each query's own images (R,), nearest first: how many strangers are at least as near."""
    if len(np.unique(artists)) == len(artists):
        raise ModelInputError(NO_SAME_PAIR)
    points = finite_points(embeddings)
    for start in range(0, len(points), QUERY_BLOCK):
        for query, dist in enumerate(cdist(points[start : start + QUERY_BLOCK], points), start):
            own = artists == artists[query]
            strangers = np.sort(dist[~own])
            own[query] = False
            if own.any():
                yield np.searchsorted(strangers, np.sort(dist[own]), side="right")

"""Compare two recipes on the same folds of artists, metric by metric."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from model.distances import Float32, Integers, Pairs, TripletDistances, all_pairs
from model.evaluation import distances_of
from model.measures import matched_pairs
from model.paired import Difference, paired_roc_auc, paired_triplet_accuracy
from model.triplets import Triplets


@dataclass(frozen=True, slots=True)
class JudgedTriplets:
    """The distances of triplets, and their artists (T,)."""

    distances: TripletDistances
    anchor_artist: Integers
    negative_artist: Integers


@dataclass(frozen=True, slots=True)
class Tested:
    """A recipe's results on one fold from one seed; `artists` (N,) are its images'.

    The matched results are None if there are none.
    """

    fold: int
    artists: Integers
    pairs: Pairs
    triplets: JudgedTriplets
    matched_pairs: Pairs | None = None
    matched_triplets: JudgedTriplets | None = None


def judge_fold(
    fold: int,
    embeddings: Float32,
    artists: Integers,
    triplets: Triplets,
    matched: Triplets | None = None,
    labels: Integers | None = None,
) -> Tested:
    """Measure a fold's embeddings (N, D) by `artists` (N,); `labels` (N,) define what matches."""
    pairs = all_pairs(embeddings, artists)
    return Tested(
        fold,
        artists,
        pairs,
        _judged(embeddings, artists, triplets),
        None if labels is None else matched_pairs(pairs, labels),
        None if matched is None else _judged(embeddings, artists, matched),
    )


def compare(
    ours: Sequence[Tested], theirs: Sequence[Tested], resamples: int, seed: int = 0
) -> Iterator[tuple[str, Difference]]:
    """How much better ours are than theirs, each given for the same folds and seeds.

    Matched metrics are compared if both have them on every fold.
    """
    folds, artists = [one.fold for one in ours], [one.artists for one in ours]

    def in_pairs(one: Sequence[Pairs], other: Sequence[Pairs]) -> Difference:
        return paired_roc_auc(one, other, artists, resamples=resamples, seed=seed, folds=folds)

    def in_triplets(one: Sequence[JudgedTriplets], other: Sequence[JudgedTriplets]) -> Difference:
        return paired_triplet_accuracy(
            [each.distances for each in one],
            [each.distances for each in other],
            [each.anchor_artist for each in one],
            [each.negative_artist for each in one],
            resamples=resamples,
            seed=seed,
            folds=folds,
        )

    sides = (ours, theirs)
    yield "roc_auc", in_pairs(*([one.pairs for one in side] for side in sides))
    yield "triplet_accuracy", in_triplets(*([one.triplets for one in side] for side in sides))
    alike = [[one.matched_pairs for one in side if one.matched_pairs] for side in sides]
    if len(alike[0]) == len(alike[1]) == len(ours):
        yield "matched_roc_auc", in_pairs(*alike)
    matched = [[one.matched_triplets for one in side if one.matched_triplets] for side in sides]
    if len(matched[0]) == len(matched[1]) == len(ours):
        yield "matched_triplet_accuracy", in_triplets(*matched)


def _judged(embeddings: Float32, artists: Integers, triplets: Triplets) -> JudgedTriplets:
    return JudgedTriplets(
        distances_of(embeddings, triplets),
        artists[triplets.anchor_idx],
        artists[triplets.negative_idx],
    )

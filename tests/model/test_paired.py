"""Paired differences against a plain loop over draws, with scikit-learn's weighted ROC AUC."""

import numpy as np
import pytest
from numpy.typing import NDArray

from model.distances import Pairs, TripletDistances, all_pairs
from model.errors import ModelInputError
from model.metrics import roc_auc
from model.paired import fold_stream, paired_roc_auc, paired_triplet_accuracy
from model.resampling import draw_artists
from tests.model.resampled import naive_auc, painted, roc_auc_interval, some_triplets

Fold = tuple[Pairs, Pairs, NDArray[np.intp]]


def fold(seed: int, artists: int = 10) -> Fold:
    """A fold's pairs by a good and by a noisy embedding, and its images' artists."""
    points, artist = painted(seed, artists, images=4, apart=1.5)
    noise = np.random.default_rng(seed).normal(size=points.shape).astype(np.float32)
    return all_pairs(points, artist), all_pairs(points + noise, artist), artist


def naive_difference(folds: list[Fold], resamples: int, seed: int) -> NDArray[np.float64]:
    """Difference on every draw; each fold's artists are drawn once for both."""
    rngs = [fold_stream(seed, place) for place in range(len(folds))]
    drawn = [
        draw_artists(artist, resamples, rng).drawn
        for (_, _, artist), rng in zip(folds, rngs, strict=True)
    ]
    figures = []
    for draw in range(resamples):
        gains = [
            naive_auc(ours, artist, times[draw]) - naive_auc(theirs, artist, times[draw])
            for (ours, theirs, artist), times in zip(folds, drawn, strict=True)
        ]
        figures.append(np.mean(gains))
    return np.array(figures)


def test_the_difference_in_roc_auc_equals_a_plain_loop_over_the_same_draws() -> None:
    folds = [fold(1), fold(2, artists=14)]
    ours, theirs, artists = zip(*folds, strict=True)
    found = paired_roc_auc(ours, theirs, artists, resamples=100, seed=5)
    gains = [roc_auc(one) - roc_auc(other) for one, other, _ in folds]
    assert found.value == pytest.approx(np.mean(gains))
    low, high = np.quantile(naive_difference(folds, 100, 5), [0.025, 0.975])
    assert (found.low, found.high) == pytest.approx((low, high))


def test_the_difference_in_triplet_accuracy_equals_a_plain_loop() -> None:
    folds = [some_triplets(1), some_triplets(2, artists=6)]
    others = [some_triplets(seed, artists)[0] for seed, artists in ((3, 10), (4, 6))]
    found = paired_triplet_accuracy(
        [each[0] for each in folds],
        others,
        [each[1] for each in folds],
        [each[2] for each in folds],
        resamples=100,
        seed=6,
    )
    rngs = [fold_stream(6, place) for place in range(2)]
    values, figures = [], []
    for (ours, anchor, negative), theirs, rng in zip(folds, others, rngs, strict=True):
        right = [each.positive_dist < each.negative_dist for each in (ours, theirs)]
        gain = right[0].astype(float) - right[1]
        drawn = draw_artists(np.arange(anchor.max() + 1), 100, rng).drawn
        values.append(gain.mean())
        figures.append([np.average(gain, weights=m[anchor] * m[negative]) for m in drawn])
    low, high = np.quantile(np.mean(figures, axis=0), [0.025, 0.975])
    assert found.value == pytest.approx(np.mean(values))
    assert (found.low, found.high) == pytest.approx((low, high))


def test_an_embedding_differs_from_itself_by_zero() -> None:
    pairs, _, artist = fold(3)
    found = paired_roc_auc([pairs], [pairs], [artist], resamples=50, seed=0)
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_swapping_the_two_flips_the_sign() -> None:
    pairs, noisy, artist = fold(4)
    gain = paired_roc_auc([pairs], [noisy], [artist], resamples=200, seed=0)
    loss = paired_roc_auc([noisy], [pairs], [artist], resamples=200, seed=0)
    assert (loss.value, loss.low, loss.high) == pytest.approx((-gain.value, -gain.high, -gain.low))


def test_the_difference_has_a_narrower_interval_than_either_value() -> None:
    pairs, noisy, artist = fold(5, artists=30)
    found = paired_roc_auc([pairs], [noisy], [artist], resamples=500, seed=0)
    alone = [roc_auc_interval(each, artist, resamples=500, seed=0) for each in (pairs, noisy)]
    assert found.low < found.value < found.high
    assert found.high - found.low < min(each.high - each.low for each in alone)


def test_a_resample_without_pairs_in_some_fold_is_skipped_for_both() -> None:
    # Half of the draws take only one of the two artists, and have no pairs by two.
    folds = [fold(6, artists=2), fold(7, artists=2)]
    ours, theirs, artists = zip(*folds, strict=True)
    rngs = [fold_stream(8, place) for place in range(2)]
    usable = np.all([(draw_artists(np.arange(2), 40, rng).drawn > 0).all(1) for rng in rngs], 0)
    assert 0 < usable.sum() < 20
    found = paired_roc_auc(ours, theirs, artists, resamples=40, seed=8)
    # With both artists drawn once, all usable draws are the same.
    assert (found.low, found.high) == pytest.approx((found.value, found.value))
    unusable = next(seed for seed in range(99) if not _is_usable(seed))
    with pytest.raises(ModelInputError, match="more resamples or more artists"):
        paired_roc_auc(ours[:1], theirs[:1], artists[:1], resamples=1, seed=unusable)


def _is_usable(seed: int) -> bool:
    return bool((draw_artists(np.arange(2), 1, fold_stream(seed, 0)).drawn > 0).all())


def test_results_on_different_images_are_not_compared() -> None:
    ours, _, artist = fold(9)
    with pytest.raises(ModelInputError, match="not evaluated on the same images"):
        paired_roc_auc([ours], [fold(9, artists=9)[0]], [artist], resamples=5, seed=0)
    none = np.zeros(0, np.float32)
    with pytest.raises(ModelInputError, match="no triplets"):
        paired_triplet_accuracy(
            [TripletDistances(none, none)],
            [TripletDistances(none, none)],
            [np.zeros(0, np.intp)],
            [np.zeros(0, np.intp)],
            resamples=5,
            seed=0,
        )


def test_trainings_of_one_fold_share_its_draws() -> None:
    ours, theirs, artist = fold(10, artists=12)
    once = paired_roc_auc([ours], [theirs], [artist], resamples=60, seed=3, folds=[4])
    twice = paired_roc_auc(
        [ours, ours], [theirs, theirs], [artist, artist], resamples=60, seed=3, folds=[4, 4]
    )
    apart = paired_roc_auc([ours, ours], [theirs, theirs], [artist, artist], resamples=60, seed=3)
    assert twice == once
    assert apart.high - apart.low < once.high - once.low

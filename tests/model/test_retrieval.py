"""Retrieval metrics against naive loops that follow their definitions."""

import doctest
from random import Random

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from model import retrieval
from model.distances import all_pairs
from model.errors import ModelInputError
from model.metrics import eer, roc_auc
from model.retrieval import (
    average_precision_at_r,
    map_at_r,
    matched_average_precision_at_r,
    recall_at_1,
)

quick = settings(max_examples=50)
Split = tuple[NDArray[np.float32], NDArray[np.intp]]


def test_the_examples_in_the_docstrings_hold() -> None:
    outcome = doctest.testmod(retrieval)
    assert outcome.attempted > 0
    assert outcome.failed == 0


@st.composite
def splits(draw: st.DrawFn) -> Split:
    """Embeddings on a small grid with many ties; one artist has two images."""
    artists = draw(st.lists(st.integers(0, 3), min_size=3, max_size=14))
    assume(1 < len(set(artists)) < len(artists))
    points = [draw(st.tuples(st.integers(0, 4), st.integers(0, 4))) for _ in artists]
    return np.array(points, np.float32), np.array(artists)


def ranked(split: Split, query: int) -> list[bool]:
    """Whether each other image is by the query's artist, nearest first, others first in ties."""
    points, artists = split
    others = [row for row in range(len(artists)) if row != query]
    others.sort(
        key=lambda row: (((points[row] - points[query]) ** 2).sum(), artists[row] == artists[query])
    )
    return [artists[row] == artists[query] for row in others]


def queries(split: Split) -> list[list[bool]]:
    return [hits for row in range(len(split[1])) if any(hits := ranked(split, row))]


def precision_at_r(split: Split) -> float:
    return float(np.mean([np.mean(hits[: sum(hits)]) for hits in queries(split)]))


@quick
@given(splits())
def test_recall_at_1_is_the_share_of_first_hits(split: Split) -> None:
    assert recall_at_1(*split) == pytest.approx(np.mean([hits[0] for hits in queries(split)]))


@quick
@given(splits())
def test_map_at_r_follows_the_paper_s_sum(split: Split) -> None:
    scores = []
    for hits in queries(split):
        r = sum(hits)
        precisions = [sum(hits[:i]) / i if hits[i - 1] else 0 for i in range(1, r + 1)]
        scores.append(sum(precisions) / r)
    assert map_at_r(*split) == pytest.approx(np.mean(scores))
    assert map_at_r(*split) <= precision_at_r(split) + 1e-12


@quick
@given(st.integers(0, 2**32 - 1), st.integers(2, 12))
def test_both_retrieval_metrics_agree_with_two_images_per_artist(seed: int, artists: int) -> None:
    points = np.random.default_rng(seed).normal(size=(2 * artists, 3)).astype(np.float32)
    numbers = np.repeat(np.arange(artists), 2)
    assert map_at_r(points, numbers) == pytest.approx(recall_at_1(points, numbers))


@quick
@given(splits(), st.randoms())
def test_the_order_of_the_images_changes_nothing(split: Split, random: Random) -> None:
    order = list(range(len(split[1])))
    random.shuffle(order)
    points, artists = split
    mixed = points[order], artists[order]
    for metric in (recall_at_1, map_at_r):
        assert metric(*mixed) == pytest.approx(metric(*split))
    for judged in (roc_auc, eer):
        assert judged(all_pairs(*mixed)) == pytest.approx(judged(all_pairs(*split)))


def test_constant_embeddings_score_zero() -> None:
    points, artists = np.ones((6, 4), np.float32), np.array([0, 0, 0, 1, 1, 1])
    assert recall_at_1(points, artists) == 0
    assert map_at_r(points, artists) == 0
    assert roc_auc(all_pairs(points, artists)) == 0.5


def test_galleries_larger_than_a_block_are_searched_completely() -> None:
    rng = np.random.default_rng(5)
    artists = np.arange(3 * retrieval.QUERY_BLOCK // 2) // 3
    points = rng.normal(size=(len(artists) // 3, 8))[artists] * 1.5
    points += rng.normal(size=points.shape)
    gap = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(gap, np.inf)
    expected = np.mean(artists[gap.argmin(axis=1)] == artists)
    assert 0.1 < expected < 0.95
    assert recall_at_1(points.astype(np.float32), artists) == pytest.approx(expected)


def test_retrieval_without_any_match_is_refused() -> None:
    points = np.eye(3, dtype=np.float32)
    for metric in (recall_at_1, map_at_r):
        with pytest.raises(ModelInputError, match="no two images by one artist"):
            metric(points, np.arange(3))


@quick
@given(splits())
def test_a_query_without_a_match_has_no_average_precision(split: Split) -> None:
    scores = average_precision_at_r(*split)
    assert [not np.isnan(score) for score in scores] == [
        any(ranked(split, row)) for row in range(len(split[1]))
    ]


@quick
@given(splits(), st.data())
def test_a_matched_query_searches_only_images_with_its_label(
    split: Split, data: st.DataObject
) -> None:
    points, artists = split
    label = st.integers(-1, 1)
    labels = np.array(data.draw(st.lists(label, min_size=len(artists), max_size=len(artists))))
    scores = matched_average_precision_at_r(points, artists, labels)
    for query in range(len(artists)):
        beside = labels == labels[query]
        hits = ranked((points[beside], artists[beside]), int(beside[:query].sum()))
        if labels[query] == -1 or not any(hits) or all(hits):
            assert np.isnan(scores[query])
        else:
            r = sum(hits)
            precisions = [sum(hits[:i]) / i if hits[i - 1] else 0 for i in range(1, r + 1)]
            assert scores[query] == pytest.approx(sum(precisions) / r)

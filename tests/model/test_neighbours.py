"""Nearest embeddings, against scikit-learn."""

import doctest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from model import neighbours
from model.errors import ModelInputError
from model.neighbours import nearest


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(neighbours).failed == 0


@settings(max_examples=20)
@given(st.integers(0, 999), st.integers(2, 700), st.integers(1, 30), st.booleans())
def test_they_are_those_of_scikit_learn(seed: int, n: int, count: int, leave_out: bool) -> None:
    gallery = np.random.default_rng(seed).normal(size=(n, 6)).astype(np.float32)
    own = np.arange(n) if leave_out else None
    found = nearest(gallery, gallery, count, own)
    k = min(count, n - leave_out)
    oracle = NearestNeighbors(n_neighbors=k).fit(gallery)
    distance, rows = oracle.kneighbors(None if leave_out else gallery)
    assert found.rows.shape == (n, k)
    assert np.allclose(found.distance, distance, atol=1e-4)
    assert (found.rows == rows).mean() > 0.99  # but for near ties


def test_equal_embeddings_are_at_distance_0() -> None:
    gallery = np.random.default_rng(0).normal(size=(50, 300)).astype(np.float32)
    found = nearest(gallery[:5], np.vstack([gallery, gallery]), 2)
    assert (found.distance == 0).all()
    assert sorted(found.rows[3].tolist()) == [3, 53]


def test_an_index_finds_nearly_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    gallery = (rng.normal(size=(100, 32))[rng.integers(0, 100, 3_000)] * 3).astype(np.float32)
    gallery += rng.normal(size=gallery.shape).astype(np.float32)
    exact = nearest(gallery, gallery, 10, np.arange(3_000))
    monkeypatch.setattr(neighbours, "EXACT", 0)
    indexed = nearest(gallery, gallery, 10, np.arange(3_000))
    agreement = [len({*a} & {*b}) / 10 for a, b in zip(exact.rows, indexed.rows, strict=True)]
    assert np.mean(agreement) > 0.98
    assert (indexed.rows != np.arange(3_000)[:, None]).all()


def test_an_embedding_that_is_not_finite_is_told() -> None:
    gallery = np.array([[0.0], [np.nan]], np.float32)
    with pytest.raises(ModelInputError, match="not finite"):
        nearest(gallery, gallery, 1)

"""What is unlike all training images, against scikit-learn's nearest neighbours."""

import doctest

import numpy as np
from sklearn.neighbors import NearestNeighbors

from model import experience
from model.distances import all_pairs
from model.experience import KEPT, are_unfamiliar, gather_experience, spread_out

RNG = np.random.default_rng(0)
SEEN, UNSEEN = (RNG.normal(size=(count, 5)).astype(np.float32) for count in (80, 200))
PAIRS = all_pairs(UNSEEN, np.arange(200) // 10)
KNOWN = gather_experience(SEEN, UNSEEN, PAIRS)


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(experience).failed == 0


def test_the_reach_holds_all_but_one_in_a_hundred() -> None:
    nearest = NearestNeighbors(n_neighbors=1).fit(SEEN).kneighbors(UNSEEN)[0][:, 0]
    assert np.isclose(KNOWN.reach, np.percentile(nearest, 99))
    assert are_unfamiliar(UNSEEN, KNOWN).sum() == 2
    assert are_unfamiliar(UNSEEN, KNOWN).tolist() == (nearest > KNOWN.reach).tolist()
    assert are_unfamiliar(SEEN + np.float32(99), KNOWN).all()


def test_every_pair_is_in_a_histogram() -> None:
    assert KNOWN.same.sum() == PAIRS.same_artist.sum()
    assert KNOWN.different.sum() == (~PAIRS.same_artist).sum()
    assert KNOWN.edges[-1] == PAIRS.distance.max()


def test_equal_embeddings_have_a_histogram_too() -> None:
    alike = np.ones((4, 2), np.float32)
    known = gather_experience(alike, alike, all_pairs(alike, np.arange(4) // 2))
    assert (known.reach, known.same.sum()) == (0, 2)
    assert not are_unfamiliar(alike, known).any()


def test_few_images_are_all_kept_and_many_evenly() -> None:
    assert spread_out(np.arange(5)).tolist() == [0, 1, 2, 3, 4]
    kept = spread_out(np.arange(10 * KEPT))
    assert len(kept) == KEPT
    assert set(np.diff(kept)) <= {10, 11}

"""A map keeps neighbours together."""

import numpy as np
import pytest
from sklearn.manifold import trustworthiness

from model.errors import ModelInputError
from model.projection import project

RNG = np.random.default_rng(0)


def test_neighbours_stay_together() -> None:
    points = (
        4 * RNG.normal(size=(10, 20))[np.arange(300) % 10] + RNG.normal(size=(300, 20))
    ).astype(np.float32)
    spots = project(points)
    assert spots.shape == (300, 2)
    assert trustworthiness(points, spots, n_neighbors=10) > 0.9


@pytest.mark.parametrize("count", [1, 2, 3, 11, 40])
def test_any_number_of_pictures_has_a_place_even_if_all_are_one(count: int) -> None:
    for points in (RNG.normal(size=(count, 5)), np.ones((count, 5)), np.ones((count, 1))):
        spots = project(points.astype(np.float32))
        assert spots.shape == (count, 2)
        assert np.isfinite(spots).all()


def test_an_embedding_that_is_not_finite_is_told() -> None:
    with pytest.raises(ModelInputError, match="not finite"):
        project(np.array([[np.nan, 0.0]], np.float32))

"""Hiding a part tells what it adds to the likeness."""

import numpy as np
import numpy.typing as npt

from model.occlusion import likeness, occlude

RNG = np.random.default_rng(0)
CROP = RNG.integers(0, 256, (12, 12, 3), dtype=np.uint8)


def test_each_copy_hides_one_part_under_the_mean_colour() -> None:
    copies = occlude(CROP, parts=3)
    assert copies.shape == (9, 12, 12, 3)
    hidden = copies[5]  # the second row's last part
    assert (hidden[4:8, 8:] == CROP.mean(axis=(0, 1)).round()).all()
    changed = (hidden != CROP).any(axis=2)
    assert not changed[:4].any()
    assert not changed[8:].any()
    assert not changed[:, :8].any()
    assert (copies != CROP).any(axis=3).reshape(9, -1).any(axis=1).all()


def test_parts_that_both_have_make_them_alike_and_others_set_them_apart() -> None:
    """An embedding of the levels of the four quarters, of which the first two are compared."""
    alike = np.zeros((8, 8, 3), np.uint8)
    alike[:4, :4] = 200
    other = alike.copy()
    other[4:, 4:] = 100  # only the other has it

    def embed(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        quarters = pixels.astype(np.float32).reshape(len(pixels), 2, 4, 2, 4, 3)
        return np.asarray(quarters.mean(axis=(2, 4, 5)).reshape(len(pixels), 4))

    found = likeness(embed, alike, other, parts=2)
    assert found[0, 0] > 50  # hidden, the bright quarter no longer agrees
    assert found[1, 1] < 0  # hidden by a brighter colour, it comes closer to the other's
    assert np.isclose(found[0, 0], np.hypot(150, 100) - 100)
    assert np.isclose(found[1, 1], 50 - 100)

"""Embeddings against plain forward passes, mean colours against Pillow's."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageStat

from model.compute import Compute
from model.embedding import EMBEDDING_BATCH, embed, mean_colours
from model.network import NetworkShape, SiameseNetwork, build_network

FLOAT32 = Compute("cpu", "float32")
PIXELS = np.random.default_rng(6).integers(256, size=(12, 32, 32, 3), dtype=np.uint8)


@pytest.fixture(scope="module", autouse=True)
def _crops_cannot_be_written() -> Iterator[None]:
    """Crops memory-mapped from a read-only file."""
    PIXELS.setflags(write=False)
    yield
    PIXELS.setflags(write=True)


@pytest.fixture(scope="module")
def network() -> SiameseNetwork:
    """A network with dropout and changed batch statistics."""
    network = build_network(NetworkShape(32, 8, 4), "none", seed=3)
    network.train()(torch.from_numpy(PIXELS[:6].copy()))
    return network


def by_hand(network: SiameseNetwork, rows: list[int]) -> NDArray[np.float32]:
    """Each row separately, without a batch."""
    network.eval()
    with torch.no_grad():
        single = [network(torch.from_numpy(PIXELS[row][None].copy())).numpy() for row in rows]
    return np.concatenate(single)


def test_requested_rows_are_embedded_in_order(network: SiameseNetwork) -> None:
    rows = [7, 0, 11, 3, 3]
    network.train()  # so that embedding has to leave training mode by itself
    embeddings = embed(network, PIXELS, np.array(rows), FLOAT32)
    assert embeddings.dtype == np.float32
    np.testing.assert_allclose(embeddings, by_hand(network, rows), rtol=1e-3, atol=1e-5)
    assert np.ptp(embeddings, axis=0).min() > 1e-3  # the crops differ


def test_more_rows_than_a_batch_are_embedded_with_progress(network: SiameseNetwork) -> None:
    rows = np.arange(EMBEDDING_BATCH + 5) % len(PIXELS)
    told: list[tuple[int, int]] = []
    embeddings = embed(
        network, PIXELS, rows, FLOAT32, lambda done, total: told.append((done, total))
    )
    each = by_hand(network, list(range(len(PIXELS))))
    np.testing.assert_allclose(embeddings, each[rows], rtol=1e-3, atol=1e-5)
    assert told == [(EMBEDDING_BATCH, len(rows)), (len(rows), len(rows))]


def test_embedding_does_not_change_the_network(network: SiameseNetwork) -> None:
    before = {name: value.clone() for name, value in network.state_dict().items()}
    embed(network, PIXELS, np.arange(12), FLOAT32)
    after = network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_bfloat16_is_close_to_float32(network: SiameseNetwork) -> None:
    rows = np.arange(12)
    coarse = embed(network, PIXELS, rows, Compute("cpu", "bfloat16"))
    exact = embed(network, PIXELS, rows, FLOAT32)
    assert coarse.dtype == np.float32
    assert not np.array_equal(coarse, exact)
    np.testing.assert_allclose(coarse, exact, atol=0.05 * float(np.abs(exact).max()))


def test_mean_colours_equal_pillows() -> None:
    rows = np.array([4, 1, 9])
    expected = [ImageStat.Stat(Image.fromarray(PIXELS[row])).mean for row in rows]
    colours = mean_colours(PIXELS, rows)
    assert colours.dtype == np.float32
    np.testing.assert_allclose(colours, expected, rtol=1e-6)


def test_no_batch_waits_for_another() -> None:
    """On torch's device that computes nothing, only the copy at the end fails."""
    network = build_network(NetworkShape(32, 8, 4), "none", seed=3)
    rows = np.arange(2 * EMBEDDING_BATCH + 5) % len(PIXELS)
    told: list[int] = []
    with pytest.raises(NotImplementedError, match="Cannot copy out of meta"):
        embed(network, PIXELS, rows, Compute("meta", "float32"), lambda done, _: told.append(done))
    assert told == [EMBEDDING_BATCH, 2 * EMBEDDING_BATCH, len(rows)]

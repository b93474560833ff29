"""Exported networks against the original torch networks."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.spatial.distance import pdist

from model.compute import Compute
from model.embedding import embed, embed_features, pool_features
from model.errors import ModelInputError
from model.export import check_export, export_features, export_network
from model.exported import ExportedNetwork, describe_anew, embed_exported, open_exported
from model.network import NetworkShape, SiameseNetwork, build_network

SHAPES = {
    "resnet": NetworkShape(crop_size=64, hidden_size=16, embedding_size=8),
    "lite": NetworkShape(
        crop_size=64,
        hidden_size=16,
        embedding_size=8,
        backbone="tf_efficientnet_lite0",
        features="statistics",
        normalised=True,
        mirrored=True,
        frozen=True,
    ),
}
WEIGHTS = {"resnet": "none", "lite": "pretrained"}
CPU = Compute("cpu", "float32")


@pytest.fixture(scope="module", params=SHAPES)
def exported(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[SiameseNetwork, Path]:
    """A network, and the file it was exported to."""
    network = build_network(SHAPES[request.param], WEIGHTS[request.param], seed=1)
    path = tmp_path_factory.mktemp("exported") / f"{request.param}.onnx"
    export_network(network, path, {"crop": {"size": 64}})
    return network, path


def crops(count: int) -> NDArray[np.uint8]:
    """Random crops, a black one and a white one."""
    drawn = np.random.default_rng(3).integers(256, size=(count, 64, 64, 3), dtype=np.uint8)
    drawn[:1], drawn[1:2] = 0, 255
    return drawn


def paintings(artists: int, each: int) -> NDArray[np.uint8]:
    """Crops of stripes, with a width for each artist."""
    generator, columns = np.random.default_rng(5), np.arange(64)
    drawn = [
        (columns // (artist + 1) % 2)[None, :, None] * 90 + generator.integers(0, 120, (64, 64, 3))
        for artist in range(artists)
        for _ in range(each)
    ]
    return np.stack(drawn).astype(np.uint8)


def relative_error(found: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


@pytest.mark.parametrize("count", [1, 2, 3, 17])
def test_any_number_of_crops_is_embedded_as_by_torch(
    exported: tuple[SiameseNetwork, Path], count: int
) -> None:
    network, path = exported
    pixels, rows = crops(count), np.arange(count)
    found = embed_exported(open_exported(path), pixels, rows)
    assert found.dtype == np.float32
    assert relative_error(found, embed(network, pixels, rows, CPU)) < 1e-5


def test_verdicts_equal_torchs_except_at_the_threshold(
    exported: tuple[SiameseNetwork, Path],
) -> None:
    network, path = exported
    pixels, rows = paintings(artists=8, each=4), np.arange(32)
    by_torch, by_file = (
        pdist(vectors.astype(np.float64))
        for vectors in (
            embed(network, pixels, rows, CPU),
            embed_exported(open_exported(path), pixels, rows),
        )
    )
    threshold = float(np.median(by_torch))  # where most pairs are near
    clear = np.abs(by_torch - threshold) > 1e-4
    assert clear.sum() > 400
    np.testing.assert_array_equal(by_file[clear] <= threshold, by_torch[clear] <= threshold)


def test_requested_rows_are_embedded_with_progress(
    exported: tuple[SiameseNetwork, Path],
) -> None:
    network, told = open_exported(exported[1]), []
    rows = np.array([20, 3, 3, 7] * 5)
    found = embed_exported(network, crops(21), rows, lambda *done: told.append(done))
    expected = embed_exported(network, crops(21)[rows], np.arange(20))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    assert told == [(16, 20), (20, 20)]


def test_the_description_is_stored_in_the_file(exported: tuple[SiameseNetwork, Path]) -> None:
    assert open_exported(exported[1]).description == {"crop": {"size": 64}}


def test_another_description_does_not_change_the_network(
    exported: tuple[SiameseNetwork, Path], tmp_path: Path
) -> None:
    describe_anew(exported[1], tmp_path / "anew.onnx", {"threshold": 0.5})
    anew, before = open_exported(tmp_path / "anew.onnx"), open_exported(exported[1])
    assert anew.description == {"threshold": 0.5}
    assert anew.embedding_size == before.embedding_size == 8
    np.testing.assert_array_equal(anew(crops(3)), before(crops(3)))


def test_an_export_is_a_single_file(exported: tuple[SiameseNetwork, Path]) -> None:
    assert list(exported[1].parent.iterdir()) == [exported[1]]


def test_exported_features_equal_torchs_and_feed_the_head(tmp_path: Path) -> None:
    shape = replace(SHAPES["lite"], backbone="test_efficientnet")  # exported in less time
    network = build_network(shape, "none", seed=1)
    backbone, whole = tmp_path / "backbone.onnx", tmp_path / "whole.onnx"
    export_features(network, backbone, {})
    pixels, rows = crops(5), np.arange(5)
    mirrored = np.ascontiguousarray(pixels[:, :, ::-1])
    features, of_mirrored = (
        embed_exported(open_exported(backbone), each, rows) for each in (pixels, mirrored)
    )
    assert relative_error(features, pool_features(network, pixels, rows, CPU)) < 1e-5
    expected = embed(network, pixels, rows, CPU)
    assert relative_error(embed_features(network, features, of_mirrored), expected) < 1e-5
    export_network(network, whole, {}, backbone)
    assert relative_error(embed_exported(open_exported(whole), pixels, rows), expected) < 1e-5


def test_an_export_of_another_network_is_refused(exported: tuple[SiameseNetwork, Path]) -> None:
    network, path = exported
    assert check_export(network, path, crops(4)) < 1e-5
    other = build_network(network.shape, "none", seed=9)
    with pytest.raises(ModelInputError, match="differs from the original"):
        check_export(other, path, crops(4))


@pytest.mark.parametrize("content", [None, b"", b"<html>", b"\x08\x07" * 50])
def test_a_file_that_is_not_an_exported_network_is_refused(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "network.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelInputError, match=str(path)):
        open_exported(path)


def test_running_an_exported_network_does_not_import_torch(
    exported: tuple[SiameseNetwork, Path],
) -> None:
    code = (
        "import sys, numpy as np; from pathlib import Path;"
        "from model.exported import open_exported;"
        "open_exported(Path(sys.argv[1]))(np.zeros((1, 64, 64, 3), np.uint8));"
        "print('torch' in sys.modules)"
    )
    run = [sys.executable, "-c", code, str(exported[1])]
    assert subprocess.run(run, capture_output=True, text=True, check=True).stdout.strip() == "False"


def test_exporting_does_not_change_the_network(exported: tuple[SiameseNetwork, Path]) -> None:
    network, _ = exported
    assert isinstance(open_exported(exported[1]), ExportedNetwork)
    assert all(weight.device == torch.device("cpu") for weight in network.parameters())

"""Features of a frozen backbone: shards of a killed process are gone on with, byte for byte."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from prefect.logging import disable_run_logger

from model.export import export_features
from model.network import NetworkShape, build_network
from model.warp import WarpRanges
from storage.datasets.dataset import Dataset
from storage.shards import Shard, shards_of
from storage.workspace import Workspace
from tasks.features import (
    Copy,
    FeaturePlan,
    WarpedCopy,
    embed_features_shard,
    pack_features,
    plan_features,
)

COUNT, SIZE = 60, 64
SHAPE = NetworkShape(
    crop_size=SIZE, backbone="test_efficientnet", features="statistics", frozen=True
)
COPIES: dict[str, Copy] = {
    "plain": "plain",
    "mirrored": "mirrored",
    "warped": WarpedCopy(WarpRanges(), seed=3, number=1),
}


@pytest.fixture(scope="module")
def made_of(tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, Path]:
    """A dataset of random crops, and an exported backbone."""
    folder = tmp_path_factory.mktemp("dataset")
    pixels = np.random.default_rng(1).integers(256, size=(COUNT, SIZE, SIZE, 3), dtype=np.uint8)
    np.save(folder / "pixels.npy", pixels)
    (folder / "crops.zip").write_bytes(b"crops")
    names = [f"{number}.jpg" for number in range(COUNT)]
    rows = {"image_name": names, "artist_name": "A", "file": names, "split": "train"}
    pd.DataFrame(rows | {"crop": range(COUNT)}).to_csv(folder / "catalog.csv", index=False)
    export_features(build_network(SHAPE, "none", 0), folder / "backbone.onnx", {})
    return Dataset(folder), folder / "backbone.onnx"


def plan_in(home: Path, made_of: tuple[Dataset, Path], copy: Copy) -> FeaturePlan:
    with disable_run_logger():
        return plan_features.fn(*made_of, Workspace(home, ""), copy)


def shards() -> tuple[Shard[int], ...]:
    return shards_of(range(COUNT), 6)


def make(plan: FeaturePlan) -> bytes:
    """What the store holds in the end."""
    with disable_run_logger():
        pack_features.fn(plan, [embed_features_shard.fn(plan, shard) for shard in shards()])
    return plan.store.array.read_bytes()


def begin(home: Path, folder: Path, kind: str) -> None:
    """Make shards until killed; run by a process of its own."""
    plan = plan_in(home, (Dataset(folder), folder / "backbone.onnx"), COPIES[kind])
    with disable_run_logger():
        for shard in shards():
            embed_features_shard.fn(plan, shard)
            time.sleep(0.5)


@pytest.mark.parametrize("kind", COPIES)
def test_features_of_a_killed_process_are_gone_on_with_to_the_byte(
    made_of: tuple[Dataset, Path], tmp_path: Path, kind: str
) -> None:
    whole = make(plan_in(tmp_path / "whole", made_of, COPIES[kind]))
    plan = plan_in(tmp_path / "killed", made_of, COPIES[kind])
    code = (
        "import sys; from pathlib import Path; from tests.tasks.test_features import begin;"
        "begin(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])"
    )
    command = [
        sys.executable,
        "-c",
        code,
        str(tmp_path / "killed"),
        str(made_of[0].directory),
        kind,
    ]
    with subprocess.Popen(command) as process:
        while not plan.store.shard(2).exists():
            assert process.poll() is None
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
    left = {path: path.stat().st_mtime_ns for path in plan.store.directory.rglob("0*.npy")}
    assert 2 <= len(left) < len(shards())
    with disable_run_logger():
        for shard in shards():
            embed_features_shard.fn(plan, shard)
    assert all(path.stat().st_mtime_ns == moment for path, moment in left.items())
    assert make(plan) == whole


def test_mirrored_and_warped_features_differ_from_the_plain_ones(
    made_of: tuple[Dataset, Path], tmp_path: Path
) -> None:
    found = {make(plan_in(tmp_path, made_of, copy)) for copy in COPIES.values()}
    assert len(found) == 3

"""Machines that share no folder: an object store holds the workspace, PostgreSQL the results.

A machine has a cache of its own. That of a Dask worker is at the path where the flow has another.
"""

import os
import re
import signal
import sqlite3
import time
from datetime import timedelta
from pathlib import Path

import boto3
import pytest
from s3fs import S3FileSystem
from sqlalchemy import text

from flows.environment import workspace
from flows.shards import SCHEDULER
from storage.database import leases
from storage.database.session import transaction
from tests.cluster import Cluster, cluster, kill, on_a_machine_with
from tests.flows.conftest import Samehand, Trained, environment_of, tiny_settings, write_pairs
from tests.flows.test_again import ended, start
from tests.flows.test_frozen import HEAD

EPOCHS = (
    "SELECT epoch, train_loss, train_accuracy, validation_loss, validation_accuracy, test_accuracy"
    " FROM epochs ORDER BY epoch"
)
SMALLEST = {"backbone": "test_efficientnet.r160_in1k", "weights": "none"}
QUICK = tiny_settings(**HEAD | SMALLEST | {"warped_copies": "0", "epochs": "1"})
DISTANCES = "SELECT pair_index, distance FROM pair_predictions ORDER BY evaluation_id, pair_index"


@pytest.fixture
def store(
    object_store: dict[str, str],
    postgres_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """An empty bucket and an empty database, named by the environment; return the bucket."""
    bucket = tmp_path.name.replace("_", "-").lower()
    for name, value in object_store.items():
        monkeypatch.setenv(name, value)
    S3FileSystem.clear_instance_cache()
    boto3.client("s3").create_bucket(Bucket=bucket)
    monkeypatch.setenv("SAMEHAND_HOME", f"s3://{bucket}/samehand")
    monkeypatch.setenv("SAMEHAND_DATABASE_URL", postgres_url)
    monkeypatch.setenv("SAMEHAND_CACHE", str(tmp_path / "one"))
    return bucket


def stored(question: str) -> list[tuple[object, ...]]:
    with transaction(os.environ["SAMEHAND_DATABASE_URL"]) as session:
        return [tuple(row) for row in session.execute(text(question))]


def stored_in(file: Path, question: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(file) as database:
        return database.execute(question).fetchall()


def names_in(bucket: str) -> set[str]:
    """The names of all files in a bucket, as any other program sees them."""
    pages = boto3.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {Path(found["Key"]).name for page in pages for found in page.get("Contents", ())}


def test_a_run_killed_on_one_machine_goes_on_on_another(
    samehand: Samehand,
    store: str,
    trained: Trained,
    paintings: Path,
    tmp_path: Path,
    prefect_api: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home, environment = os.environ["SAMEHAND_HOME"], environment_of(tmp_path / "x", prefect_api)
    killed = start(
        ["train", str(paintings), *tiny_settings()], environment | {"SAMEHAND_HOME": home}
    )
    while not stored(EPOCHS):
        assert killed.poll() is None, ended(killed)
        time.sleep(0.05)
    os.killpg(killed.pid, signal.SIGKILL)
    ended(killed)
    assert len(stored(EPOCHS)) == 1
    monkeypatch.setenv("SAMEHAND_CACHE", str(tmp_path / "two"))
    monkeypatch.setattr(leases, "LASTS", timedelta(seconds=8))  # more than a renewal takes
    result = samehand("train", "--resume", "last")
    assert result.exit_code == 0, result.output
    assert stored(EPOCHS) == stored_in(trained.database, EPOCHS)
    assert stored(DISTANCES) == stored_in(trained.database, DISTANCES)
    assert stored("SELECT status FROM runs") == [("complete",)]
    assert stored("SELECT count(*) FROM leases") == [(0,)]
    left = names_in(store)
    assert {"report.html", "mistakes.png", "crops.zip", "epoch-001.pt"} <= left
    assert not [name for name in left if "partial" in name or name.endswith((".lock", ".rows"))]

    first, other = sorted((paintings / "Artist 0").iterdir())[:2]
    monkeypatch.setenv("SAMEHAND_CACHE", str(tmp_path / "three"))
    asked = samehand("compare", str(first), str(other), "--json")
    assert asked.exit_code == 0, asked.output
    assert {path.suffix for path in (tmp_path / "three").rglob("*.*") if path.is_file()} == {
        ".pt",
        ".onnx",
        ".npz",
    }


def start_on(machines: Cluster, disk: str, cache: Path) -> None:
    """Start a worker on a machine of its own, with this disk for its cache."""
    before = on_a_machine_with(disk, at=cache)
    if before is None:
        pytest.skip("this user may not mount anything, not even in a namespace")
    machines.start_worker(dict(os.environ), *before)


def test_shards_of_machines_that_share_no_folder_are_those_of_one_even_after_a_full_disk(
    samehand: Samehand,
    store: str,
    paintings: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pairs = write_pairs(paintings, tmp_path / "pairs.csv")
    commands = (
        ("train", str(paintings), *QUICK),
        ("score", str(pairs), "--images", str(paintings)),
    )
    monkeypatch.setattr("tasks.prepare.SHARD", 13)
    monkeypatch.setattr("tasks.features.SHARD", 11)
    monkeypatch.setattr("tasks.pair_images.SHARD", 17)

    cache = workspace().home
    cache.mkdir(parents=True)
    disk = tmp_path / "disk"
    with cluster(tmp_path / "dask") as machines:
        monkeypatch.setenv(SCHEDULER, machines.address)
        start_on(machines, "-t tmpfs -o size=8k tmpfs", cache)
        full = samehand(*commands[0])
        assert full.exit_code == 2
        assert re.search(
            r"samehand: .*: cannot be written \(No space left on device\)", full.stderr
        )
        kill(machines.workers.pop())
        disk.mkdir()
        start_on(machines, f"--bind '{disk}'", cache)
        for command in commands:
            result = samehand(*command)
            assert result.exit_code == 0, result.output
    found, distances = stored(EPOCHS), stored(DISTANCES)
    used = {path.name for path in disk.rglob("*.*")}  # it has fetched what its shards need
    assert {"shard-000001.zip", "pixels.npy", "backbone.pt"} <= used

    monkeypatch.delenv(SCHEDULER)
    monkeypatch.delenv("SAMEHAND_DATABASE_URL")
    monkeypatch.setenv("SAMEHAND_HOME", str(tmp_path / "alone"))
    for command in commands:
        assert samehand(*command).exit_code == 0
    (alone,), (apart,) = (
        list(home.glob("datasets/*/crops.zip")) for home in (tmp_path / "alone", cache)
    )
    assert apart.read_bytes() == alone.read_bytes()
    assert found == stored_in(tmp_path / "alone" / "results.db", EPOCHS)
    assert distances == stored_in(tmp_path / "alone" / "results.db", DISTANCES)

"""A hundred kills at random moments, on a cluster: afterwards every file and row is there once.

`make faults` runs it, and writes what was killed into the document for operators.
"""

import hashlib
import logging
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Timer

import boto3
import pytest
from s3fs import S3FileSystem
from sqlalchemy import create_engine, make_url, text

from flows.shards import SCHEDULER
from tests.cluster import TTL, Cluster, Process, cluster, kill
from tests.flows.conftest import environment_of, tiny_settings, write_pairs
from tests.flows.test_frozen import HEAD
from tests.operations.conftest import write_table
from tests.postgres import OwnServer, own_server

# The command line, with shards so small that few paintings make several.
COMMAND = """
import tasks.atlas, tasks.features, tasks.pair_images, tasks.prepare
tasks.prepare.SHARD, tasks.features.SHARD = 13, 11
tasks.pair_images.SHARD, tasks.atlas.SHARD = 9, 8
from flows.cli import main
main()
"""
FLOW, WORKER, SCHEDULED, DATABASE, HANGS = (
    "`kill -9` of the run's process, then `--resume`",
    "`kill -9` of a worker",
    "`kill -9` of the scheduler, which is started again",
    "the database restarts as after a crash",
    "a worker hangs, and wakes up again when its shards were given to others",
)
KINDS = {FLOW: 4, WORKER: 3, DATABASE: 2, SCHEDULED: 1, HANGS: 1}  # and how often each happens
SECONDS = {"train": 30.0, "score": 12.0, "atlas": 12.0}  # at most this long nothing happens
MOST = 5  # that happens during one command
PATIENCE = 300
RESUMED_BY = {"train": 1, "score": 4, "atlas": 1}  # so many words of each, and the run's number
FIGURES = (  # without any number that PostgreSQL gives: after a crash, it skips some
    "SELECT epoch, train_loss, validation_loss, validation_roc_auc, test_accuracy FROM epochs",
    "SELECT pair_index, distance FROM pair_predictions ORDER BY evaluation_id, pair_index",
    "SELECT rank, distance FROM neighbours ORDER BY image_id, rank",
    "SELECT flow_name, status FROM runs ORDER BY id",
    "SELECT status, n_pairs, n_images, roc_auc FROM evaluations ORDER BY id",
    "SELECT epoch, threshold, is_champion FROM models ORDER BY id",
    "SELECT source, content_hash FROM datasets ORDER BY id",
    "SELECT filename, split, sha256 FROM images ORDER BY id",
    "SELECT count(*) FROM leases",
)


@dataclass
class Campaign:
    """What is killed, and the account of it: how often, during which command."""

    machines: Cluster
    server: OwnServer
    random: random.Random
    count: int
    done: Counter[tuple[str, str]] = field(default_factory=Counter)

    def strike(self, command: str, process: "subprocess.Popen[bytes]") -> None:
        """Let something happen, chosen at random."""
        kind = self.random.choices(tuple(KINDS), tuple(KINDS.values()))[0]
        worker = self.random.choice(self.machines.workers)
        if kind == FLOW:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        elif kind == WORKER:
            kill(worker)
            self.machines.complete(2)
        elif kind == SCHEDULED:
            self.machines.restart()
        elif kind == DATABASE:
            self.server.restart()
        else:
            os.killpg(worker.pid, signal.SIGSTOP)
            Timer(TTL + 3, wake, (worker,)).start()
        self.done[kind, command] += 1
        logging.getLogger(__name__).info("%d: %s, %s", self.done.total(), command, kind)


def wake(worker: Process) -> None:
    """Wake a worker: its scheduler has given it up, so it ends when it notices."""
    if worker.poll() is None:
        os.killpg(worker.pid, signal.SIGCONT)


@pytest.fixture
def server() -> Iterator[OwnServer]:
    """A PostgreSQL server that may be restarted."""
    with own_server() as server:
        if server is None:
            pytest.skip("PostgreSQL's programs are not on this machine")
        yield server


@pytest.mark.campaign
@pytest.mark.parametrize(("home", "count"), [("folder", 80), ("store", 20)])
def test_after_a_hundred_kills_every_file_and_row_is_there_once(
    home: str,
    count: int,
    server: OwnServer,
    object_store: dict[str, str],
    prefect_api: str,
    paintings: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seed = int(os.environ.get("SAMEHAND_FAULT_SEED", "0"))
    count = int(os.environ.get("SAMEHAND_FAULT_COUNT", count))
    for name, value in object_store.items():
        monkeypatch.setenv(name, value)
    S3FileSystem.clear_instance_cache()
    pairs = write_pairs(paintings, tmp_path / "pairs.csv")
    commands = {
        "train": ["train", str(paintings), *tiny_settings(**HEAD)],
        "score": ["score", str(pairs), "--images", str(paintings)],
        "atlas": ["atlas", str(paintings)],
    }
    with cluster(tmp_path / "dask") as machines:
        campaign = Campaign(machines, server, random.Random(seed), count)
        undisturbed = environment_in(tmp_path / "undisturbed", "folder", server, prefect_api)
        for command in commands.values():
            assert run(command, undisturbed).wait() == 0
        expected = left_in(tmp_path / "undisturbed", undisturbed)
        round_ = 0
        while campaign.done.total() < count:
            round_ += 1
            root = tmp_path / f"round-{round_}"
            environment = environment_in(root, home, server, prefect_api)
            environment[SCHEDULER] = machines.address
            for name, command in commands.items():
                machines.complete(2)
                survive(name, command, campaign, environment)
            found = left_in(root, environment)
            differing = {name for name in found | expected if found.get(name) != expected.get(name)}
            assert not differing, f"round {round_} of seed {seed}"
    if document := os.environ.get("SAMEHAND_FAULT_TABLE"):
        write_table(Path(document), f"kills in a {home}", HEADER, rows_of(campaign))


HEADER = (
    "| what happened | during training | scoring | an atlas | lost or doubled |\n"
    "|---|---|---|---|---|"
)


def rows_of(campaign: Campaign) -> list[str]:
    """The rows of the table; had anything been lost or doubled, nobody would come here."""
    counts = [(kind, *(campaign.done[kind, command] for command in SECONDS)) for kind in KINDS]
    return [f"| {kind} | {' | '.join(map(str, each))} | 0 |" for kind, *each in counts]


def survive(name: str, command: list[str], campaign: Campaign, environment: dict[str, str]) -> None:
    """Run a command to its end, whatever happens meanwhile."""
    flow, starts = f"{name}-flow", 0
    last = min(campaign.done.total() + campaign.random.randint(1, MOST), campaign.count)
    while True:
        starts += 1
        assert starts < 40, f"{name} does not come to its end"
        known = [found[1:] for found in runs_in(environment) if found[0] == flow]
        assert len(known) <= 1, "a run was begun twice"
        if known and known[0][1] == "complete":
            return  # killed when only its last lines were missing
        rest = command[: RESUMED_BY[name]]
        process = run([*rest, "--resume", str(known[0][0])] if known else command, environment)
        end = time.monotonic() + PATIENCE
        while process.poll() is None:
            assert time.monotonic() < end, f"{name} hangs"
            if campaign.done.total() < last:
                wait(process, campaign.random.uniform(0, SECONDS[name]))
                if process.poll() is None:
                    campaign.strike(name, process)
            else:
                wait(process, 1)


def wait(process: "subprocess.Popen[bytes]", seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return


def run(command: list[str], environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    log = Path(environment["PREFECT_HOME"]).parent / "log"
    with log.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, "-c", COMMAND, *command],
            env=environment,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def environment_in(root: Path, home: str, server: OwnServer, api: str) -> dict[str, str]:
    """An empty workspace, and an empty database of its name."""
    root.mkdir()
    database = root.name.replace("-", "_") + f"_{home}"
    admin = create_engine(server.url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {database}"))
    admin.dispose()
    url = make_url(server.url).set(database=database).render_as_string(hide_password=False)
    environment = environment_of(root / "home", api) | {
        "SAMEHAND_DATABASE_URL": url,
        "TMPDIR": str(root),
    }
    if home == "store":
        bucket = f"{root.name}-{hashlib.sha256(str(root).encode()).hexdigest()[:8]}"
        boto3.client("s3").create_bucket(Bucket=bucket)
        environment |= {"SAMEHAND_HOME": f"s3://{bucket}", "SAMEHAND_CACHE": str(root / "home")}
    return environment


def ask(url: str, question: str) -> list[tuple[object, ...]]:
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(question))]
    finally:
        engine.dispose()


def runs_in(environment: dict[str, str]) -> list[tuple[object, ...]]:
    """Flow, number and status of each run; none where there are no tables yet."""
    url = environment["SAMEHAND_DATABASE_URL"]
    if not ask(url, "SELECT 1 FROM pg_tables WHERE tablename = 'runs'"):
        return []
    return ask(url, "SELECT flow_name, id, status FROM runs")


def left_in(root: Path, environment: dict[str, str]) -> dict[str, object]:
    """What a round has left: figures and rows, and the hash of each file that must be the same."""
    rows = {each: ask(environment["SAMEHAND_DATABASE_URL"], each) for each in FIGURES}
    address = environment["SAMEHAND_HOME"]
    if address.startswith("s3://"):
        files = files_in_store(address.removeprefix("s3://"))
    else:
        folder = Path(address)
        paths = [path for path in folder.rglob("*") if path.is_file()]
        files = {str(path.relative_to(folder)): path.read_bytes() for path in paths}
    files = {re.sub(r"/\d{4}-", "/", name): files[name] for name in files if is_left(name)}
    same = {name for name in files if name.endswith(("crops.zip", "features.npy", "pixels.npy"))}
    return {
        **rows,
        **{name: hashlib.sha256(files[name]).hexdigest() if name in same else "" for name in files},
    }


def files_in_store(bucket: str) -> dict[str, bytes]:
    client = boto3.client("s3")
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    names = [found["Key"] for page in pages for found in page.get("Contents", ())]
    return {name: client.get_object(Bucket=bucket, Key=name)["Body"].read() for name in names}


def is_left(name: str) -> bool:
    """Leave out locks, which stay, and the workspace's identity."""
    return not (name.endswith((".lock", ".locks")) or name.startswith((".identity", "results.db")))

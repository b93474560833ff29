"""Many shards on a cluster: what a flow's process keeps of them, and what each costs by itself.

Two Dask workers of one thread each do shards without any work in them.
"""

import json
import logging
import os
import sys
import time
from dataclasses import asdict
from functools import partial
from tempfile import TemporaryDirectory

from benchmarks.processes import peak_of, rows_of_module
from benchmarks.report import Row, Table
from flows.cli.app import QUIET_PREFECT
from flows.shards import SCHEDULER

SHARDS = 10_000
SILENT = {"PREFECT_LOGGING_LEVEL": "ERROR"}


def measure(count: int = SHARDS) -> Table:
    """Measure a flow in a process of its own, first with a tenth of ``count`` shards."""
    from distributed import LocalCluster

    logging.getLogger("distributed").setLevel(logging.ERROR)
    with (
        TemporaryDirectory() as folder,
        LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=2, threads_per_worker=1, dashboard_address=":0", env=SILENT
        ) as cluster,
    ):
        own = {"PREFECT_HOME": folder, SCHEDULER: cluster.scheduler_address}
        environment = os.environ | QUIET_PREFECT | own
        rows = rows_of_module("shards", str(count), environment=environment)
    return Table("shards", "shards without work, two Dask workers", rows)


def main(count: int) -> None:
    """Measure in this process; the last line printed is JSON."""
    from prefect import flow

    from flows.cli.server import start_server
    from flows.shards import on_shards
    from storage.shards import shards_of
    from tasks.support.step import step

    @step()
    def number_of(shard):  # type: ignore[no-untyped-def]
        return shard.number

    @flow(name="shards-benchmark")
    def all_of(count: int) -> int:
        return len(on_shards(number_of, shards_of(range(count), 1)))

    start_server(quiet=True)
    told = []
    for shards in (count // 10, count):
        start = time.perf_counter()
        peak = peak_of(partial(all_of, shards))
        seconds = (time.perf_counter() - start) / shards
        told += [
            Row(f"most memory of the flow's process, {shards:,} shards", peak.own, "GB"),
            Row("time of each", 1000 * seconds, "ms"),
        ]
    print(json.dumps([asdict(row) for row in told]))


if __name__ == "__main__":
    main(int(sys.argv[1]))

"""What Prefect adds to a training run: time beside the same epochs without it, rows and bytes.

Epochs of the reference's method go in one run through Prefect's tasks, or by calling what is inside
them: A B B A and so on, so that a machine that gets slower does so for both alike.
"""

import json
import os
import sqlite3
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import JsonValue

from benchmarks.processes import rows_of_module
from benchmarks.report import Row, Table
from flows.cli.app import QUIET_PREFECT, SHORT_WAITS

EPOCHS = 24  # of fewer, one run differs from another by some hundredths
WAYS = ("tasks", "functions", "functions", "tasks")  # in turn; each has a neighbour of the other
# Epochs of some seconds: the reference's method, from random weights, on small crops.
TRAINED: dict[str, JsonValue] = {
    "images_per_artist": 0,
    "validation_artists": 0.2,
    "test_artists": 0.25,
    "crop_size": 64,
    "train_triplets": 750,
    "validation_triplets": 2_000,
    "weights": "none",
    "batch_size": 25,
    "precision": "auto",
    "learning_rate": 2e-4,
}
# Few and small, for counting what a run leaves in Prefect's database.
SMALL: dict[str, JsonValue] = TRAINED | {
    "crop_size": 32,
    "epochs": 5,
    "train_triplets": 50,
    "validation_triplets": 50,
    "test_triplets": 50,
    "resamples": 100,
}


def measure(epochs: int = EPOCHS) -> Table:
    """Measure in a process that has not imported torch: its threads wait as those of a run do."""
    rows = rows_of_module("orchestration", str(epochs))
    return Table("orchestration", "an epoch of the reference's method, 64 x 64", rows)


def main(epochs: int) -> None:
    """Measure in a workspace and a Prefect home of their own; the last line printed is JSON."""
    with TemporaryDirectory() as folder:
        home = Path(folder) / "prefect"
        os.environ |= (
            QUIET_PREFECT
            | SHORT_WAITS
            | {
                "PREFECT_HOME": str(home),
                "SAMEHAND_HOME": str(Path(folder) / "samehand"),
            }
        )
        from flows.train import train_flow

        train_flow("sample", "reference", SMALL)
        rows, size = count(home / "prefect.db")
        seconds = alternate(epochs)
    inside, through = median(seconds["functions"]), median(seconds["tasks"])
    pairs = zip(seconds["tasks"], seconds["functions"], strict=True)
    ratio = median(one / other for one, other in pairs)
    told = [
        Row("without Prefect", inside, "s", 1.0),
        Row("as tasks", through, "s", inside / through),
        Row("more time as tasks, median of neighbours", 100 * (ratio - 1), "%"),
        Row("rows that a run leaves in Prefect's database", rows, "rows"),
        Row("bytes of that database", size / 1e6, "MB"),
    ]
    print(json.dumps([asdict(row) for row in told]))


def alternate(epochs: int) -> dict[str, list[float]]:
    """Train epochs as tasks and as functions in turn; returns the seconds of each."""
    from prefect import flow

    @flow(name="orchestration-benchmark")
    def measured() -> dict[str, list[float]]:
        from flows.prepare import prepare
        from flows.runs import NewRun, open_run
        from flows.settings import resolve
        from flows.train import draw_fixed_triplets
        from tasks.training import build_untrained_network

        seconds: dict[str, list[float]] = {"tasks": [], "functions": []}
        with open_run(NewRun("sample", "reference", resolve("reference", TRAINED))) as run:
            prepared = prepare(run)
            triplets, checkpoint = draw_fixed_triplets(run, prepared), build_untrained_network(run)
            for epoch in range(epochs + 1):
                way = WAYS[(epoch - 1) % 4]
                start = time.perf_counter()
                checkpoint = train(way, run, prepared, triplets, checkpoint, epoch + 1)
                if epoch:  # the first one makes what all use after it
                    seconds[way].append(time.perf_counter() - start)
        return seconds

    return measured()


def train(way: str, run: Any, prepared: Any, triplets: Any, checkpoint: Path, epoch: int) -> Path:
    """One epoch, as train-flow has it."""
    from model.selection import best_epoch
    from tasks.batches import draw_epoch_batches
    from tasks.epochs import record_epoch
    from tasks.evaluation import score_checkpoint
    from tasks.report import plot_training, publish_curve
    from tasks.training import train_one_epoch

    def use(task: Any) -> Callable[..., Any]:
        return task if way == "tasks" else task.fn  # type: ignore[no-any-return]

    dataset = prepared.dataset
    drawn = use(draw_epoch_batches)(run, dataset, epoch)
    trained = use(train_one_epoch)(run, checkpoint, dataset, drawn, epoch)
    scores = [
        use(score_checkpoint)(run, trained.checkpoint, dataset, one)
        for one in (triplets.validation, triplets.test)
    ]
    history = use(record_epoch)(run, trained, *scores)
    show = publish_curve if way == "tasks" else plot_training
    use(show)(run, best_epoch(history).epoch)
    return Path(trained.checkpoint)


def count(database: Path) -> tuple[int, int]:
    """Rows of all tables, and bytes of the file with its log."""
    with sqlite3.connect(database) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        rows = sum(
            connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]
            for (name,) in tables.fetchall()
        )
        (size,) = connection.execute(
            "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
        ).fetchone()
    return rows, size


if __name__ == "__main__":
    main(int(sys.argv[1]))

"""Writing evaluations of millions of pairs to a results database, and asking about them."""

import multiprocessing
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Engine, func, insert, select, text
from sqlalchemy.orm import Session

from benchmarks.processes import peak_memory
from benchmarks.report import Row
from model.distances import Pairs
from model.hardest import hardest_of_each_kind
from storage.database.datasets import image_ids, record_dataset
from storage.database.engine import open_database
from storage.database.evaluation_tables import (
    HARDEST_KEPT,
    Evaluation,
    PairImage,
    PairPrediction,
)
from storage.database.pair_parts import store_pairs
from storage.database.pair_rows import PairColumns
from storage.database.pruning import prune
from storage.database.records import (
    complete_evaluation,
    record_model,
    start_evaluation,
    start_run,
)
from storage.database.tables import Model, Run

DICTS = {"sqlite": 500_000, "postgresql": 60_000}  # seconds of either, at full size
SLOPE = 3.0
NO_FAULTS = pd.DataFrame({"image_name": [], "reason": []})


def begin(
    session: Session, images: pd.DataFrame, content: str, split: Any
) -> tuple[int, dict[str, int]]:
    """Record a dataset, a run, a model and an evaluation begun; gives its id and its images'."""
    dataset_id = record_dataset(
        session, source="bench", content_hash=content, images=images, rejected=NO_FAULTS
    )
    run = Run(
        flow_name="evaluate-flow",
        source="bench",
        preset="reference",
        settings={},
        seed=0,
        device="cpu",
        code_version="",
        library_versions={},
        directory="",
        dataset_id=dataset_id,
    )
    run_id = start_run(session, run)
    model = Model(
        run_id=run_id,
        epoch=1,
        path="",
        sha256="",
        threshold=9.5,
        calibration_slope=SLOPE,
        calibration_midpoint=9.5,
        accept_within=9.0,
        reject_beyond=10.0,
        validation_roc_auc=0.9,
        validation_accuracy=0.8,
    )
    model_id = record_model(session, model)
    begun = Evaluation(run_id=run_id, model_id=model_id, dataset_id=dataset_id, split=split)
    return start_evaluation(session, begun), image_ids(session, dataset_id)


def split_of(share: float) -> tuple[pd.DataFrame, Callable[[dict[str, int]], PairColumns]]:
    """Return a split of ten images an artist that has as many pairs as Kaggle's."""
    count = round(6_634 * share**0.5)
    names = [f"{number}.jpg" for number in range(count)]
    artists = np.arange(count) // 10
    images = pd.DataFrame(
        {
            "image_name": names,
            "artist_name": [f"Artist {each}" for each in artists],
            "split": "test",
        }
    )

    def pairs(ids: dict[str, int]) -> PairColumns:
        first, second = np.triu_indices(count, 1)
        same = artists[first] == artists[second]
        distance = np.random.default_rng(1).gamma(30, 0.4, len(first)) - 2 * same
        at = np.array([ids[name] for name in names], np.int32)
        index = np.arange(len(first), dtype=np.int32)
        return PairColumns(index, at[first], at[second], np.abs(distance), same)

    return images, pairs


def write(url: str, share: float) -> list[Row]:
    """Write an evaluation, half of one more, and then some dictionaries."""
    engine = open_database(url)
    images, make_pairs = split_of(share)
    before, before_rows = _bytes_used(engine), _bytes_of_rows(engine)
    evaluation_id, ids = _new(engine, images)
    pairs = make_pairs(ids)
    rows = _timed(lambda: _send(engine, evaluation_id, pairs))
    used = _bytes_of_rows(engine) - before_rows  # before SQLite's indexes are made
    completing = _timed(lambda: _complete(engine, evaluation_id, pairs))
    on_disk = _bytes_used(engine) - before
    memory = peak_memory()
    count, dicts = _dict_seconds(engine, images, pairs, share)
    engine.dispose()
    whole = (rows + completing) / len(pairs)
    many = f"{len(pairs):,} pairs"
    return [
        Row("written", rows, "s", None, f"{many}, {memory:.2f} GB"),
        Row("completed", completing, "s", None, "on SQLite, what pairs are found by"),
        Row("dictionaries inserted", 1e-3 * count / dicts, "k pairs/s", 1.0, f"{count:,} pairs"),
        Row("written and completed", 1e-3 / whole, "k pairs/s", dicts / count / whole),
        Row("taken on disk", on_disk / len(pairs), "bytes a pair"),
        Row("of which rows", used / len(pairs), "bytes a pair"),
    ]


def _new(engine: Engine, images: pd.DataFrame) -> tuple[int, dict[str, int]]:
    with Session(engine) as session, session.begin():
        return begin(session, images, "split", "test")


def _dict_seconds(
    engine: Engine, images: pd.DataFrame, pairs: PairColumns, share: float
) -> tuple[int, float]:
    """Pairs inserted as dictionaries, into an evaluation that is half in already, and the seconds.

    On the way from the first pair to the last that is how full it is on average.
    """
    half = len(pairs) // 2
    count = round(share * DICTS[engine.dialect.name])
    evaluation_id, _ids = _new(engine, images)
    written = pairs.part(slice(half))
    _send(engine, evaluation_id, written)
    _complete(engine, evaluation_id, written)
    rest = pairs.part(slice(half, half + count))
    seconds = _timed(lambda: _insert_dicts(engine, evaluation_id, rest))
    if engine.dialect.name == "sqlite":  # PostgreSQL has indexes, which were paid for just now
        seconds += _timed(lambda: _insert_sides(engine, evaluation_id, rest))
    prune(engine, evaluation_id)
    return count, seconds


def ask(url: str, share: float) -> list[Row]:
    """Write one more evaluation, ask about both, prune the first."""
    engine = open_database(url)
    images, make_pairs = split_of(share)
    second, ids = _new(engine, images)
    pairs = make_pairs(ids)
    _send(engine, second, pairs)
    _complete(engine, second, pairs)
    with Session(engine) as session:
        there = Evaluation.split.is_not(None) & Evaluation.pruned_at.is_(None)
        first = session.scalars(select(func.min(Evaluation.id)).where(there)).one()
    told = list(_answers(engine, first, second))
    seconds = _timed(lambda: prune(engine, first))
    engine.dispose()
    return [*told, Row("pruned", seconds, "s")]


def _answers(engine: Engine, before: int, evaluation: int) -> Iterator[Row]:
    """Ask each documented question twice; yields the shorter time."""
    values = {
        "before": before,
        "evaluation": evaluation,
        "artist": "Artist 7",
        "filename": "77.jpg",
        "other": "78.jpg",
        "run": 1,
    }
    for number, question in _questions():
        needed = {name: value for name, value in values.items() if f":{name}" in question}
        seconds = []
        with engine.connect() as connection:
            for _ in range(2):
                start = time.perf_counter()
                connection.execute(text(question), needed).all()
                seconds.append(time.perf_counter() - start)
        yield Row(f"question {number}", min(seconds), "s")


def _questions() -> Iterator[tuple[int, str]]:
    page = Path("docs/results.md").read_text(encoding="utf-8")
    for number, question in re.findall(r"\*\*(\d+)\. .*?```sql\n(.*?)```", page, re.DOTALL):
        yield int(number), question


def _timed(action: Callable[[], None]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def _send(engine: Engine, evaluation_id: int, pairs: PairColumns) -> None:
    url = engine.url.render_as_string(hide_password=False)
    store_pairs(url, evaluation_id, pairs)


def _complete(engine: Engine, evaluation_id: int, pairs: PairColumns) -> None:
    with Session(engine) as session, session.begin():
        measured = Evaluation(roc_auc=0.9, n_pairs=len(pairs))
        complete_evaluation(session, evaluation_id, measured, _hardest(pairs))


def _hardest(pairs: PairColumns) -> list[int]:
    """The pairs that an evaluation notes as its hardest, found as a flow finds them."""
    assert pairs.same_artist is not None
    rows = np.zeros(len(pairs), np.int32)  # of which images they are does not matter
    given = Pairs(rows, rows, pairs.distance.astype(np.float32), pairs.same_artist)
    hardest: list[int] = hardest_of_each_kind(given, HARDEST_KEPT).tolist()
    return hardest


def _insert_dicts(engine: Engine, evaluation_id: int, pairs: PairColumns) -> None:
    names = ("pair_index", "image_a_id", "image_b_id", "distance", "same_artist")
    with engine.begin() as connection:
        for chunk in pairs.chunks(5_000):
            columns = [getattr(chunk, name).tolist() for name in names]
            rows = zip(*columns, strict=True)
            values = [
                dict(zip(names, row, strict=True), evaluation_id=evaluation_id) for row in rows
            ]
            connection.execute(insert(PairPrediction), values)


def _insert_sides(engine: Engine, evaluation_id: int, pairs: PairColumns) -> None:
    with engine.begin() as connection:
        for chunk in pairs.chunks(5_000):
            index = chunk.pair_index.tolist()
            values = [
                {"evaluation_id": evaluation_id, "image_id": image_id, "pair_index": pair_index}
                for side in (chunk.image_a_id, chunk.image_b_id)
                for image_id, pair_index in zip(side.tolist(), index, strict=True)
            ]
            connection.execute(insert(PairImage), values)


def _bytes_used(engine: Engine, size: str = "pg_total_relation_size") -> int:
    """Bytes of all tables and indexes; of an SQLite file, all of it."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            return Path(str(engine.url.database)).stat().st_size
        query = f"SELECT sum({size}(oid)) FROM pg_class WHERE relkind = 'r'"
        here = f"{query} AND relnamespace = current_schema()::regnamespace"
        return int(connection.exec_driver_sql(here).scalar_one())


def _bytes_of_rows(engine: Engine) -> int:
    """Bytes without indexes; of an SQLite file, all of it."""
    return _bytes_used(engine, "pg_table_size")


def write_at_once(url: str, share: float, writers: int = 8) -> Row:
    """Have several processes write an evaluation each, of a hundredth of the pairs."""
    start = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(writers) as pool:
        counts = pool.starmap(_write_one, [(url, share / 100, number) for number in range(writers)])
        pool.close()
        pool.join()
    seconds = time.perf_counter() - start
    engine = open_database(url)
    with engine.connect() as connection:
        query = (
            "SELECT count(*), count(DISTINCT pair_index) FROM pair_predictions JOIN evaluations"
            " ON evaluations.id = evaluation_id JOIN datasets ON datasets.id = dataset_id"
            " WHERE content_hash LIKE 'writer%' AND evaluations.status = 'complete'"
        )
        stored = connection.execute(text(query)).one()[0]
    engine.dispose()
    return Row(
        f"{writers} processes at once", seconds, "s", None, f"{stored:,} of {sum(counts):,} pairs"
    )


def _write_one(url: str, share: float, number: int) -> int:
    images, make_pairs = split_of(share)
    engine = open_database(url)
    with Session(engine) as session, session.begin():
        evaluation_id, ids = begin(session, images, f"writer {number}", "test")
    pairs = make_pairs(ids)
    _send(engine, evaluation_id, pairs)
    _complete(engine, evaluation_id, pairs)
    engine.dispose()
    return len(pairs)

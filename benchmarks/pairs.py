"""Writing, scoring and asking about pairs, at Kaggle's full size or a share of it.

`python -m benchmarks.pairs [SHARE] [POSTGRES_URL]`; each measurement is a process of its own, so
that its memory is its own. Where no PostgreSQL answers, what needs one is left out.
"""

import multiprocessing
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv as arrow_csv
from sqlalchemy import Engine, create_engine, func, insert, make_url, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from benchmarks.processes import apart, peak_memory
from storage.database.datasets import image_ids, record_dataset
from storage.database.engine import open_database
from storage.database.evaluation_tables import Evaluation, PairImage, PairPrediction
from storage.database.pair_rows import PairColumns
from storage.database.pruning import prune
from storage.database.records import (
    complete_evaluation,
    record_model,
    start_evaluation,
    start_run,
    write_pairs,
)
from storage.database.session import transaction
from storage.database.tables import Model, Run
from storage.pairs.faults import Faults
from storage.workspace import Workspace

if TYPE_CHECKING:
    from tasks.scoring import PairScoring

# The parts that are scored with import torch, which processes that only write should not.
LOCAL = "postgresql+psycopg://postgres@127.0.0.1:5432/test"
GROUPS, IMAGES, DIMENSIONS = 13, 1_832, 64  # 13 groups of 1,832: Kaggle's 23,817 and 21.8 million
DICTS = {"sqlite": 500_000, "postgresql": 60_000}  # a second or two of either
THRESHOLD, SLOPE = 11.0, 3.0
NO_FAULTS = pd.DataFrame({"image_name": [], "reason": []})


def main(share: float = 1.0, server: str = LOCAL) -> None:
    """Measure everything and print it."""
    with TemporaryDirectory() as folder, postgres_schema(server) as postgres:
        for line in measure(Path(folder), share, postgres):
            print(line, flush=True)


def measure(place: Path, share: float, postgres: str | None) -> Iterator[str]:
    """Yield what is measured, a line each, in files under `place` and a schema of a server."""
    if postgres is None:
        yield "no PostgreSQL answers: what needs one is left out"
    yield f"{apart(_write_pair_file, place, share):,} pairs in the file"
    yield _told("line by line, one dot product each", *apart(_line_by_line, place))
    yield _told("CSV in, CSV out", *apart(_csv_to_csv, place))
    if postgres:
        yield _told("CSV in, PostgreSQL and CSV out", *apart(_csv_to_postgres, place, postgres))
    for url in (f"sqlite:///{place / 'results.db'}", *([postgres] if postgres else [])):
        kind = make_url(url).get_backend_name()
        for part in (_write, _ask):
            for line in apart(part, url, share):
                yield f"{kind}: {line}"
        yield f"{kind}: {_eight_at_once(url, share)}"


def _told(name: str, count: int, seconds: float, memory: float) -> str:
    rate = count / seconds / 1e3
    return f"{name}: {count:,} pairs, {seconds:.1f} s, {rate:,.0f} k/s, {memory:.2f} GB"


@contextmanager
def postgres_schema(server: str) -> Iterator[str | None]:
    """Yield the URL of a schema of its own, dropped at the end; None where no server answers."""
    name = f"bench_{uuid4().hex}"
    engine = create_engine(server, connect_args={"connect_timeout": 3})
    try:
        with engine.begin() as connection:
            connection.execute(text(f"CREATE SCHEMA {name}"))
    except OperationalError:
        yield None
        return
    url = make_url(server).update_query_dict({"options": f"-csearch_path={name}"})
    try:
        yield url.render_as_string(hide_password=False)
    finally:
        with engine.begin() as connection:
            connection.execute(text(f"DROP SCHEMA {name} CASCADE"))
        engine.dispose()


def _write_pair_file(place: Path, share: float) -> int:
    """Write every pair of each group, shuffled within it, as Kaggle's file has them."""
    generator = np.random.default_rng(0)
    names = np.array([f"{number}.jpg" for number in generator.permutation(100_000)])
    count = 0
    images = max(2, round(IMAGES * share**0.5))
    schema = pa.schema([("index", pa.int64()), ("image1", pa.string()), ("image2", pa.string())])
    options = arrow_csv.WriteOptions(quoting_style="none")
    with arrow_csv.CSVWriter(place / "quoted.csv", schema, write_options=options) as writer:
        for group in range(GROUPS):
            first, second = np.triu_indices(images, 1)
            order = generator.permutation(len(first))
            of_group = pa.array(names[group * images : (group + 1) * images])
            index = pa.array(np.arange(count, count + len(order)))
            sides = [of_group.take(pa.array(side[order])) for side in (first, second)]
            writer.write_batch(pa.record_batch([index, *sides], schema=schema))
            count += len(order)
    with (place / "pairs.csv").open("wb") as file, (place / "quoted.csv").open("rb") as quoted:
        file.write(quoted.readline().replace(b'"', b""))
        while block := quoted.read(1 << 24):
            file.write(block)
    (place / "quoted.csv").unlink()
    chosen = names[: GROUPS * images]
    embeddings = generator.standard_normal((len(chosen), DIMENSIONS)).astype(np.float32)
    np.savez(place / "embeddings.npz", names=chosen, embeddings=embeddings)
    return count


def _kept(place: Path) -> tuple[list[str], np.ndarray]:
    content = np.load(place / "embeddings.npz")
    return content["names"].tolist(), content["embeddings"]


def _line_by_line(place: Path) -> tuple[int, float, float]:
    """The winner's way, on the first two million lines."""
    names, embeddings = _kept(place)
    by_name = {name: embeddings[place] for place, name in enumerate(names)}
    start = time.perf_counter()
    count = 0
    with (place / "pairs.csv").open() as pairs, (place / "lines.csv").open("w") as answers:
        next(pairs)
        answers.write("index,sameArtist\n")
        for line in pairs:
            index, first, second = line.rstrip("\n").split(",")
            score = by_name[first].dot(by_name[second])
            answers.write(f"{index},{score}\n")
            count += 1
            if count == 2_000_000:
                break
    return count, time.perf_counter() - start, peak_memory()


def _scoring(place: Path) -> "PairScoring":
    from model.calibration import Calibration
    from model.distances import finite_points
    from tasks.scoring import PairScoring

    names, embeddings = _kept(place)
    with (place / "pairs.csv").open("rb") as file:
        n_rows = sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 24), b"")) - 1
    return PairScoring(
        place / "pairs.csv",
        n_rows,
        names,
        finite_points(embeddings),
        Calibration(THRESHOLD, SLOPE),
        0.0,
    )


def _csv_to_csv(place: Path) -> tuple[int, float, float]:
    from tasks.scoring import OpenEvaluation, score_pairs

    scoring = _scoring(place)
    nowhere = OpenEvaluation(0, sys.maxsize, np.zeros(len(scoring.names), np.int64))
    start = time.perf_counter()
    space = Workspace(place, "")
    count = score_pairs(scoring, nowhere, Faults(), place / "submission.csv", space)
    return count, time.perf_counter() - start, peak_memory()


def _csv_to_postgres(place: Path, url: str) -> tuple[int, float, float]:
    from tasks.scoring import OpenEvaluation, score_pairs

    scoring = _scoring(place)
    start = time.perf_counter()
    with transaction(url) as session:
        images = pd.DataFrame({"image_name": scoring.names, "artist_name": None, "split": "test"})
        evaluation_id, ids = _begin(session, images, "scored", None)
    opened = OpenEvaluation(evaluation_id, 0, np.array([ids[name] for name in scoring.names]))
    space = Workspace(place, url)
    count = score_pairs(scoring, opened, Faults(), place / "submission.csv", space)
    with transaction(url) as session:
        complete_evaluation(session, evaluation_id, Evaluation(threshold=THRESHOLD, n_pairs=count))
    return count, time.perf_counter() - start, peak_memory()


def _begin(
    session: Session, images: pd.DataFrame, content: str, split: Any
) -> tuple[int, dict[str, int]]:
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
        validation_roc_auc=0.9,
        validation_accuracy=0.8,
    )
    model_id = record_model(session, model)
    begun = Evaluation(run_id=run_id, model_id=model_id, dataset_id=dataset_id, split=split)
    return start_evaluation(session, begun), image_ids(session, dataset_id)


def _test_split(share: float) -> tuple[pd.DataFrame, Callable[[dict[str, int]], PairColumns]]:
    """A test split of ten images an artist whose pairs are as many as Kaggle's."""
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


def _write(url: str, share: float) -> list[str]:
    """Write an evaluation, half of one more, and then some dictionaries."""
    engine = open_database(url)
    images, make_pairs = _test_split(share)
    before = _bytes_used(engine)
    evaluation_id, ids = _new(engine, images)
    pairs = make_pairs(ids)
    rows = _timed(lambda: _send(engine, evaluation_id, pairs))
    used = _bytes_used(engine) - before
    completing = _timed(lambda: _complete(engine, evaluation_id, pairs))
    found = _bytes_used(engine) - before - used
    memory = peak_memory()
    count, dicts = _dict_seconds(engine, images, pairs)
    engine.dispose()
    whole = (rows + completing) / len(pairs)
    return [
        f"{len(pairs):,} pairs written in {rows:.1f} s and completed in {completing:.1f} s: "
        f"{1e-3 / whole:,.0f} k/s; memory {memory:.2f} GB",
        f"{count:,} more as dicts at {1e-3 * count / dicts:,.0f} k/s: "
        f"{dicts / count / whole:.1f} times",
        f"{(used + found) / len(pairs):.1f} bytes a pair, of which rows {used / len(pairs):.1f}",
    ]


def _new(engine: Engine, images: pd.DataFrame) -> tuple[int, dict[str, int]]:
    with Session(engine) as session, session.begin():
        return _begin(session, images, "split", "test")


def _dict_seconds(engine: Engine, images: pd.DataFrame, pairs: PairColumns) -> tuple[int, float]:
    """Pairs inserted as dictionaries, into an evaluation that is half in already, and the seconds.

    On the way from the first pair to the last that is how full it is on average.
    """
    half = len(pairs) // 2
    count = min(DICTS[engine.dialect.name], half)
    evaluation_id, _ids = _new(engine, images)
    _send(engine, evaluation_id, pairs.part(slice(half)))
    _complete(engine, evaluation_id, pairs)
    rest = pairs.part(slice(half, half + count))
    seconds = _timed(lambda: _insert_dicts(engine, evaluation_id, rest))
    if engine.dialect.name == "sqlite":  # PostgreSQL has indexes, which were paid for just now
        seconds += _timed(lambda: _insert_sides(engine, evaluation_id, rest))
    prune(engine, evaluation_id)
    return count, seconds


def _ask(url: str, share: float) -> list[str]:
    """Write one more evaluation, ask about both, prune the first."""
    engine = open_database(url)
    images, make_pairs = _test_split(share)
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
    return [*told, f"pruned in {seconds:.2f} s"]


def _answers(engine: Engine, before: int, evaluation: int) -> Iterator[str]:
    """Ask each documented question twice; yields the shorter time."""
    values = {
        "before": before,
        "evaluation": evaluation,
        "artist": "Artist 7",
        "filename": "77.jpg",
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
        yield f"question {number}: {min(seconds):.3f} s"


def _questions() -> Iterator[tuple[int, str]]:
    page = Path("docs/results.md").read_text(encoding="utf-8")
    for number, question in re.findall(r"\*\*(\d+)\. .*?```sql\n(.*?)```", page, re.DOTALL):
        yield int(number), question


def _timed(action: Callable[[], None]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def _send(engine: Engine, evaluation_id: int, pairs: PairColumns) -> None:
    with Session(engine) as session, session.begin():
        write_pairs(session, evaluation_id, pairs)


def _complete(engine: Engine, evaluation_id: int, pairs: PairColumns) -> None:
    with Session(engine) as session, session.begin():
        complete_evaluation(session, evaluation_id, Evaluation(roc_auc=0.9, n_pairs=len(pairs)))


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


def _bytes_used(engine: Engine) -> int:
    """Bytes of all tables and indexes; of an SQLite file, all of it."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            return Path(str(engine.url.database)).stat().st_size
        query = "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r'"
        here = f"{query} AND relnamespace = current_schema()::regnamespace"
        return int(connection.exec_driver_sql(here).scalar_one())


def _eight_at_once(url: str, share: float) -> str:
    start = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(8) as pool:
        counts = pool.starmap(_write_one, [(url, share / 100, number) for number in range(8)])
        pool.close()
        pool.join()
    seconds = time.perf_counter() - start
    engine = open_database(url)
    with engine.connect() as connection:
        query = (
            "SELECT count(*), count(DISTINCT pair_index) FROM pair_predictions JOIN evaluations"
            " ON evaluations.id = evaluation_id JOIN datasets ON datasets.id = dataset_id"
            " WHERE content_hash LIKE 'eight%' AND evaluations.status = 'complete'"
        )
        stored = connection.execute(text(query)).one()[0]
    engine.dispose()
    return f"8 processes at once: {stored:,} of {sum(counts):,} pairs stored, {seconds:.1f} s"


def _write_one(url: str, share: float, number: int) -> int:
    images, make_pairs = _test_split(share)
    engine = open_database(url)
    with Session(engine) as session, session.begin():
        evaluation_id, ids = _begin(session, images, f"eight {number}", "test")
    pairs = make_pairs(ids)
    _send(engine, evaluation_id, pairs)
    _complete(engine, evaluation_id, pairs)
    engine.dispose()
    return len(pairs)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0, *sys.argv[2:3])

"""Scoring a file of pairs, as Kaggle gives it: line by line, and as `samehand score` does."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv as arrow_csv

from benchmarks.pair_storage import SLOPE, begin
from benchmarks.processes import peak_memory
from storage.database.evaluation_tables import Evaluation
from storage.database.pair_parts import store_part, writers
from storage.database.pair_rows import open_rows
from storage.database.records import complete_evaluation
from storage.database.session import transaction
from storage.pairs.faults import Faults

if TYPE_CHECKING:
    from tasks.scoring import PairScoring

GROUPS, IMAGES, DIMENSIONS = 13, 1_832, 64  # 13 groups of 1,832: Kaggle's 23,817 and 21.8 million
THRESHOLD = 11.0


@dataclass(frozen=True, slots=True)
class Scored:
    """How many pairs were scored, in how many seconds, with how many gigabytes."""

    count: int
    seconds: float
    memory: float


def write_pair_file(place: Path, share: float) -> int:
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


def line_by_line(place: Path) -> Scored:
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
    return Scored(count, time.perf_counter() - start, peak_memory())


def _scoring(place: Path) -> "PairScoring":
    from model.calibration import Band, Calibration
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
        Calibration(THRESHOLD, SLOPE, midpoint=THRESHOLD, band=Band(THRESHOLD, THRESHOLD)),
        0.5,
        0.0,
    )


def csv_to_csv(place: Path) -> Scored:
    """The whole file into a submission and a file for the database, and nothing into a database."""
    from tasks.scoring import write_scores

    scoring = _scoring(place)
    ids = np.zeros(len(scoring.names), np.int64)
    start = time.perf_counter()
    submission, rows = place / "submission.csv", place / "scores.rows"
    written = write_scores(scoring, ids, Faults(), submission, rows)
    return Scored(written.count, time.perf_counter() - start, peak_memory())


def csv_to_postgres(place: Path, url: str, workers: int | None = None) -> Scored:
    """The whole file into a submission and into an evaluation that can be asked about.

    Parts are stored by as many ``workers``, or as many as the database takes.
    """
    from tasks.scoring import write_scores

    scoring = _scoring(place)
    start = time.perf_counter()
    with transaction(url) as session:
        images = pd.DataFrame({"image_name": scoring.names, "artist_name": None, "split": "test"})
        evaluation_id, known = begin(session, images, "scored", None)
    ids = np.array([known[name] for name in scoring.names])
    submission, rows = place / "submission.csv", place / "scores.rows"
    written = write_scores(scoring, ids, Faults(), submission, rows)

    def store(part: int) -> None:
        store_part(url, evaluation_id, part, open_rows(rows).in_part(part))

    with ThreadPoolExecutor(workers or writers(url)) as pool:
        list(pool.map(store, written.parts))
    measured = Evaluation(threshold=THRESHOLD, n_pairs=written.count)
    with transaction(url) as session:
        complete_evaluation(session, evaluation_id, measured)
    return Scored(written.count, time.perf_counter() - start, peak_memory())

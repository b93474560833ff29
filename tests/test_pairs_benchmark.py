"""The benchmark of pairs, at a share of its size: all pairs are stored, on both databases alike."""

import re
from pathlib import Path

import pyarrow as pa
from pyarrow import csv

from benchmarks.pairs import LOCAL, measure, postgres_schema

SHARE = 0.1


def test_a_tenth_of_the_benchmark_stores_all_pairs(tmp_path: Path, postgres_url: str) -> None:
    told = list(measure(tmp_path, SHARE, postgres_url))
    (count,) = re.findall(r"^([\d,]+) pairs in the file$", told[0])
    scored = [line for line in told if line.startswith(("CSV in", "line by line"))]
    assert len(scored) == 3
    assert all(f": {count} pairs" in line for line in scored[1:])
    answers = csv.read_csv(tmp_path / "submission.csv")
    given = csv.read_csv(tmp_path / "pairs.csv")
    assert answers.column("index").equals(given.column("index"))
    assert answers.schema.field("sameArtist").type == pa.float64()
    eight = [line for line in told if "8 processes at once" in line]
    assert len(eight) == 2
    for line in eight:
        stored, sent = re.findall(r"([\d,]+) of ([\d,]+) pairs stored", line)[0]
        assert stored == sent
    asked = [line for line in told if ": question " in line]
    assert len(asked) == 2 * 13


def test_where_no_server_answers_none_is_used() -> None:
    with postgres_schema(LOCAL.replace(":5432", ":1")) as url:
        assert url is None

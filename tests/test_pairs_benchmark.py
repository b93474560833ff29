"""The benchmark of pairs at a tiny size stores all pairs in both databases."""

from pathlib import Path

import pyarrow as pa
from pyarrow import csv

from benchmarks.pairs import LOCAL, measure_in, postgres_schema

SHARE = 0.0005  # 11,000 pairs; `make bench` measures 22 million


def test_all_pairs_are_stored(tmp_path: Path, postgres_url: str) -> None:
    table = measure_in(tmp_path, SHARE, postgres_url, writers=2)
    notes = {row.what: row.note for row in table.rows}
    count = table.work.split()[0]
    assert "line by line, one dot product each" in notes
    for way in ("CSV in, CSV out", "CSV in, PostgreSQL and CSV out"):
        assert notes[way].startswith(f"{count} pairs")
    answers = csv.read_csv(tmp_path / "submission.csv")
    given = csv.read_csv(tmp_path / "pairs.csv")
    assert answers.column("index").equals(given.column("index"))
    assert answers.schema.field("sameArtist").type == pa.float64()
    for kind in ("sqlite", "postgresql"):
        stored, _, sent, _ = notes[f"{kind}: 2 processes at once"].split()
        assert stored == sent
        assert sum(what.startswith(f"{kind}: question") for what in notes) == 25


def test_without_a_server_the_benchmark_uses_none() -> None:
    with postgres_schema(LOCAL.replace(":5432", ":1")) as url:
        assert url is None

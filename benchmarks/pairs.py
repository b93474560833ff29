"""Writing, scoring and asking about pairs, at Kaggle's full size or a share of it.

Each measurement is a process of its own, so that its memory is its own. Where no PostgreSQL
answers, what needs one is left out.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from benchmarks.pair_scoring import (
    Scored,
    csv_to_csv,
    csv_to_postgres,
    line_by_line,
    write_pair_file,
)
from benchmarks.pair_storage import ask, write, write_at_once
from benchmarks.processes import apart
from benchmarks.report import Row, Table

LOCAL = "postgresql+psycopg://postgres@127.0.0.1:5432/test"


def measure(share: float = 1.0, server: str = LOCAL) -> Table:
    """Measure everything, in files and a schema that are removed at the end."""
    with TemporaryDirectory() as folder, postgres_schema(server) as postgres:
        return measure_in(Path(folder), share, postgres)


def measure_in(place: Path, share: float, postgres: str | None, writers: int = 8) -> Table:
    """Measure everything in files under `place`, and in a schema of a server where there is one."""
    count = apart(write_pair_file, place, share)
    rows = [*score(place, postgres)]
    for url in (f"sqlite:///{place / 'results.db'}", *([postgres] if postgres else [])):
        kind = make_url(url).get_backend_name()
        stored = [
            *apart(write, url, share),
            *apart(ask, url, share),
            write_at_once(url, share, writers),
        ]
        rows += [replace(row, what=f"{kind}: {row.what}") for row in stored]
    name = "pairs" if share == 1 else f"pairs, {share:g} of them"
    left_out = "" if postgres else "; no PostgreSQL answers: what needs one is left out"
    return Table(name, f"{count:,} pairs of 64 dimensions{left_out}", tuple(rows))


def score(place: Path, postgres: str | None) -> Iterator[Row]:
    """Score the file in each way; a ratio is that of pairs a second."""
    lines = apart(line_by_line, place)
    yield _row("line by line, one dot product each", lines, lines)
    yield _row("CSV in, CSV out", apart(csv_to_csv, place), lines)
    if postgres:
        both = apart(csv_to_postgres, place, postgres)
        yield _row("CSV in, PostgreSQL and CSV out", both, lines)
        alone = apart(csv_to_postgres, place, postgres, 1)
        yield _row("the same by one writer", alone, lines)


def _row(what: str, scored: Scored, first: Scored) -> Row:
    rate = scored.count / scored.seconds
    note = f"{scored.count:,} pairs, {1e-3 * rate:,.0f} k/s, {scored.memory:.2f} GB"
    return Row(what, scored.seconds, "s", rate * first.seconds / first.count, note)


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

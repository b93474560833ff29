"""Whatever stops a writer: the complete is whole, the rest can be redone; told in a line."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.orm import Session

from storage.database.datasets import image_ids
from storage.database.evaluation_tables import Evaluation
from storage.database.pair_rows import PairColumns
from storage.database.records import complete_evaluation, start_evaluation
from storage.database.session import transaction
from storage.errors import InputError, UnavailableError
from tests.storage.conftest import write_pairs

KILLS = 20
PAIRS = 3_000
WRITER = """
import os
import sys
import numpy as np
from storage.database import pair_rows
from storage.database.session import transaction
from storage.database.evaluation_tables import Evaluation
from storage.database.pair_parts import store_pairs
from storage.database.records import complete_evaluation, start_evaluation

pair_rows.PART = 1000
url, kills, pairs = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
for line in sys.stdin:  # a child a line, which writes evaluations until it is killed
    child = os.fork()
    if child == 0:
        while True:
            with transaction(url) as session:
                begun = Evaluation(run_id=1, model_id=1, dataset_id=1, split="test")
                number = start_evaluation(session, begun)
            index, image = np.arange(pairs), np.ones(pairs, int)
            store_pairs(url, number, pair_rows.PairColumns(index, image, image, index / 1, None))
            with transaction(url) as session:
                complete_evaluation(session, number, Evaluation(n_pairs=pairs))
    print(child, flush=True)
    os.waitpid(child, 0)
"""


def evaluate(session: Session, run_id: int, model_id: int, dataset_id: int, count: int) -> int:
    """Write an evaluation and complete it."""
    begun = Evaluation(run_id=run_id, model_id=model_id, dataset_id=dataset_id, split="test")
    number = start_evaluation(session, begun)
    image = np.full(count, next(iter(image_ids(session, dataset_id).values())))
    columns = PairColumns(np.arange(count), image, image, np.ones(count), None)
    write_pairs(session, number, columns)
    complete_evaluation(session, number, Evaluation(n_pairs=count))
    return number


def test_a_writer_killed_at_random_moments_leaves_only_whole_evaluations(
    database_url: str, session: Session, run_id: int, model_id: int, dataset_id: int
) -> None:
    assert (run_id, model_id, dataset_id) == (1, 1, 1)
    # One that is there whatever the machine is busy with; the others depend on the moments.
    evaluate(session, run_id, model_id, dataset_id, PAIRS)
    session.commit()
    moments = random.Random(0)
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, database_url, str(KILLS), str(PAIRS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as writer:
        assert writer.stdin
        assert writer.stdout
        for _ in range(KILLS):
            writer.stdin.write("\n")
            writer.stdin.flush()
            child = int(writer.stdout.readline())
            time.sleep(moments.uniform(0, 0.4))
            os.kill(child, signal.SIGKILL)
        writer.stdin.close()
    query = (
        "SELECT count(*) FROM evaluations LEFT JOIN pair_predictions ON evaluation_id = id"
        " WHERE status = 'complete' GROUP BY id"
    )
    counts = set(session.execute(text(query)).scalars())
    assert counts == {PAIRS}
    again = evaluate(session, run_id, model_id, dataset_id, PAIRS)  # what was stopped is redone
    session.commit()
    statuses = session.execute(text("SELECT id, status FROM evaluations ORDER BY id")).all()
    assert {status for _, status in statuses} == {"complete"}
    assert statuses[-1][0] == again


def test_a_full_disk_is_one_line_and_leaves_nothing_of_the_transaction(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path / 'results.db'}"
    with transaction(url) as session:
        session.execute(text("SELECT 1"))

    def fill() -> None:
        with transaction(url) as session:
            pages = session.execute(text("PRAGMA page_count")).scalar_one()
            session.execute(text(f"PRAGMA max_page_count = {pages + 5}"))  # as a full disk says it
            for number in range(100_000):
                session.execute(
                    text(
                        "INSERT INTO datasets (source, content_hash, created_at) VALUES"
                        " (:s, 'c', '2026-01-01')"
                    ),
                    {"s": f"{number}" * 100},
                )

    with pytest.raises(InputError, match=r"results\.db: database or disk is full") as refusal:
        fill()
    assert "\n" not in str(refusal.value)
    with transaction(url) as session:
        assert session.execute(text("SELECT count(*) FROM datasets")).scalar_one() == 0


def test_a_read_only_file_is_one_line(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'results.db'}"

    def write() -> None:
        with transaction(url) as session:
            session.execute(text("PRAGMA query_only = true"))
            session.execute(text("DELETE FROM runs"))

    with pytest.raises(InputError, match="readonly database"):
        write()


def test_a_server_that_ends_the_connection_is_one_line_and_the_next_attempt_succeeds(
    postgres_url: str,
) -> None:
    with transaction(postgres_url) as session:
        session.execute(text("SELECT 1"))

    def write() -> None:
        with transaction(postgres_url) as session:
            session.execute(
                text(
                    "INSERT INTO datasets (source, content_hash, created_at) VALUES"
                    " ('s', 'c', now())"
                )
            )
            process = session.execute(text("SELECT pg_backend_pid()")).scalar_one()
            server = create_engine(postgres_url)
            with server.begin() as other:
                other.execute(text(f"SELECT pg_terminate_backend({process})"))
            server.dispose()
            session.execute(text("SELECT 1"))

    with pytest.raises(UnavailableError, match="terminating connection") as refusal:
        write()
    assert "\n" not in str(refusal.value)
    with transaction(postgres_url) as session:
        assert session.execute(text("SELECT count(*) FROM datasets")).scalar_one() == 0


def test_missing_rights_are_one_line_without_the_password(postgres_url: str) -> None:
    name = f"stranger_{make_url(postgres_url).query['options'][-8:]}"
    with transaction(postgres_url) as session:
        schema = session.execute(text("SELECT current_schema()")).scalar_one()
        session.execute(text(f"CREATE ROLE {name} LOGIN"))
        session.execute(text(f"GRANT USAGE ON SCHEMA {schema} TO {name}"))
        session.execute(text(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {name}"))
    url = make_url(postgres_url).set(username=name, password="s3cret")

    def write() -> None:
        with transaction(url.render_as_string(hide_password=False)) as session:
            session.execute(text("DELETE FROM runs"))

    try:
        with pytest.raises(InputError, match="permission denied for table runs") as refusal:
            write()
        assert "s3cret" not in str(refusal.value)
        assert "\n" not in str(refusal.value)
    finally:
        with transaction(postgres_url) as session:
            session.execute(text(f"DROP OWNED BY {name}"))
            session.execute(text(f"DROP ROLE {name}"))

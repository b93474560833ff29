"""Scoring that meets a fault which can pass goes on after what it has stored."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pytest
from prefect.logging import disable_run_logger
from sqlalchemy import create_engine, make_url, text

from storage.arrays import save_arrays
from storage.database.records import start_run
from storage.database.session import transaction
from storage.errors import UnavailableError
from storage.workspace import Workspace
from tasks.scoring import complete_scores, score_pairs, store_scores
from tests.storage.conftest import new_run
from tests.tasks.conftest import model_of, open_run_in

PAIRS, PART = 20_000, 2_000
STORED = "SELECT count(*) FROM pair_predictions"
END_COPY = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE application_name = 'scoring' AND state = 'active' AND query LIKE 'COPY%'"
)


@contextmanager
def cut_off(url: str) -> Iterator[None]:
    """End every connection that copies pairs, once the first pairs are stored."""
    engine, is_over = create_engine(url, isolation_level="AUTOCOMMIT"), Event()

    def end() -> None:
        with engine.connect() as connection:
            while not is_over.is_set():
                if connection.scalar(text("SELECT to_regclass('pair_predictions_1_7')")):
                    connection.execute(text(END_COPY))

    cutter = Thread(target=end)
    cutter.start()
    try:
        yield
    finally:
        is_over.set()
        cutter.join()
        engine.dispose()


def test_a_connection_lost_in_mid_scoring_costs_nothing_that_is_stored(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.database.pair_rows.PART", PART)
    url = make_url(postgres_url).update_query_dict({"application_name": "scoring"})
    space = Workspace(tmp_path, url.render_as_string(hide_password=False))
    pairs, embedded = tmp_path / "pairs.csv", tmp_path / "embedded.npz"
    lines = (f"{index},a.jpg,b.jpg" for index in range(PAIRS))
    pairs.write_text("\n".join(("index,image1,image2", *lines)))
    names, none = np.array(["a.jpg", "b.jpg"]), np.array([], np.str_)
    save_arrays(
        embedded,
        {
            "names": names,
            "faults": none,
            "cautions": none,
            "embeddings": np.eye(2, dtype=np.float32),
        },
    )
    with transaction(space.database_url) as session:
        run = open_run_in(space, start_run(session, new_run()))
        model = model_of(session, run.id, space)

    def score() -> int:
        submission = tmp_path / "submission.csv"
        with disable_run_logger():
            written = score_pairs.fn(run, model, pairs, PAIRS, [embedded], submission, 0)
            assert len(written.shards) == PAIRS // PART
            for shard in reversed(written.shards):  # in any order
                store_scores.fn(run, written, shard)
            return complete_scores.fn(run, model, written).evaluation_id

    with cut_off(postgres_url), pytest.raises(UnavailableError):
        score()
    with transaction(postgres_url) as session:
        stored = session.execute(text(STORED)).scalar_one()
    assert 0 < stored < PAIRS
    assert score() == 1  # the same evaluation, not one begun anew
    with transaction(postgres_url) as session:
        assert session.execute(text(STORED)).scalar_one() == PAIRS
        (status,) = session.execute(text("SELECT status FROM evaluations")).scalars()
        assert status == "complete"

"""Databases to test with: an SQLite file and, where a server is reached, a PostgreSQL schema."""

import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from storage.database.datasets import record_dataset
from storage.database.dialects import dialect_of
from storage.database.engine import open_database
from storage.database.evaluation_tables import Evaluation
from storage.database.pair_rows import PairColumns, parts_of
from storage.database.records import (
    complete_evaluation,
    record_model,
    start_evaluation,
    start_run,
)
from storage.database.tables import Model, Run


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'results.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An open, empty results database, of each kind in turn."""
    engine = open_database(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    """A session on an empty results database."""
    with Session(engine) as session:
        yield session


@pytest.fixture
def gallery() -> pd.DataFrame:
    """Four images: two of Vermeer, one of Hals, one whose artist is not known."""
    return pd.DataFrame(
        {
            "image_name": ["lace.jpg", "milk.jpg", "lute.jpg", "found.jpg"],
            "artist_name": ["Vermeer", "Vermeer", "Hals", None],
            "split": ["test", "test", "test", "excluded"],
            "title": ["The Lacemaker", None, "The Lute Player", None],
            "date": ["1670", None, "1624", None],
            "sha256": ["a1", "b2", "c3", "d4"],
            "collection": ["Mauritshuis", None, "Mauritshuis", None],
        }
    )


@pytest.fixture
def dataset_id(session: Session, gallery: pd.DataFrame) -> int:
    """The gallery as a recorded dataset, with one image rejected."""
    rejected = pd.DataFrame({"image_name": ["torn.jpg"], "reason": ["cannot be decoded"]})
    return record_dataset(
        session, source="gallery", content_hash="c0ffee", images=gallery, rejected=rejected
    )


@pytest.fixture
def run() -> Run:
    """A running training run, not recorded yet."""
    return new_run()


@pytest.fixture
def model() -> Model:
    """A model with threshold 2 and slope 3, of a run that is still to be set."""
    return new_model()


def new_run(**given: Any) -> Run:
    """Return a training run that differs from any other only in what is given."""
    usual: dict[str, Any] = {
        "flow_name": "train-flow",
        "prefect_flow_run_id": "4f2e",
        "source": "sample",
        "preset": "demo",
        "settings": {"margin": 5.0, "epochs": 2},
        "seed": 2**40,
        "device": "cpu",
        "code_version": "0.1.0",
        "library_versions": {"torch": "2.11"},
        "directory": "runs/1",
    }
    return Run(**usual | given)


def new_model(**given: Any) -> Model:
    """Return a model that differs from any other only in what is given."""
    usual: dict[str, Any] = {
        "epoch": 1,
        "path": "epoch-01.pt",
        "sha256": "e5",
        "settings": {"dimensions": 64},
        "threshold": 2.0,
        "calibration_slope": 3.0,
        "calibration_midpoint": 2.0,
        "accept_within": 1.5,
        "reject_beyond": 2.5,
        "validation_roc_auc": 0.8,
        "validation_accuracy": 0.75,
    }
    return Model(**usual | given)


def rows(session: Session, query: str) -> Sequence[tuple[Any, ...]]:
    """Return the rows of a plain SQL query."""
    return [tuple(row) for row in session.execute(text(query))]


def store_test(
    session: Session, run_id: int, model_id: int, dataset_id: int, **measured: Any
) -> None:
    """Store a complete test of a model, with the metrics that are given."""
    begun = Evaluation(run_id=run_id, model_id=model_id, dataset_id=dataset_id, split="test")
    complete_evaluation(session, start_evaluation(session, begun), Evaluation(**measured))


def processes_at_once(script: str, arguments: Iterable[Sequence[str]]) -> list[str]:
    """Run a script in several processes that begin together, and return what each has printed.

    It prints "ready" and then waits for a line. No process may fail.
    """
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, *each],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for each in arguments
    ]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    ended = [(*process.communicate(timeout=60), process.returncode) for process in processes]
    assert [end[1:] for end in ended] == [("", 0)] * len(ended)
    return [printed for printed, *_ in ended]


@pytest.fixture
def run_id(session: Session, dataset_id: int) -> int:
    """A running training run on the gallery."""
    return start_run(session, new_run(dataset_id=dataset_id))


@pytest.fixture
def model_id(session: Session, run_id: int) -> int:
    """A model of the run with threshold 2 and slope 3."""
    return record_model(session, new_model(run_id=run_id))


@pytest.fixture
def evaluation_id(session: Session, run_id: int, model_id: int, dataset_id: int) -> int:
    """An evaluation of the model on the test split that has just begun."""
    evaluation = Evaluation(run_id=run_id, model_id=model_id, dataset_id=dataset_id, split="test")
    return start_evaluation(session, evaluation)


def write_pairs(session: Session, evaluation_id: int, pairs: PairColumns) -> None:
    """Append pairs to an evaluation that is not complete."""
    append, connection = dialect_of(session).append_to_part, session.connection()
    for part in np.unique(parts_of(pairs.pair_index)).tolist():
        append(connection, evaluation_id, part, pairs.in_part(part))

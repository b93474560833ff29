"""Databases to test with: an SQLite file and, where a server is reached, a PostgreSQL schema."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from storage.database.datasets import record_dataset
from storage.database.engine import open_database
from storage.database.evaluation_tables import Evaluation
from storage.database.records import record_model, start_evaluation, start_run
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

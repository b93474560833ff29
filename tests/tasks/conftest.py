"""Runs and models for tests of tasks."""

from pathlib import Path

from sqlalchemy.orm import Session

from model.compute import Compute
from storage.database.records import record_model
from storage.database.tables import Model
from storage.run_folder import RunFolder
from storage.workspace import Workspace
from tasks.models import StoredModel, stored_model
from tasks.settings import Settings
from tasks.support.run import OpenRun
from tests.storage.conftest import new_model


def open_run_in(space: Workspace, run_id: int = 1, settings: Settings | None = None) -> OpenRun:
    """A run on the CPU that leaves things in the workspace's folder "run"."""
    folder = RunFolder(space.home / "run")
    compute = Compute("cpu", "float32")
    return OpenRun(run_id, folder, "s", "demo", settings or Settings(), compute, space)


def model_of(session: Session, run_id: int, space: Workspace) -> StoredModel:
    """A model that the run has stored."""
    model_id = record_model(session, new_model(run_id=run_id))
    return stored_model(session, session.get_one(Model, model_id), space)


def workspace_in(folder: Path) -> Workspace:
    """A workspace with an SQLite database."""
    return Workspace(folder, f"sqlite:///{folder / 'results.db'}")

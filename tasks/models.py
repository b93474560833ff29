"""Stored models: registered after training, found again to be evaluated or used."""

from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from model.calibration import Calibration, calibration_of
from model.compute import Compute
from model.selection import ValidatedEpoch
from storage.database import records, results
from storage.database.session import transaction
from storage.database.tables import Dataset as DatasetRow
from storage.database.tables import Model, Run
from storage.datasets.dataset import Dataset
from storage.errors import InputError
from storage.files import present, sha256_of
from storage.run_folder import exported_beside, fetch_network
from storage.workspace import Workspace
from tasks.settings import Settings
from tasks.support.run import OpenRun
from tasks.support.step import step


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A model as the results database knows it."""

    id: int
    epoch: int
    checkpoint: Path
    calibration: Calibration
    source: str
    preset: str
    settings: Settings
    known_artists: dict[str, str]
    purpose: str
    dataset: Dataset | None  # that it was trained on; None if the database does not say where

    def require_dataset(self) -> Dataset:
        """Return the dataset it was trained on. Raises InputError if that or its file is gone."""
        if not self.checkpoint.is_file():
            raise InputError(f"the checkpoint of model {self.id} is gone: {self.checkpoint}")
        dataset = self.dataset
        if dataset is None or not (dataset.is_complete and present(dataset.pixels).exists()):
            raise InputError(f"the crops that model {self.id} was trained on are gone")
        return dataset


@dataclass(frozen=True, slots=True)
class Threshold:
    """What the validation pairs gave, and how well they are told apart.

    ``has_collapsed``: all of their embeddings are alike, so that they tell nothing apart.
    """

    calibration: Calibration
    validation_roc_auc: float
    has_collapsed: bool


def network_on(compute: Compute, checkpoint: Path) -> Path:
    """Return the file to embed crops with: on a CPU the exported network, if there is one."""
    exported = exported_beside(fetch_network(checkpoint))
    return exported if compute.device == "cpu" and exported.is_file() else checkpoint


@step()
def register_model(run: OpenRun, epoch: ValidatedEpoch, threshold: Threshold) -> StoredModel:
    """Record the checkpoint of an epoch as a model."""
    checkpoint = run.folder.checkpoint(epoch.epoch)
    with transaction(run.space.database_url) as session:
        row = Model(
            run_id=run.id,
            epoch=epoch.epoch,
            path=run.space.relative(checkpoint),
            sha256=sha256_of(checkpoint),
            settings=asdict(run.settings.network_shape()),
            threshold=threshold.calibration.threshold,
            calibration_slope=threshold.calibration.slope,
            calibration_midpoint=threshold.calibration.midpoint,
            accept_within=threshold.calibration.band.accept_within,
            reject_beyond=threshold.calibration.band.reject_beyond,
            validation_roc_auc=threshold.validation_roc_auc,
            validation_accuracy=epoch.accuracy,
            has_collapsed=threshold.has_collapsed,
            purpose=run.settings.purpose or run.source,
        )
        model_id = records.record_model(session, row)
        return stored_model(session, session.get_one(Model, model_id), run.space)


@step()
def find_model(
    model_id: int | None,
    resume: int | None,
    flow_run_id: str,
    space: Workspace,
    source: str | None = None,
) -> StoredModel:
    """Find a model by its number, else the champion; a run that goes on keeps its own.

    A ``source`` has a champion of its own, if one was trained on it.

    A run goes on if ``resume`` names it, or if this flow run began it. Raises InputError if the
    model's checkpoint is gone.
    """
    with transaction(space.database_url) as session:
        begun = (
            results.run_of_flow_run(session, flow_run_id)
            if resume is None
            else results.find_run(session, resume)
        )
        row = results.find_model(session, (begun and begun.model_id) or model_id, source)
        space.checkpoint(row.id, row.path)
        return stored_model(session, row, space)


def stored_model(session: Session, row: Model, space: Workspace) -> StoredModel:
    """Return a model's row as flows hand it on."""
    run = session.get_one(Run, row.run_id)
    trained_on = None if run.dataset_id is None else session.get_one(DatasetRow, run.dataset_id)
    catalog = trained_on and trained_on.catalog_path
    return StoredModel(
        id=row.id,
        epoch=row.epoch,
        checkpoint=fetch_network(space.home / row.path),
        calibration=calibration_of(row),
        source=run.source,
        preset=run.preset,
        settings=Settings.model_validate(run.settings),
        known_artists=results.artist_splits_of(session, run.dataset_id),
        purpose=row.purpose,
        dataset=Dataset(space.dataset_folder(catalog)) if catalog else None,
    )

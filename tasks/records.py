"""What a run leaves in the results database while it goes on: the run, its epochs, its model."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from prefect import get_run_logger
from sqlalchemy.orm import Session

from model.compute import Compute
from model.selection import ValidatedEpoch
from model.shape import NetworkShape
from storage.catalogs.catalog import read_catalog
from storage.database import records, results
from storage.database.datasets import record_dataset as store_dataset
from storage.database.session import transaction
from storage.database.tables import Epoch, Model, Run
from storage.datasets.dataset import Dataset, content_hash
from storage.errors import InputError
from storage.files import sha256_of
from storage.locks import try_lock
from storage.run_folder import RunFolder, exported_beside
from storage.workspace import Workspace
from tasks.evaluation import SplitScore, Threshold
from tasks.support.step import step
from tasks.training import TrainedEpoch


@dataclass(frozen=True, slots=True)
class RunStart:
    """What is known of a run when it begins."""

    flow_name: str
    prefect_flow_run_id: str
    source: str
    preset: str
    settings: dict[str, Any]
    seed: int
    device: str
    code_version: str
    library_versions: dict[str, str]
    model_id: int | None = None


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run that goes on: its number, its folder, and what it is made with."""

    id: int
    folder: RunFolder
    source: str
    preset: str
    settings: dict[str, Any]
    model_id: int | None = None


@dataclass(frozen=True, slots=True)
class KeptModel:
    """A model as the results database knows it."""

    id: int
    epoch: int
    checkpoint: Path
    threshold: float
    slope: float
    source: str
    preset: str
    settings: dict[str, Any]
    known_artists: dict[str, str]

    def network_on(self, compute: Compute) -> Path:
        """The file to embed crops with: on a CPU the exported network, where there is one."""
        return network_on(compute, self.checkpoint)


def network_on(compute: Compute, checkpoint: Path) -> Path:
    """The file to embed crops with: on a CPU the exported network, where there is one."""
    exported = exported_beside(checkpoint)
    return exported if compute.device == "cpu" and exported.is_file() else checkpoint


@step()
def open_run(start: RunStart, space: Workspace) -> OpenRun:
    """Record that a run begins, or find the one that this flow run began before.

    Until its lock is held and it is marked as running, it counts as crashed: killed in between,
    it stays so.
    """
    with transaction(space.database_url) as session:
        row = results.run_of_flow_run(session, start.prefect_flow_run_id)
        if row is None:
            row = Run(**asdict(start), directory="", status="crashed")
            records.start_run(session, row)
            name = f"{row.id:04d}-{start.flow_name.removesuffix('-flow')}"
            row.directory = space.new_run_folder(name)
        return _opened(row, space)


@step()
def find_stopped_run(run_id: int, space: Workspace, flow_name: str = "train-flow") -> OpenRun:
    """Find a run to go on with."""
    with transaction(space.database_url) as session:
        return _opened(results.find_stopped_run(session, run_id, flow_name), space)


@step()
def mark_running(run: OpenRun, prefect_flow_run_id: str, space: Workspace) -> None:
    """Record that a run goes on, as this flow run."""
    with transaction(space.database_url) as session:
        records.reopen_run(session, run.id, prefect_flow_run_id)


@step()
def finish_run(run: OpenRun, space: Workspace) -> None:
    """Record that a run reached its end; nobody will go on with it."""
    run.folder.remove_working_files()
    with transaction(space.database_url) as session:
        records.finish_run(session, run.id, "complete")


def end_run_of_flow(
    prefect_flow_run_id: str,
    status: Literal["failed", "cancelled", "crashed"],
    reason: str | None,
    space: Workspace,
) -> None:
    """Record how a flow run ended that did not reach its end; it may not have begun a run.

    A run whose lock is held goes on in another process: only a second one was refused here.
    """
    with transaction(space.database_url) as session:
        row = results.run_of_flow_run(session, prefect_flow_run_id)
        if row is None or row.finished_at is not None:
            return
        with try_lock(_opened(row, space).folder.lock) as has_ended:
            if has_ended:
                records.finish_run(session, row.id, status, reason)


@step()
def record_dataset(dataset: Dataset, run: OpenRun, space: Workspace) -> int:
    """Record the artists and images of a dataset, once for the same content."""
    images = read_catalog(dataset.catalog)
    rejected = pd.read_csv(dataset.rejected, dtype=str)
    if len(rejected):
        get_run_logger().warning(
            "%d images cannot be used, see %s", len(rejected), dataset.rejected
        )
    with transaction(space.database_url) as session:
        dataset_id = store_dataset(
            session,
            source=run.source,
            content_hash=content_hash(images),
            crops_hash=sha256_of(dataset.crops),
            catalog_path=space.relative(dataset.catalog),
            images=images.mask(images == ""),
            rejected=rejected,
        )
        records.attach_dataset(session, run.id, dataset_id)
    return dataset_id


@step(name="record-epoch-{trained.epoch}")
def record_epoch(
    run: OpenRun,
    trained: TrainedEpoch,
    validation: SplitScore,
    test: SplitScore,
    space: Workspace,
) -> tuple[ValidatedEpoch, ...]:
    """Record an epoch; from then on a resumed run starts after it. Returns the history so far."""
    with transaction(space.database_url) as session:
        records.record_epoch(
            session,
            Epoch(
                run_id=run.id,
                epoch=trained.epoch,
                train_loss=trained.result.loss,
                train_accuracy=trained.result.accuracy,
                validation_loss=validation.loss,
                validation_accuracy=validation.accuracy,
                validation_roc_auc=validation.roc_auc,
                test_loss=test.loss,
                test_accuracy=test.accuracy,
                seconds=trained.result.seconds,
                images_per_second=trained.result.images_per_second,
            ),
        )
        history = _history(session, run)
    get_run_logger().info(
        "Epoch %d: validation %.2f %%, test %.2f %%",
        trained.epoch,
        100 * validation.accuracy,
        100 * test.accuracy,
    )
    return history


@step()
def read_history(run: OpenRun, space: Workspace) -> tuple[ValidatedEpoch, ...]:
    """The epochs that a run has finished, in order."""
    with transaction(space.database_url) as session:
        return _history(session, run)


@step()
def keep_model(
    run: OpenRun,
    best: ValidatedEpoch,
    threshold: Threshold,
    shape: NetworkShape,
    space: Workspace,
) -> KeptModel:
    """Record the checkpoint of the best epoch as a model."""
    checkpoint = run.folder.checkpoint(best.epoch)
    with transaction(space.database_url) as session:
        row = Model(
            run_id=run.id,
            epoch=best.epoch,
            path=space.relative(checkpoint),
            sha256=sha256_of(checkpoint),
            settings=asdict(shape),
            threshold=threshold.calibration.threshold,
            calibration_slope=threshold.calibration.slope,
            validation_roc_auc=threshold.validation_roc_auc,
            validation_accuracy=best.accuracy,
        )
        model_id = records.record_model(session, row)
        return kept_model(session, session.get_one(Model, model_id), space)


@step()
def find_model_of_run(run_id: int | None, prefect_flow_run_id: str, space: Workspace) -> int | None:
    """The model that a run began with which goes on: one that is named, or this flow run's own."""
    with transaction(space.database_url) as session:
        if run_id is not None:
            return results.find_run(session, run_id).model_id
        row = results.run_of_flow_run(session, prefect_flow_run_id)
        return row.model_id if row else None


@step()
def find_kept_model(model_id: int | None, space: Workspace) -> KeptModel:
    """Find a model by its number; the champion if none is named.

    Raises InputError where its checkpoint is gone.
    """
    with transaction(space.database_url) as session:
        kept = kept_model(session, results.find_model(session, model_id), space)
    if not kept.checkpoint.is_file():
        raise InputError(
            f"{kept.checkpoint}: the checkpoint of model {kept.id} is gone;"
            " put it back or name another model"
        )
    return kept


def _history(session: Session, run: OpenRun) -> tuple[ValidatedEpoch, ...]:
    epochs = results.epochs(session, run.id)
    columns = ["epoch", "validation_accuracy", "validation_loss", "validation_roc_auc"]
    return tuple(
        ValidatedEpoch(int(epoch), accuracy, loss, None if pd.isna(roc_auc) else roc_auc)
        for epoch, accuracy, loss, roc_auc in epochs[columns].itertuples(index=False)
    )


def kept_model(session: Session, row: Model, space: Workspace) -> KeptModel:
    """A model's row as flows hand it on."""
    run = session.get_one(Run, row.run_id)
    return KeptModel(
        id=row.id,
        epoch=row.epoch,
        checkpoint=space.home / row.path,
        threshold=row.threshold,
        slope=row.calibration_slope,
        source=run.source,
        preset=run.preset,
        settings=run.settings,
        known_artists=results.artist_splits_of(session, run.dataset_id),
    )


def _opened(row: Run, space: Workspace) -> OpenRun:
    folder = RunFolder(space.home / row.directory)
    return OpenRun(row.id, folder, row.source, row.preset, row.settings, row.model_id)

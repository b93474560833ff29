"""Scheduled re-evaluation: has a model got worse since it was last evaluated?"""

from dataclasses import dataclass

from prefect import get_run_logger
from prefect.events import emit_event

from storage.database import results
from storage.database.session import transaction
from storage.database.tables import Dataset as DatasetRow
from storage.datasets.dataset import Dataset
from storage.files import present
from tasks.models import StoredModel
from tasks.support.run import OpenRun
from tasks.support.step import step

REGRESSED = "samehand.evaluation.regressed"


class RegressionError(Exception):
    """A model got worse by more than the tolerance, and the run was asked to fail then."""


@dataclass(frozen=True, slots=True)
class PastEvaluation:
    """A model's last evaluation, and the version of the paintings that it judged."""

    id: int
    roc_auc: float
    dataset_id: int
    dataset: Dataset


@dataclass(frozen=True, slots=True)
class Change:
    """ROC AUC now and at the last evaluation, on the same version of the paintings or a new one."""

    evaluation_id: int
    on: str
    before: float
    now: float

    @property
    def fall(self) -> float:
        """How much lower it is now; NaN if unknown, which exceeds no tolerance."""
        return self.before - self.now

    def __str__(self) -> str:
        """Say it in one line."""
        return f"ROC AUC {self.now:.4f} on {self.on}, {-self.fall:+.4f}"


@step()
def find_last_evaluation(run: OpenRun, model: StoredModel) -> PastEvaluation | None:
    """Find a model's last evaluation on a run's source before that run.

    Returns None if there is none, or its crops are gone.
    """
    with transaction(run.space.database_url) as session:
        last = results.evaluation_before_run(session, model.id, run.id)
        if last is None or last.roc_auc is None:
            return None
        stored = session.get_one(DatasetRow, last.dataset_id)
        if stored.catalog_path is None:
            return None
        dataset = Dataset(run.space.dataset_folder(stored.catalog_path))
        if not present(dataset.pixels).is_file():
            get_run_logger().warning("The paintings of evaluation %d are gone", last.id)
            return None
        return PastEvaluation(last.id, last.roc_auc, last.dataset_id, dataset)


@step()
def measure_change(run: OpenRun, last: PastEvaluation, evaluation_id: int) -> Change:
    """Compare an evaluation with the last one before this run."""
    with transaction(run.space.database_url) as session:
        now = results.find_evaluation(session, evaluation_id)
        is_same = now.dataset_id == last.dataset_id
        change = Change(
            evaluation_id,
            "the same paintings" if is_same else "a new version of the paintings",
            last.roc_auc,
            float("nan") if now.roc_auc is None else now.roc_auc,
        )
    get_run_logger().info("%s against evaluation %d", change, last.id)
    return change


@step()
def report_regression(model: StoredModel, last: PastEvaluation, worse: list[Change]) -> None:
    """Tell Prefect, so that automations can act on it."""
    for change in worse:
        get_run_logger().warning("Model %d got worse: %s", model.id, change)
        emit_event(
            REGRESSED,
            resource={
                "prefect.resource.id": f"samehand.model.{model.id}",
                "prefect.resource.name": f"model {model.id}",
            },
            payload={
                "evaluation": change.evaluation_id,
                "last_evaluation": last.id,
                "on": change.on,
                "roc_auc": change.now,
                "last_roc_auc": change.before,
            },
        )

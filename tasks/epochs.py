"""The epochs of a training run in the results database."""

import pandas as pd
from prefect import get_run_logger
from sqlalchemy.orm import Session

from model.selection import ValidatedEpoch
from storage.database import records, results
from storage.database.session import transaction
from storage.database.tables import Epoch
from tasks.evaluation import SplitScore
from tasks.support.run import OpenRun
from tasks.support.step import step
from tasks.training import TrainedEpoch


@step("record epoch {trained.epoch}")
def record_epoch(
    run: OpenRun, trained: TrainedEpoch, validation: SplitScore, test: SplitScore
) -> tuple[ValidatedEpoch, ...]:
    """Record an epoch; from then on a resumed run starts after it. Returns the history so far."""
    with transaction(run.space.database_url) as session:
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
def read_history(run: OpenRun) -> tuple[ValidatedEpoch, ...]:
    """Read the epochs that a run has finished, in order."""
    with transaction(run.space.database_url) as session:
        return _history(session, run)


def _history(session: Session, run: OpenRun) -> tuple[ValidatedEpoch, ...]:
    epochs = results.epochs(session, run.id)
    columns = ["epoch", "validation_accuracy", "validation_loss", "validation_roc_auc"]
    return tuple(
        ValidatedEpoch(int(epoch), accuracy, loss, None if pd.isna(roc_auc) else roc_auc)
        for epoch, accuracy, loss, roc_auc in epochs[columns].itertuples(index=False)
    )

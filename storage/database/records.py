"""Record what flows do: runs, epochs, models, evaluations, pairs.

Every function takes a session and leaves the transaction to its caller, so that what belongs
together is stored together or not at all. A retried step can call each of them again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import delete, exists, insert, select, update
from sqlalchemy.orm import Session

from storage.database.base import utc_now
from storage.database.dialects import dialect_of
from storage.database.evaluation_tables import Baseline, Evaluation, HardestPair, Measure
from storage.database.tables import (
    Epoch,
    Model,
    Promotion,
    Run,
    RunProcess,
    SweepDifference,
    SweepTraining,
)
from storage.errors import InputError

FinalStatus = Literal["complete", "failed", "cancelled", "crashed"]


def start_run(session: Session, run: Run) -> int:
    """Record that a run has begun and return its id."""
    session.add(run)
    session.flush()
    return run.id


def attach_dataset(session: Session, run_id: int, dataset_id: int) -> None:
    """Record the dataset that a run works on, known once it is prepared.

    Raises `InputError` if the run has trained on another: test images might now be in training.
    """
    run = session.get_one(Run, run_id)
    trained = session.scalar(select(Epoch.epoch).where(Epoch.run_id == run_id).limit(1))
    if trained is not None and run.dataset_id != dataset_id:
        raise InputError(
            f"run {run_id} cannot resume: {run.source} no longer holds the paintings it trained"
            " on; restore them, or start a new training"
        )
    run.dataset_id = dataset_id
    session.flush()


def finish_run(
    session: Session, run_id: int, status: FinalStatus, error: str | None = None
) -> None:
    """Record how and when a run ended, an error in one line."""
    run = session.get_one(Run, run_id)
    run.status = status
    run.error = None if error is None else " ".join(error.split())
    run.finished_at = utc_now()
    session.flush()


def reopen_run(session: Session, run_id: int, prefect_flow_run_id: str | None) -> None:
    """Record that a run resumes, as another run of its flow."""
    run = session.get_one(Run, run_id)
    run.status = "running"
    run.error = None
    run.finished_at = None
    run.prefect_flow_run_id = prefect_flow_run_id
    session.flush()


def record_process(session: Session, process: RunProcess) -> None:
    """Record the process that starts or resumes a run: its device, precision and versions."""
    session.add(process)
    session.flush()


def record_epoch(session: Session, epoch: Epoch) -> None:
    """Record an epoch in place of an earlier row of it, which a failure left."""
    session.execute(delete(Epoch).where(Epoch.run_id == epoch.run_id, Epoch.epoch == epoch.epoch))
    session.add(epoch)
    session.flush()


def record_model(session: Session, model: Model) -> int:
    """Record a checkpoint and return its id, the same for the same run and epoch.

    A model recorded again takes what `model` sets and keeps the rest, so it stays champion.
    """
    same = select(Model.id).where(Model.run_id == model.run_id, Model.epoch == model.epoch)
    if (model_id := session.scalar(same)) is not None:
        model.id = model_id
    merged = session.merge(model)
    session.flush()
    return merged.id


@dataclass(frozen=True, slots=True)
class Ground:
    """Why a model is promoted, who does it, and by how much it was better (value, low, high)."""

    reason: str = ""
    promoted_by: str = "rule"
    difference: tuple[float, float, float] | None = None


def promote(session: Session, model_id: int, ground: Ground = Ground()) -> None:
    """Make a model the champion of its purpose in place of any other, and note it in the history.

    Promotions wait for each other. Raises `InputError` for a collapsed network.
    """
    dialect_of(session).take_turn(session.connection())
    model = session.get_one(Model, model_id)
    if model.has_collapsed:
        raise InputError(
            f"model {model_id} has collapsed: it gives every image the same embedding; promote"
            " another one"
        )
    purpose = model.purpose
    value, low, high = ground.difference or (None, None, None)
    session.add(
        Promotion(
            model_id=model_id,
            purpose=purpose,
            promoted_by=ground.promoted_by,
            reason=ground.reason,
            former_model_id=_champion_of(session, purpose),
            difference=value,
            low=low,
            high=high,
        )
    )
    session.flush()
    reigning = Model.is_champion & (Model.purpose == purpose)
    session.execute(update(Model).where(reigning).values(is_champion=False))
    won = update(Model).where(Model.id == model_id)
    session.execute(won.values(is_champion=True, refusal=None))


def promote_over(
    session: Session, model_id: int, expected_champion_id: int | None, ground: Ground = Ground()
) -> bool:
    """Promote a model only if its purpose's champion is still the one it was compared with.

    None stands for no champion. Returns False, and changes nothing, if another model has become
    the champion meanwhile: compare with that one. Raises `InputError` for a model that no complete
    test is stored of.
    """
    dialect_of(session).take_turn(session.connection())
    purpose = session.get_one(Model, model_id).purpose
    tests = (Evaluation.model_id == model_id, Evaluation.split == "test")
    is_complete = exists().where(*tests, Evaluation.status == "complete")
    if not session.scalar(select(is_complete)):
        raise InputError(f"model {model_id} has no complete test, which comes before a promotion")
    if _champion_of(session, purpose) != expected_champion_id:
        return False
    promote(session, model_id, ground)
    return True


def record_refusal(session: Session, model_id: int, reason: str) -> None:
    """Record why a model did not become the champion of its purpose."""
    session.execute(update(Model).where(Model.id == model_id).values(refusal=reason))


def _champion_of(session: Session, purpose: str) -> int | None:
    return session.scalar(select(Model.id).where(Model.is_champion, Model.purpose == purpose))


def start_evaluation(session: Session, evaluation: Evaluation) -> int:
    """Begin an evaluation and return its id; views leave it out until it is complete.

    Remove what an earlier attempt of the same run left unfinished, with its pairs.
    """
    dialect, connection = dialect_of(session), session.connection()
    dialect.begin_writing(connection)
    unfinished = select(Evaluation.id).where(
        Evaluation.run_id == evaluation.run_id,
        Evaluation.model_id == evaluation.model_id,
        Evaluation.dataset_id == evaluation.dataset_id,
        Evaluation.split.is_not_distinct_from(evaluation.split),
        Evaluation.status == "writing",
    )
    for evaluation_id in session.scalars(unfinished).all():
        dialect.forget_pairs(connection, evaluation_id)
        session.execute(delete(Evaluation).where(Evaluation.id == evaluation_id))
    session.add(evaluation)
    session.flush()
    return evaluation.id


def complete_evaluation(
    session: Session, evaluation_id: int, measured: Evaluation, hardest: Iterable[int] = ()
) -> None:
    """Add the metrics that `measured` sets, store the hardest pairs, make the evaluation visible.

    Call it once all pairs are written; `hardest` are indices of some of them. On PostgreSQL, where
    several processes may do so at once, call it in a transaction that has written no evaluation.
    """
    dialect_of(session).finish_pairs(session.connection(), evaluation_id)
    if noted := [{"evaluation_id": evaluation_id, "pair_index": index} for index in hardest]:
        session.execute(insert(HardestPair), noted)
    measured.id = evaluation_id
    measured.status = "complete"
    session.merge(measured)
    session.flush()


def fail_evaluation(session: Session, evaluation_id: int) -> None:
    """Record that an evaluation will not be completed, and remove its pairs."""
    dialect, connection = dialect_of(session), session.connection()
    dialect.begin_writing(connection)
    dialect.forget_pairs(connection, evaluation_id)
    session.get_one(Evaluation, evaluation_id).status = "failed"
    session.flush()


def record_baseline(session: Session, baseline: Baseline) -> None:
    """Record what a baseline achieves in place of an earlier row of the same name."""
    session.execute(
        delete(Baseline).where(
            Baseline.evaluation_id == baseline.evaluation_id, Baseline.name == baseline.name
        )
    )
    session.add(baseline)
    session.flush()


def record_measures(session: Session, measures: Iterable[Measure]) -> None:
    """Record measures of evaluations, each in place of an earlier one of the same metric."""
    for measure in measures:
        session.merge(measure)
    session.flush()


def record_sweep_training(session: Session, training: SweepTraining) -> None:
    """Record what a sweep trains.

    A training recorded again takes what `training` sets and keeps the rest: its run is known
    before its evaluation.
    """
    session.merge(training)
    session.flush()


def record_sweep_differences(session: Session, differences: Iterable[SweepDifference]) -> None:
    """Record how recipes compare, each in place of an earlier comparison of the same metric."""
    for difference in differences:
        session.merge(difference)
    session.flush()

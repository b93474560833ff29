"""Remove the pairs of evaluations that newer ones supersede or that dead runs left."""

import pandas as pd
from sqlalchemy import Engine, case, delete, exists, select
from sqlalchemy.orm import Session, aliased

from storage.database.base import utc_now
from storage.database.dialects import dialect_of
from storage.database.evaluation_tables import Evaluation, HardestPair, PairPrediction
from storage.database.records import fail_evaluation
from storage.database.results import frame
from storage.database.tables import Model, Run
from storage.run_folder import RESUMABLE

COLUMNS = (
    Evaluation.id.label("evaluation_id"),
    Evaluation.run_id,
    Evaluation.model_id,
    Evaluation.split,
    Evaluation.status,
    Evaluation.n_pairs,
    Evaluation.created_at,
)


def superseded(session: Session) -> pd.DataFrame:
    """Return the evaluations whose pairs can be removed, oldest first.

    Each is complete, and so is a newer one of the same split of the same dataset. The champion's
    newest evaluation of each split and dataset stays, whatever came later. Evaluations that an
    interrupted pruning left half removed are returned too.
    """
    newer = aliased(Evaluation)
    follows = (
        (newer.dataset_id == Evaluation.dataset_id)
        & newer.split.is_not_distinct_from(Evaluation.split)
        & (newer.id > Evaluation.id)
        & (newer.status == "complete")
    )
    of_same_model = newer.model_id == Evaluation.model_id
    is_superseded = exists().where(follows) & (
        ~Model.is_champion | exists().where(follows, of_same_model)
    )
    is_left = exists().where(PairPrediction.evaluation_id == Evaluation.id)
    query = (
        select(*COLUMNS)
        .join(Model, Model.id == Evaluation.model_id)
        .where(Evaluation.status == "complete")
        .where(case((Evaluation.pruned_at.is_(None), is_superseded), else_=is_left))
        .order_by(Evaluation.id)
    )
    return frame(session, query)


def abandoned(session: Session) -> pd.DataFrame:
    """Return the unfinished evaluations of runs that ended a week ago or earlier, oldest first."""
    query = (
        select(*COLUMNS)
        .join(Run, Run.id == Evaluation.run_id)
        .where(Evaluation.status == "writing", Run.status != "running")
        .where(Run.finished_at < utc_now() - RESUMABLE)
        .order_by(Evaluation.id)
    )
    return frame(session, query)


def discard(engine: Engine, evaluation_id: int) -> None:
    """Remove the pairs of an evaluation that will not be completed; it becomes `failed`."""
    with Session(engine) as session, session.begin():
        fail_evaluation(session, evaluation_id)


def prune(engine: Engine, evaluation_id: int) -> None:
    """Remove the pairs of an evaluation; its metrics and provenance stay.

    On PostgreSQL that takes no longer for many pairs than for few. Nobody else waits for more than
    half a second: if others read pairs all the time, an empty table stays behind.
    """
    dialect = dialect_of(engine)
    with Session(engine) as session, session.begin():
        dialect.empty_pairs(session.connection(), evaluation_id)
        # Mark it first, so that an evaluation without some of its pairs never looks whole.
        session.get_one(Evaluation, evaluation_id).pruned_at = utc_now()
        session.execute(delete(HardestPair).where(HardestPair.evaluation_id == evaluation_id))
    dialect.remove_pairs(engine, evaluation_id)

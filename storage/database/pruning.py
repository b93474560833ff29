"""Removing pairs of evaluations that newer ones superseded or dead runs left; all else is kept."""

import pandas as pd
from sqlalchemy import Engine, case, delete, exists, select, text, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, aliased

from storage.database.base import utc_now
from storage.database.evaluation_tables import Evaluation, HardestPair, PairPrediction
from storage.database.partitions import drop_partition, empty_partition
from storage.database.records import fail_evaluation
from storage.database.results import frame
from storage.database.tables import Model, Run
from storage.workspace import RESUMABLE

CHUNK = 200_000
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
    """Return the evaluations whose pairs can go, oldest first.

    Those are complete, and a newer complete evaluation is of the same split of the same dataset.
    The newest one of the champion on each split and dataset stays whatever came after. What a
    pruning that was stopped has left goes, too.
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
    """Remove what was written of an evaluation that will not be completed; it becomes `failed`."""
    with Session(engine) as session, session.begin():
        fail_evaluation(session, evaluation_id)


def prune(engine: Engine, evaluation_id: int) -> None:
    """Remove the pairs of an evaluation; its metrics and where it came from stay.

    On PostgreSQL that takes no longer for many pairs than for few. Nobody else is kept waiting for
    more than half a second: where others read pairs all the time, an empty table stays behind.
    """
    if engine.dialect.name == "sqlite":
        _prune_by_and_by(engine, evaluation_id)
        return
    with Session(engine) as session, session.begin():
        empty_partition(session.connection(), evaluation_id)
        _mark_pruned(session, evaluation_id)
        _delete(session, evaluation_id)
    try:
        with engine.begin() as connection:
            drop_partition(connection, evaluation_id)
    except OperationalError:  # others are reading: the empty table does no harm
        return


def _prune_by_and_by(engine: Engine, evaluation_id: int) -> None:
    """Delete in pieces, between which others can write.

    The evaluation is marked first: none is ever taken for whole that is not.
    """
    with Session(engine) as session, session.begin():
        _mark_pruned(session, evaluation_id)
    for table, key in (("pair_images", "image_id"), ("pair_predictions", "pair_index")):
        is_any_left = True
        while is_any_left:
            with Session(engine) as session, session.begin():
                is_any_left = _delete_some(session, evaluation_id, table, key)


def _delete_some(session: Session, evaluation_id: int, table: str, key: str) -> bool:
    """Delete the first rows that are left; returns whether there were any."""
    first = f"SELECT {key} FROM {table} WHERE evaluation_id = :id ORDER BY {key} LIMIT :chunk"
    values = {"id": evaluation_id, "chunk": CHUNK}
    upto = session.scalar(text(f"SELECT max({key}) FROM ({first}) AS first"), values)
    if upto is not None:
        session.execute(
            text(f"DELETE FROM {table} WHERE evaluation_id = :id AND {key} <= :upto"),
            {"id": evaluation_id, "upto": upto},
        )
    return upto is not None


def _delete(session: Session, evaluation_id: int) -> None:
    query = text("DELETE FROM pair_predictions WHERE evaluation_id = :id")
    session.execute(query, {"id": evaluation_id})


def _mark_pruned(session: Session, evaluation_id: int) -> None:
    """Say when its pairs went; which of them were hardest says nothing without them."""
    session.execute(delete(HardestPair).where(HardestPair.evaluation_id == evaluation_id))
    session.execute(
        update(Evaluation).where(Evaluation.id == evaluation_id).values(pruned_at=utc_now())
    )

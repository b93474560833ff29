"""Pruning removes the pairs that newer evaluations have superseded, and nothing else."""

from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import Engine, create_engine, inspect, text
from sqlalchemy.orm import Session

from storage.database.base import utc_now
from storage.database.datasets import image_ids
from storage.database.evaluation_tables import Evaluation
from storage.database.pair_rows import PairColumns
from storage.database.pruning import abandoned, discard, prune, superseded
from storage.database.records import (
    complete_evaluation,
    promote,
    record_model,
    start_evaluation,
)
from storage.database.results import find_evaluation, find_evaluation_with_pairs
from storage.database.tables import Model, Run
from storage.errors import InputError
from tests.storage.conftest import new_model, write_pairs


@pytest.fixture
def models(session: Session, run_id: int, model_id: int) -> tuple[int, int]:
    """Two models, the first of which is champion."""
    promote(session, model_id)
    return model_id, record_model(session, new_model(run_id=run_id, epoch=2))


def evaluate(session: Session, dataset_id: int, model_id: int, split: str | None = "test") -> int:
    """Add a complete evaluation with seven pairs."""
    run_id = session.get_one(Model, model_id).run_id
    begun = Evaluation(run_id=run_id, model_id=model_id, dataset_id=dataset_id, split=split)
    evaluation_id = start_evaluation(session, begun)
    image = np.full(7, next(iter(image_ids(session, dataset_id).values())))
    write_pairs(session, evaluation_id, PairColumns(np.arange(7), image, image, np.ones(7), None))
    complete_evaluation(session, evaluation_id, Evaluation(roc_auc=0.8, n_pairs=7), [0, 6])
    return evaluation_id


def pair_counts(session: Session) -> dict[int, int]:
    query = "SELECT evaluation_id, count(*) FROM pair_predictions GROUP BY evaluation_id"
    return {evaluation_id: count for evaluation_id, count in session.execute(text(query))}


def test_what_is_superseded_goes_and_metrics_and_provenance_stay(
    engine: Engine, session: Session, dataset_id: int, models: tuple[int, int]
) -> None:
    champion, other = models
    first = evaluate(session, dataset_id, champion)
    second = evaluate(session, dataset_id, other)
    third = evaluate(session, dataset_id, champion)
    validation = evaluate(session, dataset_id, other, "validation")
    scored = evaluate(session, dataset_id, other, None)
    last = evaluate(session, dataset_id, other)
    assert superseded(session)["evaluation_id"].tolist() == [first, second]
    session.commit()
    for evaluation_id in (first, second):
        prune(engine, evaluation_id)
    session.expire_all()
    assert pair_counts(session) == dict.fromkeys((third, validation, scored, last), 7)
    for table in ("pairs_by_image", "hardest_pairs"):
        found = session.execute(text(f"SELECT DISTINCT evaluation_id FROM {table} ORDER BY 1"))
        assert found.scalars().all() == sorted((third, validation, scored, last))
    assert superseded(session).empty
    names = inspect(engine).get_table_names()
    assert not {f"pair_predictions_{each}" for each in (first, second)} & {*names}
    for evaluation_id in (first, second):
        kept = session.get_one(Evaluation, evaluation_id)
        assert (kept.status, kept.roc_auc, kept.n_pairs) == ("complete", 0.8, 7)
        assert kept.pruned_at is not None
        assert find_evaluation(session, evaluation_id) is kept
        with pytest.raises(InputError, match=f"pairs of evaluation {evaluation_id} were pruned"):
            find_evaluation_with_pairs(session, evaluation_id)
    assert find_evaluation_with_pairs(session, last).id == last
    query = text("SELECT count(*) FROM provenance")
    assert session.execute(query).scalar_one() == 6


def test_what_a_run_left_unfinished_goes_a_week_after_its_end(
    engine: Engine, session: Session, run_id: int, model_id: int, dataset_id: int
) -> None:
    kept = evaluate(session, dataset_id, model_id)
    begun = Evaluation(run_id=run_id, model_id=model_id, dataset_id=dataset_id, split=None)
    left = start_evaluation(session, begun)
    image = np.full(5, next(iter(image_ids(session, dataset_id).values())))
    write_pairs(session, left, PairColumns(np.arange(5), image, image, np.ones(5), None))
    session.commit()
    assert abandoned(session).empty  # its run goes on
    run = session.get_one(Run, run_id)
    run.status = "crashed"
    run.finished_at = utc_now() - timedelta(days=6)
    session.commit()
    assert abandoned(session).empty  # it can go on after the pairs that are stored
    run.finished_at = utc_now() - timedelta(days=8)
    session.commit()
    assert abandoned(session)["evaluation_id"].tolist() == [left]
    session.commit()
    discard(engine, left)
    session.expire_all()
    assert abandoned(session).empty
    assert session.get_one(Evaluation, left).status == "failed"
    assert f"pair_predictions_{left}" not in inspect(engine).get_table_names()
    assert pair_counts(session) == {kept: 7}


def test_pruning_again_changes_nothing(
    engine: Engine, session: Session, dataset_id: int, models: tuple[int, int]
) -> None:
    first, last = (evaluate(session, dataset_id, models[1]) for _ in range(2))
    session.commit()
    for _ in range(2):
        prune(engine, first)
    assert pair_counts(session) == {last: 7}


def test_what_a_stopped_pruning_has_left_is_listed_and_removed(
    engine: Engine, session: Session, dataset_id: int, model_id: int
) -> None:
    only = evaluate(session, dataset_id, model_id)
    assert superseded(session).empty
    session.execute(text("UPDATE evaluations SET pruned_at = '2026-01-01'"))
    assert superseded(session)["evaluation_id"].tolist() == [only]
    session.commit()
    prune(engine, only)
    assert superseded(session).empty
    assert pair_counts(session) == {}


def test_pruning_waits_for_no_reader_of_other_pairs(
    engine: Engine,
    database_url: str,
    session: Session,
    dataset_id: int,
    models: tuple[int, int],
) -> None:
    first, last = (evaluate(session, dataset_id, models[1]) for _ in range(2))
    session.commit()
    reader = create_engine(database_url)
    with reader.connect() as connection:
        query = f"SELECT count(*) FROM pair_predictions WHERE evaluation_id = {last}"
        assert connection.execute(text(query)).scalar_one() == 7  # a transaction that stays open
        prune(engine, first)
        assert connection.execute(text(query)).scalar_one() == 7
    reader.dispose()
    assert pair_counts(session) == {last: 7}

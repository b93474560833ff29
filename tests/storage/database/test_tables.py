"""The schema holds what it promises: columns, checks, keys and what deletion takes along."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.orm import Session

from storage.database.tables import Run

# The table of the public contract, word for word.
CONTRACT = {
    "datasets": "id, source, content_hash, created_at",
    "artists": "id, dataset_id, name, split",
    "images": "id, dataset_id, artist_id, filename, split, title, style, genre, date",
    "rejected_images": "id, dataset_id, filename, reason",
    "runs": "id, flow_name, prefect_flow_run_id, status, preset, settings, seed, device, "
    "code_version, dataset_id, started_at, finished_at",
    "epochs": "run_id, epoch, train_loss, train_accuracy, validation_loss, validation_accuracy, "
    "test_loss, test_accuracy, seconds, images_per_second",
    "models": "id, run_id, epoch, path, sha256, threshold, is_champion",
    "evaluations": "id, run_id, model_id, dataset_id, split, triplet_accuracy, triplet_loss, "
    "roc_auc, roc_auc_low, roc_auc_high, eer, balanced_accuracy, recall_at_1, map_at_r, "
    "matched_on, matched_triplet_accuracy, threshold, n_images, n_pairs, n_triplets, status, "
    "created_at",
    "pair_predictions": "evaluation_id, pair_index, image_a_id, image_b_id, distance, same_artist",
    "pair_results": "evaluation_id, pair_index, probability, predicted_same, correct",
}


def test_tables_and_views_have_the_columns_of_the_contract(session: Session) -> None:
    inspector = inspect(session.connection())
    for table, columns in CONTRACT.items():
        found = {column["name"] for column in inspector.get_columns(table)}
        assert set(columns.split(", ")) <= found


SHARES = {
    "epochs": "train_accuracy, validation_accuracy, validation_roc_auc, test_accuracy",
    "models": "validation_roc_auc, validation_accuracy",
    "evaluations": "triplet_accuracy, triplet_accuracy_low, triplet_accuracy_high, roc_auc, "
    "roc_auc_low, roc_auc_high, eer, balanced_accuracy, recall_at_1, map_at_r, "
    "matched_triplet_accuracy",
    "baselines": "triplet_accuracy, triplet_accuracy_low, triplet_accuracy_high, roc_auc, "
    "roc_auc_low, roc_auc_high, matched_triplet_accuracy",
}
FORBIDDEN = [
    *(
        f"{table} SET {column} = {value}"
        for table, columns in SHARES.items()
        for column in columns.split(", ")
        for value in (-0.01, 1.01)
    ),
    "epochs SET epoch = -1",
    "models SET epoch = -1",
    "models SET threshold = -0.5",
    "evaluations SET threshold = -0.5",
    "evaluations SET status = 'done'",
    "evaluations SET split = 'dev'",
    "runs SET status = 'done'",
    "artists SET split = 'dev'",
    "images SET split = 'dev'",
    "pair_predictions SET distance = -0.1",
    "pair_predictions SET distance = 1e308",
    "pair_predictions SET distance = NULL",
    "pair_predictions SET image_a_id = 999",
    "pair_predictions SET evaluation_id = 999",
    "images SET artist_id = 999",
    "images SET filename = 'same.jpg'",
    "artists SET name = 'Same'",
    "epochs SET run_id = 999",
    "run_processes SET run_id = 999",
    "run_processes SET precision = NULL",
    "models SET run_id = 999",
    "evaluations SET model_id = 999",
    "evaluations SET run_id = NULL",
    "evaluations SET dataset_id = 999",
    "runs SET dataset_id = 999",
    "runs SET model_id = 999",
    "rejected_images SET dataset_id = 999",
    "measures SET scope = 'some'",
    "measures SET value = NULL",
    "measures SET evaluation_id = 999",
    "sweeps SET fold = -1",
    "sweeps SET run_id = 999",
    "sweeps SET training_run_id = 999",
    "sweeps SET evaluation_id = 999",
    "sweep_differences SET run_id = 999",
    "sweep_differences SET value = NULL",
    "sweep_differences SET low = NULL",
    "sweep_differences SET high = NULL",
]


@pytest.fixture
def filled(session: Session, evaluation_id: int) -> Session:
    """A session with at least one row in every table."""
    image = "(SELECT min(id) FROM images)"
    for statement in (
        "INSERT INTO epochs (run_id, epoch) SELECT id, 0 FROM runs",
        "INSERT INTO run_processes (run_id, started_at, host, device, precision, code_version,"
        " library_versions) SELECT id, started_at, 'h', 'cpu', 'float32', '0', '{}' FROM runs",
        "INSERT INTO baselines (evaluation_id, name) SELECT id, 'mean colour' FROM evaluations",
        "INSERT INTO pair_predictions (evaluation_id, pair_index, image_a_id, image_b_id, distance)"
        f" SELECT id, 0, {image}, {image}, 1 FROM evaluations",
        "INSERT INTO measures (evaluation_id, contender, scope, metric, value)"
        " SELECT id, 'network', 'all', 'cllr', 1.5 FROM evaluations",
        "INSERT INTO sweeps (run_id, recipe, fold, seed, training_run_id, evaluation_id)"
        " SELECT run_id, 'best', 0, 1, run_id, id FROM evaluations",
        "INSERT INTO sweep_differences SELECT id, 'best', 'plain', 'roc_auc', -1, -2, 0 FROM runs",
    ):
        session.execute(text(statement))
    return session


def test_no_forbidden_value_can_be_stored(filled: Session) -> None:
    assert [change for change in FORBIDDEN if _is_accepted(filled, change)] == []


def _is_accepted(session: Session, change: str) -> bool:
    try:
        with session.begin_nested():
            session.execute(text(f"UPDATE {change}"))
    except IntegrityError:
        return False
    return True


def test_every_table_has_a_row_that_a_forbidden_value_could_reach(filled: Session) -> None:
    for table in {change.split()[0] for change in FORBIDDEN}:
        assert filled.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() > 0


def test_only_one_model_can_be_champion(filled: Session) -> None:
    columns = (
        "path, sha256, threshold, calibration_slope, calibration_midpoint, accept_within,"
        " reject_beyond, validation_roc_auc, validation_accuracy"
    )
    filled.execute(
        text(
            f"INSERT INTO models (run_id, epoch, {columns}, is_champion) "
            f"SELECT run_id, 2, {columns}, is_champion FROM models"
        )
    )
    with pytest.raises(IntegrityError):
        filled.execute(text("UPDATE models SET is_champion = true"))


TAKEN_ALONG = (
    "run_processes",
    "epochs",
    "models",
    "evaluations",
    "baselines",
    "pair_predictions",
    "measures",
    "sweeps",
    "sweep_differences",
)


def test_a_run_takes_along_all_that_it_made(filled: Session) -> None:
    filled.execute(text("DELETE FROM runs"))
    for table in TAKEN_ALONG:
        assert filled.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() == 0
    assert filled.execute(text("SELECT count(*) FROM images")).scalar_one() == 4


def test_a_sweep_keeps_what_it_trained_when_its_evaluations_go(filled: Session) -> None:
    filled.execute(text("DELETE FROM evaluations"))
    found = filled.execute(text("SELECT recipe, training_run_id, evaluation_id FROM sweeps"))
    ((recipe, training_run_id, evaluation_id),) = found
    assert recipe == "best"
    assert training_run_id is not None
    assert evaluation_id is None
    assert filled.execute(text("SELECT count(*) FROM measures")).scalar_one() == 0


def test_a_run_that_used_a_model_stays_when_the_model_goes(filled: Session) -> None:
    filled.execute(text("UPDATE runs SET model_id = (SELECT min(id) FROM models)"))
    filled.execute(text("DELETE FROM models"))
    assert filled.execute(text("SELECT model_id FROM runs")).scalars().all() == [None]


def test_a_dataset_stays_while_a_run_stands_on_it(filled: Session) -> None:
    with pytest.raises(IntegrityError):
        filled.execute(text("DELETE FROM datasets"))


def test_a_moment_comes_back_aware_and_in_utc(session: Session, run_id: int) -> None:
    run = session.get_one(Run, run_id)
    run.finished_at = datetime(2026, 3, 1, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    session.commit()
    assert run.finished_at == datetime(2026, 2, 28, 23, 30, tzinfo=UTC)
    assert run.finished_at.tzinfo is UTC
    assert abs(datetime.now(UTC) - run.started_at) < timedelta(minutes=1)


def test_a_moment_without_time_zone_is_refused(session: Session, run_id: int) -> None:
    session.get_one(Run, run_id).finished_at = datetime(2026, 3, 1)
    with pytest.raises(StatementError, match="no time zone"):
        session.flush()

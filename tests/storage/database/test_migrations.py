"""A fresh database and one upgraded from each earlier revision come out equal."""

import itertools
import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, Engine, create_engine, event, inspect, text
from sqlalchemy.orm import Session

from storage.database.base import Base
from storage.database.engine import open_database
from storage.database.evaluation_tables import Evaluation
from storage.database.pair_rows import PairColumns
from storage.database.records import complete_evaluation, start_evaluation, write_pairs
from storage.database.revisions import newest_revision
from storage.database.schema import _configuration, is_current
from storage.database.views import VIEWS
from storage.errors import InputError

REVISIONS = ["0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008"]
FILLING = """
INSERT INTO datasets (id, source, content_hash, created_at) VALUES (1, 's', 'c', '2026-01-01');
INSERT INTO images (id, dataset_id, filename, split) VALUES (1, 1, 'a.jpg', 'test');
INSERT INTO runs (id, flow_name, status, source, preset, settings, seed, device, code_version,
library_versions, directory, dataset_id, started_at) VALUES
(1, 'train-flow', 'complete', 's', 'demo', '{}', 1, 'cpu', '0.1', '{}', 'r', 1, '2026-01-01');
INSERT INTO models (id, run_id, epoch, path, sha256, threshold, calibration_slope,
validation_roc_auc, validation_accuracy, is_champion) VALUES
(1, 1, 1, 'm.pt', 'aa', 2.0, 3.0, 0.8, 0.7, true);
INSERT INTO evaluations (id, run_id, model_id, dataset_id, split, status, created_at)
VALUES (7, 1, 1, 1, 'test', 'complete', '2026-01-01');
INSERT INTO epochs (run_id, epoch, validation_accuracy) VALUES (1, 1, 0.5);
INSERT INTO pair_predictions (evaluation_id, pair_index, image_a_id, image_b_id, distance,
same_artist) VALUES (7, 0, 1, 1, 0.5, true)
"""
COUNTED = "SELECT true_accepts, false_rejects, true_rejects, false_accepts FROM evaluations"
# Beside the pair that is there: pairs at threshold 2, three by one artist and six by two.
JUDGED = ((0.5, 1), (2.0, 1), (3.0, 1), *((0.25 * n, 0) for n in range(5, 11)))
MORE = (
    *(
        "INSERT INTO evaluations (id, run_id, model_id, dataset_id, split, status, created_at"
        f", pruned_at) VALUES ({number}, 1, 1, 1, 'test', '{status}', '2026-01-01', {pruned})"
        for number, status, pruned in ((8, "writing", "NULL"), (9, "complete", "'2026-01-01'"))
    ),
    *(
        "INSERT INTO pair_predictions (evaluation_id, pair_index, image_a_id, image_b_id, distance,"
        f" same_artist) VALUES ({evaluation}, {index}, 1, 1, {distance}, {bool(same)})"
        for evaluation in (7, 8, 9)
        for index, (distance, same) in enumerate(JUDGED, start=1)
    ),
)
EPOCHS = "SELECT epoch, validation_accuracy, validation_roc_auc FROM epochs"
UPGRADER = """
import sys
from storage.database.engine import open_database
print("ready", flush=True)
sys.stdin.readline()
open_database(sys.argv[1]).dispose()
"""


def make(url: str, revision: str) -> None:
    """Make a database as it was at a revision."""
    engine = create_engine(url)
    with engine.begin() as connection:
        configuration = _configuration()
        configuration.attributes["connection"] = connection
        command.upgrade(configuration, revision)
    engine.dispose()


def execute(url: str, *statements: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def description(url: str) -> dict[str, Any]:
    """Everything that can be found out about a database's schema; of SQLite, its words."""
    engine = create_engine(url)
    found = inspect(engine)
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            rows = connection.execute(text("SELECT name, sql FROM sqlite_master")).all()
        words = {name: sql for name, sql in rows}
        engine.dispose()
        return words
    tables = {
        table: [
            sorted(str(each) for each in part)
            for part in (
                found.get_columns(table),
                found.get_check_constraints(table),
                found.get_foreign_keys(table),
                found.get_indexes(table),
                found.get_unique_constraints(table),
                found.get_pk_constraint(table).items(),
            )
        ]
        for table in found.get_table_names()
    }
    views = {view: found.get_view_definition(view) for view in found.get_view_names()}
    engine.dispose()
    return tables | views


@pytest.fixture
def fresh(database_url: str, request: pytest.FixtureRequest) -> dict[str, Any]:
    """What a fresh database is like; it is gone when the test begins."""
    open_database(database_url).dispose()
    found = description(database_url)
    empty(database_url)
    return found


def empty(url: str) -> None:
    """Drop everything: views first, then tables with all that hangs on them."""
    engine = create_engine(url)
    found = inspect(engine)
    cascade = "" if engine.dialect.name == "sqlite" else " CASCADE"
    execute(url, *(f"DROP VIEW {view}" for view in found.get_view_names()))
    execute(url, *(f"DROP TABLE IF EXISTS {table}{cascade}" for table in found.get_table_names()))
    engine.dispose()


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_database_upgraded_from_any_revision_equals_a_fresh_one(
    database_url: str, fresh: dict[str, Any], revision: str
) -> None:
    make(database_url, revision)
    execute(database_url, *FILLING.split(";"))
    open_database(database_url).dispose()
    assert description(database_url) == fresh
    engine = create_engine(database_url)
    with engine.connect() as connection:
        pairs = connection.execute(text("SELECT * FROM pair_predictions")).all()
        theirs = connection.execute(
            text("SELECT DISTINCT image_id, other_id, pair_index, wrong_by FROM pairs_by_image")
        ).all()
        hardest = connection.execute(text("SELECT * FROM hardest_pairs")).all()
        counted = connection.execute(text(COUNTED)).one()
        images = connection.execute(text("SELECT dataset_id FROM images")).scalars().all()
        epochs = connection.execute(text(EPOCHS)).all()
        measures = connection.execute(text("SELECT * FROM measures")).all()
    engine.dispose()
    assert [tuple(pair) for pair in pairs] == [(7, 0, 1, 1, 0.5, True)]
    if revision < "0006":  # which notes what was there; later it is noted by who writes
        assert [tuple(each) for each in theirs] == [(1, 1, 0, -1.5)]
    if revision < "0007":
        assert [tuple(each) for each in hardest] == [(7, 0)]
        assert tuple(counted) == (1, 0, 0, 0)
    assert images == [1]
    assert [tuple(epoch) for epoch in epochs] == [(1, 0.5, None)]
    assert measures == []


def test_what_was_judged_before_is_counted_and_its_hardest_pairs_noted(
    database_url: str,
) -> None:
    make(database_url, "0006")
    execute(database_url, *FILLING.split(";"), *MORE)
    open_database(database_url).dispose()
    engine = create_engine(database_url)
    with engine.connect() as connection:
        counted = connection.execute(text(f"{COUNTED} ORDER BY id")).all()
        noted = connection.execute(text("SELECT * FROM hardest_pairs ORDER BY 1, 2")).all()
    engine.dispose()
    # Of those by one artist 0.5, 0.5 and 2.0 are near; of those by two 1.25, 1.5, 1.75 and 2.0.
    assert [tuple(row) for row in counted] == [(3, 1, 2, 4), (None,) * 4, (None,) * 4]
    assert [tuple(row) for row in noted] == [(7, index) for index in range(10)]


def test_a_database_from_before_revisions_were_counted_is_taken_over(
    database_url: str, fresh: dict[str, Any]
) -> None:
    make(database_url, "0001")
    execute(database_url, "DROP TABLE alembic_version", *FILLING.split(";"))
    engine = open_database(database_url)
    assert description(database_url) == fresh
    with Session(engine) as session:  # beside the pairs from before, new ones are written
        new = start_evaluation(
            session, Evaluation(run_id=1, model_id=1, dataset_id=1, split="test")
        )
        one = np.array([1])
        write_pairs(session, new, PairColumns(one, one, one, one.astype(float), None))
        complete_evaluation(session, new, Evaluation())
        count = session.execute(text("SELECT count(*) FROM pair_results")).scalar_one()
    assert count == 2
    engine.dispose()


def test_every_revision_is_tried() -> None:
    scripts = ScriptDirectory.from_config(_configuration())
    assert [script.revision for script in scripts.walk_revisions()][::-1] == REVISIONS


def test_the_newest_revision_is_the_head_of_alembics() -> None:
    scripts = ScriptDirectory.from_config(_configuration())
    assert newest_revision() == scripts.get_current_head() == REVISIONS[-1]


def test_the_tables_are_those_that_the_code_knows(engine: Engine) -> None:
    def ours(item: Any, name: str | None, kind: str, _reflected: bool, _to: object) -> bool:
        # SQLAlchemy cannot read what SQLite does to a key of a column that was added.
        if kind == "foreign_key_constraint" and engine.dialect.name == "sqlite":
            return bool(item.column_keys != ["model_id"] or item.parent.name != "runs")
        # Partitions are PostgreSQL's, and so are the indexes of the pairs.
        ours = str(name).startswith(("pair_predictions_", "ix_pair_predictions_"))
        # And PostgreSQL needs no table to find pairs by their images.
        return not ours and (name != "pair_images" or engine.dialect.name == "sqlite")

    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"include_object": ours, "compare_type": True}
        )
        assert compare_metadata(context, Base.metadata) == []


def test_the_checks_are_those_that_the_code_knows(engine: Engine) -> None:
    """Alembic compares no checks; here their names are, and what they forbid in test_tables."""
    found = inspect(engine)
    for table in Base.metadata.sorted_tables:
        if table.name == "pair_images" and engine.dialect.name == "postgresql":
            continue
        there = {check["name"] for check in found.get_check_constraints(table.name)}
        checks = (each for each in table.constraints if isinstance(each, CheckConstraint))
        assert there == {str(each.name) for each in checks}, table.name


def test_the_views_are_those_that_the_code_knows(engine: Engine) -> None:
    for view in VIEWS:
        query = view.info[engine.dialect.name].compile(
            dialect=engine.dialect, compile_kwargs={"literal_binds": True}
        )
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE VIEW known AS {query}")
            definitions = [
                inspect(connection).get_view_definition(name) for name in (view.name, "known")
            ]
            connection.exec_driver_sql("DROP VIEW known")
        there, known = (re.sub(r"^CREATE VIEW \w+|\s", "", str(each)) for each in definitions)
        assert there == known


@pytest.mark.parametrize("revision", ["nothing", "0001"])
def test_processes_that_upgrade_at_once_do_no_harm(
    database_url: str, fresh: dict[str, Any], revision: str
) -> None:
    if revision != "nothing":
        make(database_url, revision)
        execute(database_url, *FILLING.split(";"))
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", UPGRADER, database_url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    outcomes = [(process.communicate(timeout=60)[1], process.returncode) for process in processes]
    assert outcomes == [("", 0)] * 3
    assert description(database_url) == fresh


@pytest.mark.parametrize("revision", ["nothing", "0001"])
def test_an_upgrade_between_any_two_statements_of_another_opening_does_no_harm(
    database_url: str, revision: str
) -> None:
    for before in range(100):
        empty(database_url)
        if revision != "nothing":
            make(database_url, revision)
        if not looked_at_while_upgraded(database_url, before):
            break
    assert 1 < before < 99


def looked_at_while_upgraded(url: str, before: int) -> bool:
    """Have the database upgraded before one of the statements that look at it, if there is one."""
    engine, statements = create_engine(url), itertools.count()

    def upgrade_in_between(*_: object) -> None:
        if next(statements) == before:
            open_database(url).dispose()

    event.listen(engine, "before_cursor_execute", upgrade_in_between)
    with engine.connect() as connection:
        is_current(connection, "ours")
    engine.dispose()
    return next(statements) > before


def test_a_database_of_a_newer_samehand_is_refused_and_left_alone(database_url: str) -> None:
    open_database(database_url).dispose()
    execute(database_url, "UPDATE alembic_version SET version_num = '9999'")
    before = description(database_url)
    with pytest.raises(
        InputError, match=r"made by a newer samehand .*9999.* up to 0008"
    ) as refusal:
        open_database(database_url)
    assert "\n" not in str(refusal.value)
    assert description(database_url) == before

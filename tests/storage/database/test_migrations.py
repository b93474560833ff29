"""A database of the first release equals a fresh one, and the next revision upgrades it."""

import itertools
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, Engine, create_engine, event, inspect, make_url, text

from storage.database.base import Base
from storage.database.dialects import dialect_of
from storage.database.engine import open_database
from storage.database.revisions import MIGRATIONS, VERSION_TABLE, newest_revision, revisions
from storage.database.schema import bring_up_to_date, is_current
from storage.database.views import VIEWS
from storage.errors import InputError
from tests.storage.conftest import processes_at_once

BASELINE = Path(__file__).parent / "baseline"
FILLING = """
INSERT INTO datasets (id, source, content_hash, created_at) VALUES (1, 's', 'c', '2026-01-01');
INSERT INTO images (id, dataset_id, filename, split) VALUES (1, 1, 'a.jpg', 'test');
INSERT INTO runs (id, flow_name, status, source, preset, settings, seed, device, code_version,
library_versions, directory, dataset_id, started_at) VALUES
(1, 'train-flow', 'complete', 's', 'demo', '{}', 1, 'cpu', '0.1', '{}', 'r', 1, '2026-01-01');
INSERT INTO models (id, run_id, epoch, path, sha256, threshold, calibration_slope,
calibration_midpoint, accept_within, reject_beyond, validation_roc_auc, validation_accuracy,
is_champion) VALUES
(1, 1, 1, 'm.pt', 'aa', 2.0, 3.0, 2.0, 1.5, 2.5, 0.8, 0.7, true);
UPDATE runs SET model_id = 1;
INSERT INTO evaluations (id, run_id, model_id, dataset_id, split, status, created_at)
VALUES (7, 1, 1, 1, 'test', 'complete', '2026-01-01');
INSERT INTO epochs (run_id, epoch, validation_accuracy) VALUES (1, 1, 0.5);
INSERT INTO pair_predictions (evaluation_id, pair_index, image_a_id, image_b_id, distance,
same_artist) VALUES (7, 0, 1, 1, 0.5, true)
"""
# What a later revision may have to do: a new column, and a key that SQLite makes a new table for.
NEXT = """
import sqlalchemy as sa
from alembic import op

revision = "r0002_next"
down_revision = "r0001_baseline"


def upgrade():
    op.add_column("runs", sa.Column("note", sa.String(), server_default="none", nullable=False))
    with op.batch_alter_table("datasets") as datasets:
        datasets.drop_constraint("uq_datasets_source_content_hash_crops_hash", type_="unique")
        datasets.create_unique_constraint("uq_datasets_content_hash", ["content_hash"])
"""
UPGRADER = """
import sys
from pathlib import Path

from sqlalchemy import create_engine

from storage.database.dialects import dialect_of
from storage.database.schema import bring_up_to_date

engine = create_engine(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
with engine.begin() as connection:
    dialect_of(engine).begin_upgrade(connection)
    bring_up_to_date(connection, "ours", Path(sys.argv[2]))
engine.dispose()
"""


def execute(url: str, *statements: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def read(url: str, query: str) -> list[tuple[Any, ...]]:
    engine = create_engine(url)
    with engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(text(query))]
    engine.dispose()
    return rows


def make_baseline(url: str) -> None:
    """Make a database as samehand 0.1.0 made it, with a row in every other table."""
    kind = make_url(url).get_backend_name()
    frozen = (BASELINE / f"{kind}.sql").read_text(encoding="utf-8")
    execute(url, *frozen.split(";\n")[:-1], *FILLING.split(";"))


def upgrade(url: str, migrations: Path) -> None:
    """Upgrade a database by revisions of which the code does not know."""
    engine = create_engine(url)
    with engine.begin() as connection:
        dialect_of(engine).begin_upgrade(connection)
        bring_up_to_date(connection, "ours", migrations)
    engine.dispose()


def description(url: str) -> dict[str, Any]:
    """Everything that can be found out about a database's schema."""
    engine = create_engine(url)
    found = inspect(engine)
    tables = {
        table: [
            sorted(str(each) for each in part)
            for part in (
                found.get_columns(table),
                found.get_check_constraints(table),
                found.get_foreign_keys(table),
                map(readable, found.get_indexes(table)),
                found.get_unique_constraints(table),
                found.get_pk_constraint(table).items(),
            )
        ]
        for table in found.get_table_names()
    }
    views = {view: str(found.get_view_definition(view)).split() for view in found.get_view_names()}
    engine.dispose()
    return tables | views


def readable(index: Any) -> dict[str, Any]:
    """An index whose condition is text."""
    options = index.get("dialect_options", {})
    return {**index, "dialect_options": {name: str(value) for name, value in options.items()}}


def empty(url: str) -> None:
    """Drop everything: views first, then tables with all that hangs on them."""
    engine = create_engine(url)
    found = inspect(engine)
    cascade = "" if engine.dialect.name == "sqlite" else " CASCADE"
    execute(url, *(f"DROP VIEW {view}" for view in found.get_view_names()))
    execute(url, *(f"DROP TABLE IF EXISTS {table}{cascade}" for table in found.get_table_names()))
    engine.dispose()


@pytest.fixture
def migrations(tmp_path: Path) -> Path:
    """Our revisions, and one more after them."""
    copied = Path(shutil.copytree(MIGRATIONS, tmp_path / "migrations"))
    (copied / "versions" / "r0002_next.py").write_text(NEXT, encoding="utf-8")
    return copied


def test_a_database_of_the_first_release_has_the_schema_of_a_fresh_one(database_url: str) -> None:
    open_database(database_url)
    fresh = description(database_url)
    empty(database_url)
    make_baseline(database_url)
    open_database(database_url)
    assert description(database_url) == fresh


def test_the_next_revision_upgrades_a_filled_database_and_keeps_its_rows(
    database_url: str, migrations: Path
) -> None:
    make_baseline(database_url)
    before = description(database_url)
    upgrade(database_url, migrations)
    after = description(database_url)
    assert {name for name in after if after[name] != before[name]} == {"runs", "datasets"}
    assert read(database_url, f"SELECT version_num FROM {VERSION_TABLE}") == [("r0002_next",)]
    assert read(database_url, "SELECT note, model_id FROM runs") == [("none", 1)]
    assert read(database_url, "SELECT epoch, validation_accuracy FROM epochs") == [(1, 0.5)]
    assert read(database_url, "SELECT dataset_id, filename FROM images") == [(1, "a.jpg")]
    pairs = "SELECT filename_a, distance, probability > 0.9 FROM pair_results"
    assert read(database_url, pairs) == [("a.jpg", 0.5, True)]
    if database_url.startswith("sqlite"):
        assert read(database_url, "PRAGMA foreign_key_check") == []


def test_a_database_of_the_next_revision_is_refused_by_this_program_and_left_alone(
    database_url: str, migrations: Path
) -> None:
    make_baseline(database_url)
    upgrade(database_url, migrations)
    before = description(database_url)
    with pytest.raises(InputError, match=r"made by a newer samehand .*r0002.* r0001") as refusal:
        open_database(database_url)
    assert "\n" not in str(refusal.value)
    assert description(database_url) == before


@pytest.mark.parametrize("revision", ["0001", "0008", None])
def test_a_database_from_before_the_first_release_is_refused_and_left_alone(
    database_url: str, revision: str | None
) -> None:
    make_baseline(database_url)
    left = f"UPDATE {VERSION_TABLE} SET version_num = '{revision}'"
    execute(database_url, left if revision else f"DROP TABLE {VERSION_TABLE}")
    before = description(database_url)
    with pytest.raises(InputError, match=r"from before its first release.*new database") as refusal:
        open_database(database_url)
    assert "\n" not in str(refusal.value)
    assert description(database_url) == before


def test_the_newest_revision_is_the_head_of_alembics() -> None:
    configuration = Config()
    configuration.set_main_option("script_location", str(MIGRATIONS))
    configuration.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(configuration)
    assert newest_revision() == scripts.get_current_head()
    assert revisions() == [script.revision for script in scripts.walk_revisions()][::-1]


@pytest.fixture
def frozen(database_url: str) -> Engine:
    """An open database that samehand 0.1.0 made."""
    make_baseline(database_url)
    return open_database(database_url)


def test_the_tables_are_those_that_the_code_knows(frozen: Engine) -> None:
    def ours(item: Any, name: str | None, kind: str, _reflected: bool, _to: object) -> bool:
        # Partitions are PostgreSQL's, and so are the indexes of the pairs.
        ours = str(name).startswith(("pair_predictions_", "ix_pair_predictions_"))
        # And PostgreSQL needs no table to find pairs by their images.
        return not ours and (name != "pair_images" or frozen.dialect.name == "sqlite")

    with frozen.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"include_object": ours, "compare_type": True}
        )
        assert compare_metadata(context, Base.metadata) == []


def test_the_checks_are_those_that_the_code_knows(frozen: Engine) -> None:
    """Alembic compares no checks; here their names are, and what they forbid in test_tables."""
    found = inspect(frozen)
    for table in Base.metadata.sorted_tables:
        if table.name == "pair_images" and frozen.dialect.name == "postgresql":
            continue
        there = {check["name"] for check in found.get_check_constraints(table.name)}
        checks = (each for each in table.constraints if isinstance(each, CheckConstraint))
        assert there == {str(each.name) for each in checks}, table.name


def test_the_views_are_those_that_the_code_knows(frozen: Engine) -> None:
    for view in VIEWS:
        query = view.info[frozen.dialect.name].compile(
            dialect=frozen.dialect, compile_kwargs={"literal_binds": True}
        )
        with frozen.connect() as connection:
            connection.exec_driver_sql(f"CREATE VIEW known AS {query}")
            definitions = [
                inspect(connection).get_view_definition(name) for name in (view.name, "known")
            ]
            connection.exec_driver_sql("DROP VIEW known")
        there, known = (re.sub(r"^CREATE VIEW \w+|\s", "", str(each)) for each in definitions)
        assert there == known


@pytest.mark.parametrize("first", ["nothing", "baseline"])
def test_processes_that_upgrade_at_once_do_no_harm(
    database_url: str, migrations: Path, first: str
) -> None:
    if first == "baseline":
        make_baseline(database_url)
    processes_at_once(UPGRADER, [[database_url, str(migrations)]] * 3)
    assert read(database_url, f"SELECT version_num FROM {VERSION_TABLE}") == [("r0002_next",)]
    if first == "baseline":
        assert read(database_url, "SELECT note FROM runs") == [("none",)]
    assert read(database_url, "SELECT count(*) FROM leaderboard") == [(first == "baseline",)]


@pytest.mark.parametrize("first", ["nothing", "baseline"])
def test_an_upgrade_between_any_two_statements_of_another_opening_does_no_harm(
    database_url: str, migrations: Path, first: str
) -> None:
    for before in range(100):
        empty(database_url)
        if first == "baseline":
            make_baseline(database_url)
        if not looked_at_while_upgraded(database_url, before, migrations):
            break
    assert 1 < before < 99


def looked_at_while_upgraded(url: str, before: int, migrations: Path) -> bool:
    """Have the database upgraded before one of the statements that look at it, if there is one."""
    engine, statements = create_engine(url), itertools.count()

    def upgrade_in_between(*_: object) -> None:
        if next(statements) == before:
            upgrade(url, migrations)

    event.listen(engine, "before_cursor_execute", upgrade_in_between)
    with engine.connect() as connection:
        is_current(connection, "ours", migrations)
    engine.dispose()
    return next(statements) > before


def test_a_database_of_a_newer_samehand_is_refused_and_left_alone(database_url: str) -> None:
    open_database(database_url)
    execute(database_url, f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    before = description(database_url)
    with pytest.raises(InputError, match=r"made by a newer samehand .*9999.* up to r0001"):
        open_database(database_url)
    assert description(database_url) == before

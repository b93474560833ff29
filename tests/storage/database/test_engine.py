"""Opening a database: created where it is missing, refused in one clear line where it cannot be."""

import math
import sqlite3
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import Engine, create_engine, event, inspect, make_url, text

from storage.database import sqlite
from storage.database.engine import open_database
from storage.database.session import transaction
from storage.errors import InputError, UnavailableError

SECRET = "s3cret"


def test_a_fresh_database_gets_all_tables_and_views(engine: Engine) -> None:
    inspector = inspect(engine)
    tables, views = set(inspector.get_table_names()), set(inspector.get_view_names())
    ones_own = "pair_images" if engine.dialect.name == "sqlite" else "pair_predictions_default"
    assert tables - {ones_own} == {
        "alembic_version",
        "artist_results",
        "artists",
        "atlas_measures",
        "atlases",
        "attributions",
        "baselines",
        "datasets",
        "epochs",
        "evaluations",
        "hardest_pairs",
        "images",
        "leases",
        "measures",
        "models",
        "near_duplicates",
        "neighbours",
        "pair_predictions",
        "promotions",
        "rejected_images",
        "reliability",
        "run_processes",
        "runs",
        "sweep_differences",
        "sweeps",
    }
    assert views == {"doubtful", "leaderboard", "pair_results", "pairs_by_image", "provenance"}


def test_opening_again_keeps_what_is_stored(database_url: str) -> None:
    first = open_database(database_url)
    with first.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO datasets (source, content_hash, created_at) "
                "VALUES ('sample', 'c0ffee', '2026-01-01 00:00:00')"
            )
        )
    first.dispose()
    second = open_database(database_url)
    with second.connect() as connection:
        assert connection.execute(text("SELECT source FROM datasets")).scalar_one() == "sample"
    second.dispose()


def test_an_sqlite_file_gets_its_folder_and_its_settings(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'new' / 'folder' / 'results.db'}")
    with engine.connect() as connection:
        settings = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("foreign_keys", "journal_mode", "busy_timeout")
        }
    engine.dispose()
    assert settings == {"foreign_keys": 1, "journal_mode": "wal", "busy_timeout": 30_000}


def test_an_sqlite_database_is_opened_while_another_process_writes(tmp_path: Path) -> None:
    file = tmp_path / "results.db"
    open_database(f"sqlite:///{file}").dispose()
    writer = sqlite3.connect(file)
    writer.execute("BEGIN IMMEDIATE")
    open_database(f"sqlite:///{file}").dispose()
    writer.close()


def test_an_sqlite_without_tanh_is_given_one() -> None:
    connection = sqlite3.connect(":memory:")
    connection.create_function("tanh", 1, None)  # hides the one that is built in
    sqlite.set_up(connection, "ours")
    ours = connection.execute("SELECT tanh(0.5), tanh(-1000)").fetchone()
    connection.close()
    assert ours == pytest.approx((math.tanh(0.5), -1.0))


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("", "cannot be read"),
        ("results.db", "cannot be read"),
        (f"postgresql://me:{SECRET}@localhost:port/db", "cannot be read"),
        (f"postgresql://me:p@{SECRET}@localhost/db", "%40"),
        (f"postgresql://me:1/{SECRET}@localhost/db", "cannot use database"),
        (f"mysql://me:{SECRET}@localhost/db", "unknown database driver 'mysql'"),
        (f"postgresql+psycopg2://me:{SECRET}@localhost/db", "driver 'postgresql\\+psycopg2'"),
        (f"postgresql://me:{SECRET}@127.0.0.1:1/db", "127.0.0.1:1/db: .*refused"),
        (f"postgresql://me@127.0.0.1:1/db?password={SECRET}", "127.0.0.1:1/db: .*refused"),
        (f"postgresql://me:{SECRET}@127.0.0.1:1/db?unknown=1", "unknown"),
        ("sqlite://", "no plain file"),
        ("sqlite:///:memory:", "no plain file"),
        ("sqlite:///results.db?mode=ro", "no plain file"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_in_one_line(url: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint) as refusal:
        open_database(url)
    assert "\n" not in str(refusal.value)


def test_no_message_shows_a_password() -> None:
    for url in (
        f"postgresql://me:{SECRET}@localhost:port/db",
        f"postgresql://me:p@{SECRET}@localhost/db",
        f"postgresql://me:{SECRET}@127.0.0.1:1/db",
        f"postgresql://me:{SECRET}@127.0.0.1:1/db?password={SECRET}",
        f"postgresql://127.0.0.1:1/db?user=me&sslpassword={SECRET}",
        f"mysql://me:{SECRET}@localhost/db",
        f"nonsense {SECRET}",
    ):
        with pytest.raises(InputError) as refusal:
            open_database(url)
        assert SECRET not in str(refusal.value)


def test_the_drivers_words_are_left_out_where_they_hold_the_password() -> None:
    with pytest.raises(InputError, match=r"\*\*\*@127.0.0.1:1/db: the connection failed$"):
        open_database("postgresql://me:refused@127.0.0.1:1/db")


def test_a_server_without_the_database_or_the_user_is_explained(postgres_url: str) -> None:
    here = make_url(postgres_url).set(password=SECRET)
    for there in (here.set(database="no_such_database"), here.set(username="no_such_user")):
        with pytest.raises(InputError, match="no_such_") as refusal:
            open_database(there.render_as_string(hide_password=False))
        assert SECRET not in str(refusal.value)


@pytest.mark.parametrize("name", ["lost_works", "closed", "too_many_deadlocks"])
def test_a_missing_database_stays_missing_whatever_its_name(postgres_url: str, name: str) -> None:
    there = make_url(postgres_url).set(database=name)
    with pytest.raises(InputError, match=f'database "{name}" does not exist') as refusal:
        open_database(there.render_as_string(hide_password=False))
    assert not isinstance(refusal.value, UnavailableError)


def test_a_server_without_room_for_one_more_connection_may_have_it_later(postgres_url: str) -> None:
    name = f"crowd_{make_url(postgres_url).query['options'][-8:]}"
    owner = open_database(postgres_url)
    with owner.begin() as connection:
        connection.execute(text(f"CREATE ROLE {name} LOGIN CONNECTION LIMIT 0"))
    there = make_url(postgres_url).set(username=name)
    try:
        with pytest.raises(UnavailableError, match="too many connections"):
            open_database(there.render_as_string(hide_password=False))
    finally:
        with owner.begin() as connection:
            connection.execute(text(f"DROP ROLE {name}"))


def test_a_server_that_is_not_there_may_be_there_later() -> None:
    with pytest.raises(UnavailableError, match="refused"):
        open_database("postgresql://me@127.0.0.1:1/db")


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_in_another_encoding_is_refused_in_one_line(
    postgres_server: str, encoding: str
) -> None:
    name = f"samehand_{uuid4().hex}"
    server = create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        made = f"CREATE DATABASE {name} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'"
        connection.execute(text(f"{made} TEMPLATE template0"))
        try:
            there = make_url(postgres_server).set(database=name)
            with pytest.raises(InputError, match=f"{name}: its encoding is {encoding}") as refusal:
                open_database(there.render_as_string(hide_password=False))
            assert "\n" not in str(refusal.value)
        finally:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()


def test_a_read_only_database_is_read_and_refuses_to_be_written_in_one_line(
    postgres_url: str,
) -> None:
    address = make_url(postgres_url)
    options = f"{address.query['options']} -cdefault_transaction_read_only=on"
    read_only = address.update_query_dict({"options": options})
    url = read_only.render_as_string(hide_password=False)
    with pytest.raises(InputError, match=r"read-only transaction$") as refusal:
        open_database(url)
    assert not isinstance(refusal.value, UnavailableError)
    open_database(postgres_url)
    with transaction(url) as session:
        assert session.execute(text("SELECT count(*) FROM runs")).scalar_one() == 0
    with (
        pytest.raises(InputError, match=r"UPDATE in a read-only transaction$"),
        transaction(url) as session,
    ):
        session.execute(text("UPDATE runs SET seed = 1"))


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("not a database, but notes that somebody needs\n" * 50)
    before = file.read_bytes()
    with pytest.raises(InputError, match=r"notes\.txt: file is not a database"):
        open_database(f"sqlite:///{file}")
    assert file.read_bytes() == before


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot create the folder of .*file/results\.db"):
        open_database(f"sqlite:///{tmp_path / 'file' / 'results.db'}")


@pytest.mark.parametrize(
    ("foreign", "complaint"),
    [
        ("flow_run (id INTEGER)", "belongs to another program .*flow_run"),
        ("runs (id INTEGER, name VARCHAR)", "belongs to another program .*runs"),
    ],
)
def test_a_database_of_another_program_is_refused_and_left_alone(
    database_url: str, foreign: str, complaint: str
) -> None:
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE TABLE {foreign}"))
    with pytest.raises(InputError, match=complaint):
        open_database(database_url)
    assert len(inspect(engine).get_table_names()) == 1
    engine.dispose()


def test_a_database_of_another_program_that_alembic_upgrades_is_refused(database_url: str) -> None:
    engine = create_engine(database_url)
    for revision in ("", "INSERT INTO alembic_version VALUES ('5f3e')"):
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32))"))
            connection.execute(text("CREATE TABLE flow_run (id INTEGER)"))
            connection.execute(text(revision or "SELECT 1"))
        with pytest.raises(InputError, match="belongs to another program"):
            open_database(database_url)
        with engine.begin() as connection:
            connection.execute(text("DROP TABLE alembic_version"))
            connection.execute(text("DROP TABLE flow_run"))
    engine.dispose()


def test_a_refused_file_of_another_program_keeps_every_byte(tmp_path: Path) -> None:
    file = tmp_path / "other.db"
    other = sqlite3.connect(file)
    other.execute("CREATE TABLE flow_run (id INTEGER)")
    other.close()
    before = file.read_bytes()
    with pytest.raises(InputError, match="another program"):
        open_database(f"sqlite:///{file}")
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


def test_every_connection_of_an_engine_enforces_foreign_keys(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'results.db'}")
    opened: list[object] = []
    event.listen(engine, "connect", lambda connection, _record: opened.append(connection))
    with engine.connect() as first, engine.connect() as second:
        for connection in (first, second):
            assert connection.execute(text("PRAGMA foreign_keys")).scalar_one() == 1
    engine.dispose()
    assert opened  # the second connection was a new one

"""A model that is handed out is the one that SQLAlchemy's way finds, on either database."""

import sqlite3
from dataclasses import astuple, fields
from pathlib import Path

import pytest
from sqlalchemy import URL, text
from sqlalchemy.orm import Session

from storage.database.engine import open_database
from storage.database.handed_out import HandedOut, better_baseline, hand_out
from storage.database.records import (
    promote,
    record_model,
)
from storage.database.results import find_model
from storage.database.revisions import newest_revision
from storage.database.tables import Model
from storage.errors import InputError
from tests.storage.conftest import new_model, store_test


@pytest.fixture
def three(session: Session, run_id: int) -> tuple[int, ...]:
    """Three models, of which the second is the champion."""
    ids = tuple(
        record_model(session, new_model(run_id=run_id, epoch=epoch, path=f"{epoch}.pt"))
        for epoch in (1, 2, 3)
    )
    promote(session, ids[1])
    session.commit()
    return ids


def test_a_model_is_found_by_its_number_as_the_last_or_as_the_champion(
    database_url: str, session: Session, three: tuple[int, ...]
) -> None:
    wanted: dict[str | None, int] = {
        None: three[1],
        "last": three[2],
        **{str(each): each for each in three},
    }
    columns = ", ".join(field.name for field in fields(HandedOut))
    for name, number in wanted.items():
        query = text(f"SELECT {columns} FROM models WHERE id = :id")
        (row,) = session.execute(query, {"id": number})
        assert astuple(hand_out(database_url, name)) == tuple(row)


def test_of_several_champions_the_most_tested_is_handed_out(
    database_url: str, session: Session, run_id: int, dataset_id: int, three: tuple[int, ...]
) -> None:
    for model, purpose, n_images in ((three[0], "maps", 900), (three[2], "toy", 20)):
        session.get_one(Model, model).purpose = purpose
        promote(session, model)
        store_test(session, run_id, model, dataset_id, n_images=n_images)
    session.commit()
    for wanted, number in (
        (None, three[0]),
        ("champion", three[0]),
        ("toy", three[2]),
        (str(three[1]), three[1]),
    ):
        assert hand_out(database_url, wanted).id == number
        assert find_model(session, wanted).id == number


def test_without_a_champion_the_newest_is_handed_out(
    database_url: str, session: Session, three: tuple[int, ...]
) -> None:
    session.execute(text("UPDATE models SET is_champion = false"))
    session.commit()
    assert hand_out(database_url).id == three[2]


@pytest.mark.parametrize("wanted", ["7000", "first", " 1", "1 OR 1", ""])
def test_a_model_that_there_is_not_is_told_with_those_that_there_are(
    database_url: str, three: tuple[int, ...], wanted: str
) -> None:
    with pytest.raises(InputError, match=f"there is no model {wanted}; choose from: {three[2]}, "):
        hand_out(database_url, wanted)


def test_a_database_without_models_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no model yet"):
        hand_out(f"sqlite:///{tmp_path / 'new.db'}")


def test_a_database_of_another_revision_goes_through_the_upgrade(
    tmp_path: Path, three: tuple[int, ...], database_url: str
) -> None:
    if not database_url.startswith("sqlite"):
        pytest.skip("only SQLite has a shorter way")
    with sqlite3.connect(tmp_path / "results.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(InputError, match="newer samehand"):
        hand_out(database_url)
    with pytest.raises(InputError, match="newer samehand"):
        better_baseline(database_url, three[0])


def test_a_file_of_another_program_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "other.db") as database:
        database.execute("CREATE TABLE models (id INTEGER)")
    with pytest.raises(InputError, match=r"other\.db"):
        hand_out(f"sqlite:///{tmp_path / 'other.db'}")


def test_a_name_with_signs_of_urls_is_read_as_it_is(tmp_path: Path) -> None:
    url = URL.create("sqlite", database=str(tmp_path / "a#b%20c.db")).render_as_string()
    engine = open_database(url)
    with Session(engine) as session, session.begin():
        session.execute(
            text(
                "INSERT INTO runs (id, flow_name, status, source, preset, settings, seed, device,"
                " code_version, library_versions, directory, started_at) VALUES (1, 'train-flow',"
                " 'complete', 's', 'demo', '{}', 0, 'cpu', '0', '{}', 'runs/1', '2026-01-01')"
            )
        )
        record_model(session, new_model(run_id=1, path="here.pt"))
    engine.dispose()
    assert hand_out(url).path == "here.pt"
    with sqlite3.connect(tmp_path / "a#b%20c.db") as database:
        assert database.execute("SELECT * FROM alembic_version").fetchone() == (newest_revision(),)

"""Pairs written piece by piece are all there, and indexed before anybody can see them."""

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from storage.database.datasets import image_ids
from storage.database.engine import open_database
from storage.database.evaluation_tables import Evaluation
from storage.database.pair_rows import PairColumns
from storage.database.pair_writer import pair_writer
from storage.database.pruning import prune
from storage.database.records import complete_evaluation, count_pairs, fail_evaluation

PART = 100
TABLES = """
SELECT relname, count(indexrelid) FROM pg_class LEFT JOIN pg_index ON indrelid = oid
WHERE pg_table_is_visible(oid) AND relkind = 'r' AND relname ~ '^pair_predictions_1_'
GROUP BY relname ORDER BY relname
"""
on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.database.partitions.PART", PART)


@pytest.fixture
def images(session: Session, dataset_id: int, evaluation_id: int) -> list[int]:
    """Images of a dataset whose evaluation has begun."""
    assert evaluation_id == 1
    ids = list(image_ids(session, dataset_id).values())
    session.commit()
    return ids


def pairs_at(index: Sequence[int], images: list[int]) -> PairColumns:
    at = np.array(index)
    first, second = np.array(images)[at % 4], np.array(images)[at % 3]
    return PairColumns(at, first, second, at / 8, at % 2 == 0)


def stored(engine: Engine) -> list[tuple[Any, ...]]:
    query = "SELECT pair_index, image_a_id, image_b_id, distance, same_artist FROM pair_predictions"
    with engine.connect() as connection:
        rows = connection.execute(text(f"{query} WHERE evaluation_id = 1 ORDER BY 1"))
        return [tuple(row) for row in rows]


def tables(engine: Engine) -> list[tuple[str, int]]:
    """The tables of the parts of evaluation 1, and how many indexes each has."""
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(TABLES))]


def complete(engine: Engine, count: int) -> None:
    with Session(engine) as session, session.begin():
        assert count_pairs(session, 1) == count
        complete_evaluation(session, 1, Evaluation(n_pairs=count))


@pytest.mark.parametrize("order", ["as they are counted", "backwards", "shuffled", "with gaps"])
def test_pairs_in_any_order_are_all_there(
    engine: Engine, database_url: str, images: list[int], order: str
) -> None:
    index = np.arange(25 * PART + 7)  # more than there can be parts
    if order == "backwards":
        index = index[::-1]
    elif order == "shuffled":
        index = np.random.default_rng(0).permutation(index)
    elif order == "with gaps":
        index = index * 800_000
    with pair_writer(database_url, 1) as write:
        for start in range(0, len(index), 70):
            write(pairs_at(index[start : start + 70].tolist(), images))
    complete(engine, len(index))
    whole = pairs_at(sorted(index.tolist()), images)
    columns = (whole.pair_index, whole.image_a_id, whole.image_b_id, whole.distance)
    assert whole.same_artist is not None
    expected = zip(*(each.tolist() for each in (*columns, whole.same_artist)), strict=True)
    assert stored(engine) == list(expected)


@on_postgresql
def test_parts_are_indexed_before_the_evaluation_is_complete_and_pruned_with_it(
    database_url: str, images: list[int], engine: Engine
) -> None:
    with pair_writer(database_url, 1) as write:
        write(pairs_at(range(2 * PART + 1), images))
    names = [f"pair_predictions_1_{part}" for part in range(3)]
    assert tables(engine) == [(name, 3) for name in names]
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM pair_results")) == 0
    complete(engine, 2 * PART + 1)
    with engine.connect() as connection:
        plan = "\n".join(
            connection.execute(
                text(
                    "EXPLAIN SELECT * FROM pair_predictions WHERE evaluation_id = 1"
                    " AND pair_index BETWEEN 150 AND 160"
                )
            ).scalars()
        )
    assert names[1] in plan
    assert names[0] not in plan
    prune(engine, 1)
    assert tables(engine) == []


def test_what_an_interrupted_attempt_stored_is_gone_on_from_or_dropped(
    database_url: str, images: list[int], engine: Engine
) -> None:
    def until_interrupted() -> None:
        with pair_writer(database_url, 1) as write:
            write(pairs_at(range(150), images))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        until_interrupted()
    with pair_writer(database_url, 1) as write:
        write(pairs_at(range(150, 350), images))
    with Session(engine) as session:
        assert count_pairs(session, 1) == 350
        fail_evaluation(session, 1)
        session.commit()
        assert count_pairs(session, 1) == 0
    assert stored(engine) == []
    if engine.dialect.name == "postgresql":
        assert tables(engine) == []


def test_a_pair_given_twice_is_refused_and_no_pair_is_seen(
    database_url: str, images: list[int], engine: Engine
) -> None:
    def write_twice() -> None:
        with pair_writer(database_url, 1) as write:
            for _ in range(2):
                write(pairs_at(range(30), images))

    with pytest.raises(IntegrityError):
        write_twice()
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM pair_results")) == 0


@on_postgresql
def test_pairs_are_discarded_while_others_read_pairs(
    database_url: str, images: list[int], engine: Engine
) -> None:
    with pair_writer(database_url, 1) as write:
        write(pairs_at(range(PART + 1), images))
    with engine.begin() as reader, Session(engine) as session, session.begin():
        reader.execute(text("SELECT * FROM pair_predictions WHERE evaluation_id = 2"))
        fail_evaluation(session, 1)
    assert stored(engine) == []
    assert [name for name, _ in tables(engine)] == [f"pair_predictions_1_{part}" for part in (0, 1)]


@on_postgresql
def test_who_records_images_does_not_wait_for_pairs_that_are_written(
    database_url: str, images: list[int], engine: Engine
) -> None:
    with pair_writer(database_url, 1) as write, engine.begin() as connection:
        write(pairs_at(range(PART + 1), images))
        connection.execute(text("UPDATE images SET title = 'The Geographer' WHERE id = 1"))
        write(pairs_at(range(PART + 1, PART + 9), images))
        assert connection.scalar(text("SELECT title FROM images WHERE id = 1"))


@on_postgresql
def test_who_opens_the_database_does_not_wait_for_pairs_that_are_being_indexed(
    database_url: str, images: list[int], engine: Engine
) -> None:
    with pair_writer(database_url, 1) as write:
        write(pairs_at(range(5), images))
    is_open = threading.Event()

    def open_it() -> None:
        open_database(database_url).dispose()
        is_open.set()

    with engine.begin() as connection:
        connection.execute(text("LOCK TABLE pair_predictions_1_0 IN ACCESS EXCLUSIVE MODE"))
        opener = threading.Thread(target=open_it)
        opener.start()
        is_it = is_open.wait(30)
    opener.join()
    assert is_it

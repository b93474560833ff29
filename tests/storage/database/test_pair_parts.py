"""Pairs stored part by part are all there, and indexed before anybody can see them."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from storage.database.datasets import image_ids
from storage.database.dialects import dialect_of
from storage.database.engine import open_database
from storage.database.evaluation_tables import Evaluation
from storage.database.pair_parts import store_pairs, store_part, writers
from storage.database.pair_rows import (
    LAST_PART,
    PairColumns,
    append_rows,
    bounds_of,
    open_rows,
)
from storage.database.pruning import prune
from storage.database.records import complete_evaluation, fail_evaluation
from tests.storage.conftest import write_pairs

PART = 100
TABLES = """
SELECT relname, count(indexrelid) FROM pg_class LEFT JOIN pg_index ON indrelid = oid
WHERE pg_table_is_visible(oid) AND relkind = 'r' AND relname ~ '^pair_predictions_1_'
GROUP BY relname ORDER BY relname
"""
on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.database.pair_rows.PART", PART)
    monkeypatch.setattr("storage.database.sqlite.ROWS_AT_ONCE", 40)


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
    store_pairs(database_url, 1, pairs_at(index.tolist(), images))
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
    store_pairs(database_url, 1, pairs_at(range(2 * PART + 1), images))
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
    whole = pairs_at(range(350), images)
    store_part(database_url, 1, 2, whole.in_part(2))
    with Session(engine) as session, session.begin():  # as a kill in the middle leaves it
        write_pairs(session, 1, whole.part(slice(30)))
    assert [index for index, *_ in stored(engine)][-PART:] == list(range(2 * PART, 3 * PART))
    store_pairs(database_url, 1, whole)
    assert [index for index, *_ in stored(engine)] == list(range(350))
    with Session(engine) as session, session.begin():
        fail_evaluation(session, 1)
    assert stored(engine) == []
    if engine.dialect.name == "postgresql":
        assert tables(engine) == []


def test_parts_stored_twice_and_by_many_at_once_are_there_once(
    database_url: str, images: list[int], engine: Engine
) -> None:
    whole = pairs_at(range(5 * PART), images)
    tasks = [part for part in (4, 2, 0, 3, 1) for _ in range(2 if writers(database_url) > 1 else 1)]
    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(store_part, database_url, 1, n, whole.in_part(n)) for n in tasks]
    assert [future.result() for future in done] == [None] * len(tasks)
    store_pairs(database_url, 1, whole)  # all of them once more
    complete(engine, 5 * PART)
    assert [index for index, *_ in stored(engine)] == list(range(5 * PART))


def test_a_pair_given_twice_is_refused_and_no_pair_is_seen(
    database_url: str, images: list[int], engine: Engine
) -> None:
    with pytest.raises(IntegrityError):
        store_pairs(database_url, 1, pairs_at([*range(30), 7], images))
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM pair_results")) == 0


@given(
    st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=60, unique=True),
    st.lists(st.integers(1, 20), min_size=1, max_size=9),
)
def test_pairs_in_a_file_are_those_that_were_appended(index: list[int], pieces: list[int]) -> None:
    first, second = np.array(index), np.array(index[::-1])
    pairs = PairColumns(first, second, np.arange(len(index)), first / 7, None)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "pairs.rows"
        with path.open("wb") as file:
            start = 0
            for size in [*pieces, len(index)]:
                append_rows(file, pairs.part(slice(start, start + size)))
                start += size
        read = open_rows(path)
        for name in ("pair_index", "image_a_id", "image_b_id", "distance"):
            np.testing.assert_array_equal(getattr(read, name), getattr(pairs, name))
        parts = [read.in_part(part) for part in range(LAST_PART + 1)]
        found = np.concatenate([part.pair_index for part in parts])
        assert sorted(found.tolist()) == sorted(index)
        for number, part in enumerate(parts):
            low, high = bounds_of(number)
            assert all(low <= one < (high or 2**31) for one in part.pair_index.tolist())


@on_postgresql
def test_pairs_are_discarded_while_others_read_pairs(
    database_url: str, images: list[int], engine: Engine
) -> None:
    store_pairs(database_url, 1, pairs_at(range(PART + 1), images))
    with engine.begin() as reader, Session(engine) as session, session.begin():
        reader.execute(text("SELECT * FROM pair_predictions WHERE evaluation_id = 2"))
        fail_evaluation(session, 1)
    assert stored(engine) == []
    assert [name for name, _ in tables(engine)] == [f"pair_predictions_1_{part}" for part in (0, 1)]


@on_postgresql
def test_who_records_images_waits_only_while_a_part_is_attached(
    database_url: str, images: list[int], engine: Engine
) -> None:
    pairs = pairs_at(range(PART + 9), images)
    store_part(database_url, 1, 0, pairs.in_part(0))
    with engine.begin() as connection:  # a part that is written, but not attached yet
        dialect_of(connection).append_to_part(connection, 1, 1, pairs.in_part(1))
        with engine.begin() as other:
            other.execute(text("SET LOCAL lock_timeout = '1s'"))
            other.execute(text("UPDATE images SET title = 'The Geographer' WHERE id = 1"))


@on_postgresql
def test_who_opens_the_database_does_not_wait_for_pairs_that_are_being_indexed(
    database_url: str, images: list[int], engine: Engine
) -> None:
    store_pairs(database_url, 1, pairs_at(range(5), images))
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

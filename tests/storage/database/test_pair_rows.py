"""Pairs are stored as they are given, all of them, or none."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from storage.database.datasets import image_ids
from storage.database.evaluation_tables import Evaluation
from storage.database.pair_rows import CHUNK, PairColumns
from storage.database.postgres import copy_rows
from storage.database.records import complete_evaluation, start_evaluation
from tests.storage.conftest import write_pairs

STORED = (
    "SELECT pair_index, image_a_id, image_b_id, distance, same_artist FROM pair_predictions"
    " WHERE evaluation_id = {} ORDER BY pair_index"
)


def stored(session: Session, evaluation_id: int) -> Sequence[tuple[Any, ...]]:
    """Read an evaluation's pairs past the code under test."""
    return [tuple(row) for row in session.execute(text(STORED.format(evaluation_id)))]


def random_pairs(count: int, ids: list[int], *, known: bool, start: int = 0) -> PairColumns:
    generator = np.random.default_rng(count + start)
    return PairColumns(
        np.arange(start, start + count),
        generator.choice(ids, count),
        generator.choice(ids, count),
        generator.random(count, dtype=np.float32),
        generator.random(count) < 0.5 if known else None,
    )


def as_rows(pairs: PairColumns) -> list[tuple[Any, ...]]:
    truth = [None] * len(pairs) if pairs.same_artist is None else pairs.same_artist.tolist()
    columns = (pairs.pair_index, pairs.image_a_id, pairs.image_b_id, pairs.distance)
    return list(zip(*(column.tolist() for column in columns), truth, strict=True))


@pytest.fixture
def ids(session: Session, dataset_id: int) -> list[int]:
    return list(image_ids(session, dataset_id).values())


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 1234])
def test_pairs_are_stored_as_they_are_given(
    session: Session, ids: list[int], evaluation_id: int, count: int, known: bool
) -> None:
    pairs = random_pairs(count, ids, known=known, start=2**31 - 1 - count)
    write_pairs(session, evaluation_id, pairs)
    complete_evaluation(session, evaluation_id, Evaluation())
    assert stored(session, evaluation_id) == as_rows(pairs)
    found = session.execute(
        text(
            "SELECT DISTINCT image_id, other_id, pair_index, distance FROM pairs_by_image"
            " ORDER BY 1, 2, 3"
        )
    )
    sides = {
        (row[side], row[3 - side], row[0], row[3]) for row in as_rows(pairs) for side in (1, 2)
    }
    assert [tuple(row) for row in found] == sorted(sides)


def test_pairs_in_several_pieces_are_stored_as_in_one(
    session: Session, ids: list[int], evaluation_id: int
) -> None:
    pairs = random_pairs(2 * CHUNK + 7, ids, known=True)
    for piece in (slice(0, CHUNK + 3), slice(CHUNK + 3, None)):
        write_pairs(session, evaluation_id, pairs.part(piece))
    complete_evaluation(session, evaluation_id, Evaluation())
    assert stored(session, evaluation_id) == as_rows(pairs)


def test_arrays_that_differ_in_length_are_refused() -> None:
    three, two = np.arange(3), np.arange(2)
    with pytest.raises(ValueError, match="differ in length"):
        PairColumns(three, three, three, two.astype(float), None)
    with pytest.raises(ValueError, match="differ in length"):
        PairColumns(three, three, three, three.astype(float), two > 0)


@given(st.integers(0, 3 * 7 + 1), st.integers(1, 9))
def test_chunks_hold_all_pairs_in_their_order(count: int, size: int) -> None:
    pairs = random_pairs(count, [1, 2], known=True)
    chunks = list(pairs.chunks(size))
    assert [row for chunk in chunks for row in as_rows(chunk)] == as_rows(pairs)
    assert all(0 < len(chunk) <= size for chunk in chunks)


def test_a_row_of_the_copy_is_what_the_manual_says() -> None:
    """Worked out by hand: five fields, each four bytes of length and its content, big-endian."""
    pairs = PairColumns(
        np.array([258]), np.array([1]), np.array([2]), np.array([1.5]), np.array([True])
    )
    numbers = "00000004 00000102 00000004 00000001 00000004 00000002"
    distance = "00000008 3ff8000000000000"
    assert copy_rows(pairs) == bytes.fromhex(f"0005 {numbers} {distance} 00000001 01")
    unknown = replace(pairs, same_artist=None)
    assert copy_rows(unknown) == bytes.fromhex(f"0005 {numbers} {distance} ffffffff")


@pytest.mark.parametrize(
    "fault", [{"distance": -1.0}, {"distance": np.nan}, {"image_b_id": 999}, {"pair_index": 0}]
)
def test_an_evaluation_with_a_faulty_pair_leaves_no_pair(
    session: Session, ids: list[int], evaluation_id: int, fault: dict[str, float]
) -> None:
    session.commit()
    pairs = random_pairs(CHUNK + 1, ids, known=True)
    for name, value in fault.items():
        column = getattr(pairs, name)
        column[-1] = value  # in the second chunk, so that the first has been sent

    def write() -> None:
        write_pairs(session, evaluation_id, pairs)
        complete_evaluation(session, evaluation_id, Evaluation())

    with pytest.raises(IntegrityError):
        write()
    session.rollback()
    assert stored(session, evaluation_id) == []
    assert session.get_one(Evaluation, evaluation_id).status == "writing"


def test_an_evaluation_tried_again_holds_what_was_written_last(
    session: Session, ids: list[int], run_id: int, model_id: int, dataset_id: int
) -> None:
    for attempt in range(3):
        evaluation_id = start_evaluation(
            session,
            Evaluation(run_id=run_id, model_id=model_id, dataset_id=dataset_id, split="test"),
        )
        write_pairs(session, evaluation_id, random_pairs(20 + attempt, ids, known=True))
        session.commit()
    complete_evaluation(session, evaluation_id, Evaluation())
    session.commit()
    assert stored(session, evaluation_id) == as_rows(random_pairs(22, ids, known=True))
    count = session.execute(text("SELECT count(*) FROM pair_predictions")).scalar_one()
    assert count == 22


def test_pairs_of_one_evaluation_take_up_nothing_in_that_of_another(
    session: Session, ids: list[int], run_id: int, model_id: int, dataset_id: int
) -> None:
    evaluations = []
    for split in ("test", "validation"):
        evaluations.append(
            start_evaluation(
                session,
                Evaluation(run_id=run_id, model_id=model_id, dataset_id=dataset_id, split=split),
            )
        )
        write_pairs(session, evaluations[-1], random_pairs(5 + len(split), ids, known=False))
    for evaluation_id in evaluations:
        complete_evaluation(session, evaluation_id, Evaluation())
    assert [len(stored(session, each)) for each in evaluations] == [9, 15]

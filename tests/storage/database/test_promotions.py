"""Champions: one of each purpose, whoever promotes at the same time, and a history that holds."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session

from storage.database.evaluation_tables import Evaluation
from storage.database.records import (
    Ground,
    complete_evaluation,
    promote,
    promote_over,
    record_model,
    record_refusal,
)
from storage.database.results import promotions
from storage.database.session import transaction
from storage.errors import InputError
from tests.storage.conftest import new_model, processes_at_once, rows, store_test

CHAMPIONS = "SELECT id FROM models WHERE is_champion"


@pytest.fixture
def tested(session: Session, run_id: int, dataset_id: int) -> Callable[..., int]:
    """Store a model of another epoch with a complete test."""

    def store(epoch: int, **given: Any) -> int:
        model = record_model(session, new_model(run_id=run_id, epoch=epoch, **given))
        store_test(session, run_id, model, dataset_id)
        session.commit()
        return model

    return store


def test_a_promoted_model_is_the_only_champion(
    session: Session, run_id: int, model_id: int
) -> None:
    later_id = record_model(session, new_model(run_id=run_id, epoch=2))
    for champion in (model_id, later_id, later_id, model_id):
        promote(session, champion)
        assert rows(session, CHAMPIONS) == [(champion,)]


def test_each_purpose_has_a_champion_and_a_history(
    session: Session, tested: Callable[..., int]
) -> None:
    old, other, new = (
        tested(epoch, purpose=purpose)
        for epoch, purpose in ((2, "maps"), (3, "icons"), (4, "maps"))
    )
    assert promote_over(session, old, None, Ground("first of its purpose"))
    assert promote_over(session, other, None, Ground("first of its purpose"))
    assert not promote_over(session, new, other)
    assert promote_over(session, new, old, Ground("better", difference=(0.25, 0.125, 0.5)))
    promote(session, old, Ground("by hand", "ada@museum"))
    champions = "SELECT id, purpose FROM models WHERE is_champion ORDER BY id"
    assert rows(session, champions) == [(old, "maps"), (other, "icons")]
    history = (
        "SELECT model_id, purpose, promoted_by, reason, former_model_id, difference, low, high"
        " FROM promotions ORDER BY id"
    )
    assert rows(session, history) == [
        (old, "maps", "rule", "first of its purpose", None, None, None, None),
        (other, "icons", "rule", "first of its purpose", None, None, None, None),
        (new, "maps", "rule", "better", old, 0.25, 0.125, 0.5),
        (old, "maps", "ada@museum", "by hand", new, None, None, None),
    ]
    assert len(promotions(session)) == 4


def test_a_collapsed_model_is_never_promoted(session: Session, run_id: int, model_id: int) -> None:
    flat = record_model(session, new_model(run_id=run_id, epoch=2, has_collapsed=True))
    promote(session, model_id)
    with pytest.raises(InputError, match=f"model {flat} has collapsed"):
        promote(session, flat)
    assert rows(session, CHAMPIONS) == [(model_id,)]


def test_a_model_is_promoted_by_rule_only_after_its_test(
    session: Session, model_id: int, evaluation_id: int
) -> None:
    with pytest.raises(InputError, match=f"model {model_id} has no complete test"):
        promote_over(session, model_id, None)  # its evaluation is still being written
    assert rows(session, CHAMPIONS) == []
    complete_evaluation(session, evaluation_id, Evaluation())
    assert promote_over(session, model_id, None)


def test_why_a_model_was_refused_stays_until_it_is_promoted(
    session: Session, model_id: int
) -> None:
    record_refusal(session, model_id, "it may be better by chance")
    assert rows(session, "SELECT refusal FROM models") == [("it may be better by chance",)]
    promote(session, model_id)
    assert rows(session, "SELECT refusal FROM models") == [(None,)]


@given(
    tries=st.lists(
        st.tuples(st.integers(0, 4), st.one_of(st.none(), st.integers(0, 4)), st.booleans()),
        max_size=12,
    )
)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_champions_and_history_follow_from_the_promotions_in_turn(
    session: Session,
    tested: Callable[..., int],
    tries: list[tuple[int, int | None, bool]],
) -> None:
    session.execute(text("DELETE FROM promotions"))
    session.execute(text("UPDATE models SET is_champion = false"))
    purposes = ["maps", "icons", "maps", "icons", "maps"]
    models = [tested(2 + number, purpose=each) for number, each in enumerate(purposes)]
    champion: dict[str, int] = {}
    history = []
    for number, met, by_hand in tries:
        purpose, model = purposes[number], models[number]
        expected = None if met is None else models[met]
        wins = by_hand or champion.get(purpose) == expected
        if by_hand:
            promote(session, model)
        else:
            assert promote_over(session, model, expected) == wins
        if wins:
            history.append((model, purpose, champion.get(purpose)))
            champion[purpose] = model
    query = "SELECT model_id, purpose, former_model_id FROM promotions ORDER BY id"
    assert rows(session, query) == history
    assert dict(rows(session, "SELECT purpose, id FROM models WHERE is_champion")) == champion


PROMOTER = """
import random, sys
from storage.database import results
from storage.database.records import promote_over
from storage.database.session import transaction
url, seed, *models = sys.argv[1:]
chance, won = random.Random(seed), 0
print("ready", flush=True)
sys.stdin.readline()
for _ in range(25):
    with transaction(url) as session:
        met = results.champion(session, "maps")
        met = met and met.id
    challenger = int(chance.choice([each for each in models if int(each) != met]))
    with transaction(url) as session:
        won += promote_over(session, challenger, met)
print(won)
"""


def test_processes_that_promote_at_once_leave_one_champion_and_no_gap_in_the_history(
    database_url: str, session: Session, tested: Callable[..., int]
) -> None:
    models = [str(tested(epoch, purpose="maps")) for epoch in range(2, 8)]
    printed = processes_at_once(PROMOTER, ([database_url, str(seed), *models] for seed in range(2)))
    won = sum(map(int, printed))
    history = rows(session, "SELECT former_model_id, model_id FROM promotions ORDER BY id")
    assert len(history) == won > 1
    winners = [winner for _, winner in history]
    assert [former for former, _ in history] == [None, *winners[:-1]]  # each beat the last
    assert rows(session, CHAMPIONS) == [(winners[-1],)]


def test_a_model_is_promoted_only_over_the_champion_it_was_compared_with(
    session: Session, tested: Callable[..., int]
) -> None:
    model_id, later_id = tested(2), tested(3)
    assert not promote_over(session, model_id, later_id)
    assert rows(session, CHAMPIONS) == []
    assert promote_over(session, model_id, None)
    assert not promote_over(session, later_id, None)
    assert rows(session, CHAMPIONS) == [(model_id,)]
    assert promote_over(session, later_id, model_id)
    assert rows(session, CHAMPIONS) == [(later_id,)]


def at_once(promote_one: Callable[[int], bool], ids: Sequence[int]) -> list[bool]:
    """Promote all models at the same moment, each in a thread of its own."""
    start = Barrier(len(ids))

    def promote_when_all_are_there(model_id: int) -> bool:
        start.wait()
        return promote_one(model_id)

    with ThreadPoolExecutor(len(ids)) as threads:
        return list(threads.map(promote_when_all_are_there, ids))


@pytest.mark.parametrize("has_champion", [False, True])
def test_of_trainings_that_end_together_one_takes_the_champions_place(
    database_url: str,
    session: Session,
    tested: Callable[..., int],
    model_id: int,
    has_champion: bool,
) -> None:
    ids = [tested(epoch) for epoch in range(2, 6)]
    met = model_id if has_champion else None
    if met is not None:
        promote(session, met)
    session.commit()

    def compare_and_promote(challenger: int) -> bool:
        with transaction(database_url) as own:
            return promote_over(own, challenger, met)

    won = at_once(compare_and_promote, ids)
    champion = ids[won.index(True)]
    assert sorted(won) == [False, False, False, True]
    assert rows(session, CHAMPIONS) == [(champion,)]


def test_models_that_are_promoted_at_once_take_turns(
    database_url: str, session: Session, run_id: int, model_id: int
) -> None:
    ids = [record_model(session, new_model(run_id=run_id, epoch=epoch)) for epoch in range(2, 8)]
    session.commit()

    def promote_anyway(model_id: int) -> bool:
        with transaction(database_url) as own:
            promote(own, model_id)
        return True

    assert all(at_once(promote_anyway, ids))
    ((champion,),) = rows(session, CHAMPIONS)
    assert champion in ids

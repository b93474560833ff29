"""Every question of docs/results.md is answered, by both databases alike and rightly."""

import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from storage.database.atlas_tables import Atlas
from storage.database.atlases import record_atlas
from storage.database.base import Base
from storage.database.datasets import artist_ids_of, image_ids
from storage.database.engine import open_database
from storage.database.evaluation_tables import (
    ArtistResult,
    Baseline,
    Evaluation,
    Measure,
    Reliability,
)
from storage.database.pair_rows import PairColumns
from storage.database.questions import changes
from storage.database.records import (
    complete_evaluation,
    promote,
    record_baseline,
    record_epoch,
    record_measures,
    record_sweep_differences,
    record_sweep_training,
    start_evaluation,
)
from storage.database.tables import Epoch, SweepDifference, SweepTraining
from storage.errors import InputError
from tests.storage.conftest import write_pairs

PAGE = Path("docs/results.md").read_text(encoding="utf-8")
QUESTIONS = {
    int(number): sql
    for number, sql in re.findall(r"\*\*(\d+)\. .*?```sql\n(.*?)```", PAGE, re.DOTALL)
}
PAIRS = [  # (first, second, distance, truth); the threshold is 2
    ("lace.jpg", "milk.jpg", 1.0, True),
    ("lace.jpg", "lute.jpg", 1.5, False),
    ("milk.jpg", "lute.jpg", 3.0, False),
]
LATER = (5.0, 2.5, 0.5)


@pytest.fixture
def values(session: Session, dataset_id: int, run_id: int, model_id: int) -> dict[str, Any]:
    """Two evaluations of the same three pairs, and what the questions ask for."""
    ids = image_ids(session, dataset_id)
    numbers = []
    for distances in ([pair[2] for pair in PAIRS], LATER):
        begun = Evaluation(run_id=run_id, model_id=model_id, dataset_id=dataset_id, split="test")
        numbers.append(start_evaluation(session, begun))
        columns = PairColumns(
            np.arange(3),
            np.array([ids[pair[0]] for pair in PAIRS]),
            np.array([ids[pair[1]] for pair in PAIRS]),
            np.array(distances),
            np.array([pair[3] for pair in PAIRS]),
        )
        write_pairs(session, numbers[-1], columns)
        measured = Evaluation(
            roc_auc=0.75 if len(numbers) == 1 else 0.5,
            eer=0.25,
            true_accepts=1,
            false_rejects=0,
            true_rejects=1,
            false_accepts=1,
        )
        complete_evaluation(session, numbers[-1], measured, hardest=[0, 1, 2])
    before, evaluation = numbers
    record_baseline(session, Baseline(evaluation_id=before, name="mean colour", roc_auc=0.625))
    record_epoch(session, Epoch(run_id=run_id, epoch=1, train_loss=4.0, validation_loss=5.0))
    for contender, metric, value in (("network", "cllr", 0.5), ("mean colour", "map_at_r", 0.25)):
        row = {"evaluation_id": evaluation, "contender": contender, "metric": metric}
        record_measures(
            session,
            [
                Measure(**row, scope="all", value=value, low=0.125, high=0.75),
                Measure(**row, scope="matched", value=2 * value, low=None, high=None),
            ],
        )
    for recipe, number in (("best", before), ("plain", evaluation), ("plain", None)):
        fold = 0 if number else 1
        row = {"run_id": run_id, "recipe": recipe, "fold": fold, "seed": 0}
        record_sweep_training(session, SweepTraining(**row, evaluation_id=number))
    key = {"run_id": run_id, "recipe": "best", "rival": "plain", "metric": "roc_auc"}
    gain = SweepDifference(**key, value=0.25, low=-0.125, high=0.5)
    record_sweep_differences(session, [gain])
    _record_atlas(session, dataset_id, run_id, model_id)
    promote(session, model_id)
    artists = artist_ids_of(session, dataset_id)
    session.add_all(
        [
            ArtistResult(
                evaluation_id=evaluation,
                artist_id=artists["Hals"],
                n_images=1,
                roc_auc=0.25,
                nearest_artist_id=artists["Vermeer"],
            ),
            Reliability(
                evaluation_id=evaluation, tenth=3, probability=0.375, same_share=0.5, n_pairs=3
            ),
        ]
    )
    session.flush()
    return {
        "before": before,
        "evaluation": evaluation,
        "artist": "Vermeer",
        "filename": "lute.jpg",
        "other": "milk.jpg",
        "run": run_id,
    }


def _record_atlas(session: Session, dataset_id: int, run_id: int, model_id: int) -> None:
    """The lute is by Hals, but Vermeer is likelier."""
    ids, artists = image_ids(session, dataset_id), artist_ids_of(session, dataset_id)
    atlas = Atlas(run_id=run_id, model_id=model_id, dataset_id=dataset_id, n_images=3, n_artists=2)
    near = [
        {"image_id": ids["lute.jpg"], "rank": rank, "neighbour_id": ids[name], "distance": rank / 2}
        for rank, name in ((1, "milk.jpg"), (2, "lace.jpg"))
    ]
    given = [(0, None, 0.125), (1, artists["Vermeer"], 0.75), (2, artists["Hals"], 0.0625)]
    likely = [
        {"image_id": ids["lute.jpg"], "rank": rank, "artist_id": artist, "probability": probability}
        for rank, artist, probability in given
    ]
    measures = [{"metric": "top_1", "value": 0.5, "low": 0.25, "high": 0.75}]
    record_atlas(session, atlas, near, likely, measures)


def ask(session: Session, number: int, values: dict[str, Any]) -> list[dict[str, Any]]:
    needed = {name: value for name, value in values.items() if f":{name}" in QUESTIONS[number]}
    return [dict(row) for row in session.execute(text(QUESTIONS[number]), needed).mappings()]


def test_there_are_twenty_five_questions() -> None:
    assert sorted(QUESTIONS) == list(range(1, 26))


@pytest.mark.parametrize("number", sorted(QUESTIONS))
def test_every_question_has_an_answer(
    session: Session, values: dict[str, Any], number: int
) -> None:
    assert ask(session, number, values)


def test_the_answers_are_right(session: Session, values: dict[str, Any]) -> None:
    first = values | {"evaluation": values["before"]}
    hardest = ask(session, 3, values)
    assert [row["pair_index"] for row in hardest] == [0, 2, 1]  # wrong by 3, by 1.5, right by 0.5
    assert [row["correct"] for row in hardest] == [False, False, True]
    of_hals = values | {"artist": "Hals"}
    assert [row["pair_index"] for row in ask(session, 4, of_hals)] == [2, 1]
    assert [row["pair_index"] for row in ask(session, 4, values)] == [0, 2, 1]
    assert [(row["other"], row["artist"], row["distance"]) for row in ask(session, 5, first)] == [
        ("lace.jpg", "Vermeer", 1.5),
        ("milk.jpg", "Vermeer", 3.0),
    ]
    ((taken),) = ask(session, 6, first)
    assert taken == {"one": "Hals", "other": "Vermeer", "pairs": 2, "closest": 1.5}
    ((change),) = ask(session, 7, values)
    assert (change["roc_auc"], change["eer"], change["other_model"]) == (-0.25, 0, False)
    ((put_right),) = ask(session, 8, values)
    assert (put_right["filename_b"], put_right["correct"]) == ("lute.jpg", True)
    ((counts),) = ask(session, 9, first)
    assert list(counts.values()) == [1, 0, 1, 1]
    ((origin),) = ask(session, 10, values)
    assert origin["checkpoint_hash"] == "e5"
    assert origin["data_hash"] == "c0ffee"
    assert origin["seed"] == 2**40
    assert origin["prefect_flow_run_id"] == "4f2e"
    assert {"crops_hash", "device", "library_versions", "code_version", "settings"} <= {*origin}
    assert [row["name"] for row in ask(session, 11, first)] == ["network", "mean colour"]
    assert ask(session, 13, values)[0]["for_example"] == "torn.jpg"
    assert [tuple(row.values()) for row in ask(session, 14, values)] == [
        ("cllr", "network", 0.5, 0.125, 0.75, 1.0, None, None),
        ("map_at_r", "mean colour", 0.25, 0.125, 0.75, 0.5, None, None),
    ]
    assert [tuple(row.values()) for row in ask(session, 18, values)] == [
        (1, "Vermeer", 0.75),
        (0, None, 0.125),
        (2, "Hals", 0.0625),
    ]
    assert [tuple(row.values()) for row in ask(session, 19, values)] == [
        (1, "milk.jpg", "Vermeer", 0.5),
        (2, "lace.jpg", "Vermeer", 1.0),
    ]
    assert [tuple(row.values()) for row in ask(session, 20, values)] == [
        ("lute.jpg", "Hals", 0.0625, "Vermeer", 0.75)
    ]
    assert [tuple(row.values()) for row in ask(session, 21, values)] == [
        ("Hals", 1, None, None, None, 0.25, "Vermeer")
    ]
    assert [tuple(row.values()) for row in ask(session, 22, values)] == [(3, 0.375, 0.5, 3)]
    assert [row["distance"] for row in ask(session, 23, values)] == [3.0, 0.5]
    assert tuple(ask(session, 25, values)[0].values()) == ("Mauritshuis", "test", 2)
    assert [tuple(row.values()) for row in ask(session, 15, values)] == [
        ("best", 1, 0.75, "plain", 0.25, -0.125, 0.5),
        ("plain", 1, 0.5, None, None, None, None),
    ]


def test_what_changed_is_told_metric_by_metric(session: Session, values: dict[str, Any]) -> None:
    before, after = (session.get_one(Evaluation, values[name]) for name in ("before", "evaluation"))
    found = changes(session, before, after).to_dict("records")
    assert found[:2] == [  # what was measured in neither is left out
        {"metric": "roc_auc", "before": 0.75, "after": 0.5, "difference": -0.25},
        {"metric": "eer", "before": 0.25, "after": 0.25, "difference": 0},
    ]
    # By the threshold of 2: 1.0, 1.5, 3.0 became 5.0, 2.5, 0.5.
    flipped = found[2]
    assert (len(found), flipped["metric"], flipped["difference"]) == (3, "flipped_pairs", 3)
    same = changes(session, before, before).to_dict("records")
    assert same[2]["difference"] == 0


def test_the_same_files_in_another_place_are_the_same_paintings(
    session: Session, values: dict[str, Any], run_id: int, model_id: int
) -> None:
    before, after = (session.get_one(Evaluation, values[name]) for name in ("before", "evaluation"))
    copies = {
        "datasets": "id + 1000, 'elsewhere', content_hash, crops_hash, catalog_path, created_at",
        "images": "id + 1000, dataset_id + 1000, NULL, filename, split",
    }
    columns = {
        "datasets": "id, source, content_hash, crops_hash, catalog_path, created_at",
        "images": "id, dataset_id, artist_id, filename, split",
    }
    for table, copy in copies.items():
        session.execute(text(f"INSERT INTO {table} ({columns[table]}) SELECT {copy} FROM {table}"))
    session.execute(
        text(
            "UPDATE pair_predictions SET image_a_id = image_a_id + 1000,"
            " image_b_id = image_b_id + 1000 WHERE evaluation_id = :evaluation"
        ),
        {"evaluation": after.id},
    )
    after.dataset_id += 1000
    session.flush()
    flipped = changes(session, before, after).to_dict("records")[-1]
    assert (flipped["metric"], flipped["difference"]) == ("flipped_pairs", 3)
    session.execute(text("UPDATE datasets SET content_hash = 'other' WHERE id > 1000"))
    session.expire_all()
    assert "flipped_pairs" not in set(changes(session, before, after)["metric"])


def test_a_scored_file_is_not_compared_with_a_test(
    session: Session, values: dict[str, Any]
) -> None:
    test = session.get_one(Evaluation, values["before"])
    scored = Evaluation(id=9, dataset_id=test.dataset_id, split=None)
    with pytest.raises(InputError, match=f"evaluation 9 is a scored file and {test.id} is not"):
        changes(session, test, scored)


def test_evaluations_of_other_images_share_no_pairs_that_flip(
    session: Session, values: dict[str, Any]
) -> None:
    before = session.get_one(Evaluation, values["before"])
    other = Evaluation(roc_auc=0.25, dataset_id=before.dataset_id, split="validation")
    assert changes(session, before, other)["metric"].tolist() == ["roc_auc", "eer"]


def test_every_table_and_column_is_told_of() -> None:
    for table in Base.metadata.tables.values():
        assert f"`{table.name}`" in PAGE
        for column in table.columns:
            assert f"`{column.name}`" in PAGE, (table.name, column.name)


def test_a_reader_can_read_and_nothing_else(postgres_url: str) -> None:
    (grants,) = re.findall(r"```sql\n(CREATE ROLE.*?)```", PAGE, re.DOTALL)
    owner = open_database(postgres_url)
    name = f"reader_{uuid4().hex}"
    with owner.begin() as connection:
        schema = connection.execute(text("SELECT current_schema()")).scalar_one()
        ours = grants.replace("samehand_reader", name).replace("public", schema)
        for statement in [*ours.split(";"), f"GRANT USAGE ON SCHEMA {schema} TO {name}"]:
            connection.execute(text(statement))
        connection.execute(text("CREATE TABLE pair_predictions_9 (later INTEGER)"))
    reader = create_engine(make_url(postgres_url).set(username=name))
    try:
        with reader.connect() as connection:
            for table in ("pair_results", "leaderboard", "pair_predictions", "pair_predictions_9"):
                connection.execute(text(f"SELECT * FROM {table}"))
            with pytest.raises(ProgrammingError, match="permission denied"):
                connection.execute(text("DELETE FROM runs"))
    finally:
        reader.dispose()
        with owner.begin() as connection:
            connection.execute(text(f"DROP OWNED BY {name}"))
            connection.execute(text(f"DROP ROLE {name}"))
        owner.dispose()

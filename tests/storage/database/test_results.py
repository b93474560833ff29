"""What plain SQL has written is read back through the code, in the order that is promised."""

import math

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from storage.database.evaluation_tables import HARDEST_KEPT
from storage.database.results import (
    champion,
    epochs,
    evaluation_before,
    evaluation_before_run,
    evaluation_by_run,
    evaluations,
    find_evaluation,
    find_model,
    find_run,
    find_stopped_run,
    find_training,
    last_evaluation,
    leaderboard,
    measures,
    pairs,
    run_of_flow_run,
    running_runs,
    runs,
    sweep_differences,
    sweep_trainings,
)
from storage.errors import InputError

DAY = "2026-01-01 12:00:00"
# PostgreSQL takes these moments as the server's own; noon of a day is that day wherever it is.
FILLING = f"""
INSERT INTO datasets (id, source, content_hash, created_at) VALUES (1, 'sample', 'aa', '{DAY}');
INSERT INTO artists (id, dataset_id, name, split) VALUES (1, 1, 'Vermeer', 'test');
INSERT INTO artists (id, dataset_id, name, split) VALUES (2, 1, 'Hals', 'test');
INSERT INTO images (id, dataset_id, artist_id, filename, split) VALUES (1, 1, 1, 'a.jpg', 'test');
INSERT INTO images (id, dataset_id, artist_id, filename, split) VALUES (2, 1, 1, 'b.jpg', 'test');
INSERT INTO images (id, dataset_id, artist_id, filename, split) VALUES (3, 1, 2, 'c.jpg', 'test');
INSERT INTO images (id, dataset_id, filename, split) VALUES (4, 1, 'unknown.jpg', 'excluded')
"""
RUN = """INSERT INTO runs (id, flow_name, status, source, preset, settings, seed, device,
code_version, library_versions, directory, dataset_id, started_at) VALUES
({id}, '{flow}', 'running', 'sample', 'demo', '{{}}', 1, 'cpu', '0.1', '{{}}', 'runs', {dataset},
'{day}')"""
MODEL = """INSERT INTO models (id, run_id, epoch, path, sha256, threshold, calibration_slope,
calibration_midpoint, accept_within, reject_beyond, validation_roc_auc, validation_accuracy,
is_champion) VALUES
({id}, 1, {id}, 'm.pt', 'aa', 2.0, 3.0, 2.0, 1.5, 2.5, 0.8, 0.7, false)"""
EVALUATION = """INSERT INTO evaluations (id, run_id, model_id, dataset_id, split, status, roc_auc,
threshold, created_at) VALUES
({id}, 1, {model}, 1, '{split}', '{status}', {roc_auc}, {threshold}, '2026-01-{day} 12:00:00')"""
PAIR = """INSERT INTO pair_predictions
(evaluation_id, pair_index, image_a_id, image_b_id, distance, same_artist) VALUES ({})"""


def run_sql(session: Session, *statements: str) -> None:
    for statement in statements:
        session.execute(text(statement))


@pytest.fixture
def filled(session: Session) -> Session:
    """A database written with plain SQL: a dataset, three runs, a model."""
    run_sql(session, *FILLING.strip().split(";"))
    for number, flow, dataset in (
        (1, "train-flow", "1"),
        (2, "train-flow", "NULL"),
        (3, "score-flow", "1"),
    ):
        run_sql(session, RUN.format(id=number, flow=flow, dataset=dataset, day=DAY))
    run_sql(session, MODEL.format(id=1))
    return session


def evaluate(session: Session, number: int, model: int = 1, **row: object) -> None:
    """Insert an evaluation, by default a complete one of the test split."""
    values = {"split": "test", "status": "complete", "roc_auc": "NULL", "threshold": "NULL"}
    filling = values | {"day": f"{number:02}"} | row
    run_sql(session, EVALUATION.format(id=number, model=model, **filling))


def test_runs_are_listed_newest_first_with_their_source(filled: Session) -> None:
    table = runs(filled)
    assert list(table["id"]) == [3, 2, 1]
    assert list(table["source"]) == ["sample", "sample", "sample"]
    assert str(table["started_at"].dtype).endswith("UTC]")


def test_an_empty_database_gives_empty_tables_with_their_columns(session: Session) -> None:
    for table in (runs(session), evaluations(session), leaderboard(session), epochs(session, 1)):
        assert table.empty
        assert len(table.columns) > 5


def test_epochs_are_those_of_the_run_in_order(filled: Session) -> None:
    for run, epoch, loss in ((1, 1, 3.0), (2, 0, 9.0), (1, 0, 4.0)):
        run_sql(
            filled,
            f"INSERT INTO epochs (run_id, epoch, train_loss) VALUES ({run}, {epoch}, {loss})",
        )
    table = epochs(filled, 1)
    assert list(table["epoch"]) == [0, 1]
    assert list(table["train_loss"]) == [4.0, 3.0]


def test_evaluations_are_listed_newest_first(filled: Session) -> None:
    evaluate(filled, 1, roc_auc=0.5)
    evaluate(filled, 2, status="writing")
    table = evaluations(filled)
    assert list(table["id"]) == [2, 1]
    assert list(table["status"]) == ["writing", "complete"]


def test_measures_are_listed_with_the_network_first(filled: Session) -> None:
    evaluate(filled, 1)
    evaluate(filled, 2)
    for row in (
        "1, 'colour', 'all', 'roc_auc', 0.5, NULL, NULL",
        "1, 'network', 'matched', 'cllr', 1.5, 1.25, 1.75",
        "2, 'network', 'all', 'roc_auc', 0.75, 0.5, 1",
        "1, 'network', 'all', 'roc_auc', 0.75, 0.5, 1",
        "1, 'network', 'all', 'cllr', 0.5, 0.25, 0.75",
    ):
        run_sql(filled, f"INSERT INTO measures VALUES ({row})")
    table = measures(filled, 1)
    assert table[["contender", "scope", "metric"]].to_numpy().tolist() == [
        ["network", "all", "cllr"],
        ["network", "all", "roc_auc"],
        ["network", "matched", "cllr"],
        ["colour", "all", "roc_auc"],
    ]
    assert table["value"].tolist() == [0.5, 0.75, 1.5, 0.5]
    assert table["high"].tolist()[:3] == [0.75, 1, 1.75]
    assert math.isnan(table["low"].tolist()[3])
    assert measures(filled, 3).empty


def test_a_sweep_is_listed_recipe_by_recipe_with_what_was_reached(filled: Session) -> None:
    evaluate(filled, 1, roc_auc=0.75)
    for row in ("2, 'plain', 1, 0, NULL, NULL", "2, 'plain', 0, 0, 1, 1", "2, 'best', 0, 0, 1, 1"):
        run_sql(filled, f"INSERT INTO sweeps VALUES ({row})")
    table = sweep_trainings(filled, 2)
    assert table["recipe"].tolist() == ["best", "plain", "plain"]
    assert table["fold"].tolist() == [0, 0, 1]
    assert table["roc_auc"].tolist()[:2] == [0.75, 0.75]
    assert table["training_run_id"].isna().tolist() == [False, False, True]
    assert sweep_trainings(filled, 1).empty


def test_differences_of_a_sweep_are_listed_with_the_greatest_gain_first(filled: Session) -> None:
    for row in (
        "'plain', 'best', 'roc_auc', -0.25, -0.5, 0",
        "'best', 'plain', 'roc_auc', 0.25, 0, 0.5",
        "'best', 'plain', 'map_at_r', 0.125, 0, 0.25",
    ):
        run_sql(filled, f"INSERT INTO sweep_differences VALUES (2, {row})")
    table = sweep_differences(filled, 2)
    assert table["value"].tolist() == [0.125, 0.25, -0.25]
    assert table["metric"].tolist() == ["map_at_r", "roc_auc", "roc_auc"]
    assert sweep_differences(filled, 1).empty


@pytest.fixture
def judged(filled: Session) -> Session:
    """Pairs of a complete evaluation at the model's own threshold 2 and slope 3."""
    evaluate(filled, 1)
    for pair in (
        "1, 0, 1, 2, 1.0, true",
        "1, 1, 1, 3, 2.0, false",
        "1, 2, 2, 3, 5.0, false",
        "1, 3, 1, 2, 4.0, true",
        "1, 4, 3, 4, 1.5, NULL",
        "1, 5, 1, 3, 900.0, false",
    ):
        run_sql(filled, PAIR.format(pair))
    return filled


def test_pairs_come_with_names_probability_and_verdict(judged: Session) -> None:
    table = pairs(judged, 1)
    assert list(table["pair_index"]) == [0, 1, 2, 3, 4, 5]
    assert list(table.loc[2, ["filename_a", "filename_b", "artist_a", "artist_b"]]) == [
        "b.jpg",
        "c.jpg",
        "Vermeer",
        "Hals",
    ]
    assert list(table["artist_b"].isna()) == [False, False, False, False, True, False]
    # 1 / (1 + exp(-3 * (2 - distance))), by hand
    assert list(table["probability"]) == pytest.approx(
        [0.952574127, 0.5, 0.000123395, 0.002472623, 0.817574476, 0.0], abs=1e-9
    )
    ratios = [3 * (2 - distance) for distance in table["distance"]]
    assert list(table["log_likelihood_ratio"]) == pytest.approx(ratios)
    assert list(table["verdict"]) == [
        "same", "cannot tell", "different", "different", "same", "different",
    ]  # fmt: skip
    assert list(table["predicted_same"]) == [True, True, False, False, True, False]
    assert list(table["correct"]) == [True, False, True, False, None, True]
    assert list(table["same_artist"]) == [True, False, False, True, None, False]


def test_the_prior_of_an_evaluation_moves_its_probabilities_alone(judged: Session) -> None:
    even = pairs(judged, 1)
    run_sql(judged, "UPDATE evaluations SET prior = 0.1")
    moved = pairs(judged, 1)
    odds = even["probability"] / (1 - even["probability"]) / 9
    assert list(moved["probability"]) == pytest.approx(list(odds / (1 + odds)))
    assert moved.drop(columns="probability").equals(even.drop(columns="probability"))


def test_the_threshold_of_an_evaluation_goes_before_that_of_its_model(judged: Session) -> None:
    run_sql(judged, "UPDATE evaluations SET threshold = 1.0")
    first = pairs(judged, 1, limit=2)
    assert list(first["threshold"]) == [1.0, 1.0]
    assert list(first["predicted_same"]) == [True, False]
    assert list(first["probability"]) == pytest.approx([0.952574127, 0.5])  # as before


def test_the_hardest_pairs_are_furthest_on_the_wrong_side(judged: Session) -> None:
    # wrong by 2, wrong by 0, unknown at 0.5, right by 1, right by 3, right by 898
    assert list(pairs(judged, 1, order="hardest")["pair_index"]) == [3, 1, 4, 0, 2, 5]
    assert list(pairs(judged, 1, order="hardest", limit=1)["pair_index"]) == [3]


def test_mistakes_of_both_kinds_take_turns_among_the_hardest(judged: Session) -> None:
    run_sql(
        judged,
        "UPDATE pair_predictions SET same_artist = true, distance = 9 WHERE pair_index = 0",
        "UPDATE pair_predictions SET same_artist = false, distance = 0.5 WHERE pair_index = 2",
    )
    # by one artist, wrong by 7 and 2; by two artists, wrong by 1.5 and 0
    assert list(pairs(judged, 1, order="hardest")["pair_index"]) == [0, 2, 3, 1, 4, 5]
    assert list(pairs(judged, 1, order="hardest", limit=2)["pair_index"]) == [0, 2]


def test_where_the_hardest_are_noted_these_are_asked_and_no_others(judged: Session) -> None:
    run_sql(judged, "INSERT INTO hardest_pairs (evaluation_id, pair_index) VALUES (1, 0), (1, 1)")
    assert list(pairs(judged, 1, order="hardest", limit=HARDEST_KEPT)["pair_index"]) == [1, 0]
    more = pairs(judged, 1, order="hardest", limit=HARDEST_KEPT + 1)
    assert list(more["pair_index"]) == [3, 1, 4, 0, 2, 5]


def test_a_pair_is_wrong_by_its_distance_from_the_threshold(judged: Session) -> None:
    wrong_by = pairs(judged, 1)["wrong_by"]
    assert list(wrong_by.fillna(0)) == [-1.0, 0.0, -3.0, 2.0, 0, -898.0]
    assert list(wrong_by.isna()) == [False, False, False, False, True, False]


@pytest.mark.parametrize("status", ["writing", "failed"])
def test_pairs_of_an_evaluation_that_is_not_complete_stay_out(judged: Session, status: str) -> None:
    run_sql(judged, f"UPDATE evaluations SET status = '{status}'")
    assert pairs(judged, 1).empty


def test_the_leaderboard_ranks_models_by_their_latest_complete_test(filled: Session) -> None:
    for number in (2, 3, 4):
        run_sql(filled, MODEL.format(id=number))
    evaluate(filled, 1, model=1, roc_auc=0.9)
    evaluate(filled, 2, model=1, roc_auc=0.6)
    evaluate(filled, 3, model=1, roc_auc=0.99, status="writing")
    evaluate(filled, 4, model=1, roc_auc=0.98, split="validation")
    evaluate(filled, 5, model=2, roc_auc=0.7, day="09")
    evaluate(filled, 6, model=2, roc_auc=0.5, day="08")  # recorded later, but of an earlier day
    evaluate(filled, 7, model=3)
    run_sql(filled, "UPDATE models SET is_champion = true WHERE id = 2")
    table = leaderboard(filled)
    assert list(table["model_id"]) == [2, 1, 3, 4]
    assert list(table["roc_auc"].fillna(-1)) == [0.7, 0.6, -1, -1]
    assert list(table["is_champion"]) == [True, False, False, False]
    assert list(table["evaluation_id"].fillna(-1)) == [5, 2, 7, -1]
    assert set(table["preset"]) == {"demo"}
    assert set(table["trained_on"]) == {"sample"}
    assert list(table["source"].fillna("")) == ["sample"] * 3 + [""]
    assert list(table["rank"].fillna(-1)) == [1, 2, -1, -1]
    assert table["evaluated_at"].dt.day.head(3).to_list() == [9, 2, 7]


def test_the_leaderboard_shows_where_each_figure_comes_from_and_ranks_there_alone(
    filled: Session,
) -> None:
    run_sql(
        filled,
        "INSERT INTO datasets (id, source, content_hash, crops_hash, created_at)"
        f" VALUES (2, 'other', 'b', '', '{DAY}'), (3, 'other', 'b', 'cropped', '{DAY}')",
        *(
            "INSERT INTO artists (id, dataset_id, name, split) VALUES"
            f" ({10 * dataset + number}, {dataset}, 'Artist {number}', '{split}')"
            for dataset in (2, 3)
            for number, split in enumerate(("test", "test", "train"))
        ),
    )
    for number in (2, 3, 4):
        run_sql(filled, MODEL.format(id=number))
    for number, model, roc_auc, dataset in (
        (1, 1, 0.6, 1),
        (2, 2, 0.99, 2),  # of few images, not to be compared with those of the other source
        (3, 3, 0.7, 1),
        (4, 4, 0.8, 3),  # the same paintings as those of 2, cropped otherwise
    ):
        evaluate(filled, number, model=model, roc_auc=roc_auc)
        run_sql(
            filled,
            f"UPDATE evaluations SET dataset_id = {dataset}, n_images = {8 * dataset}"
            f" WHERE id = {number}",
        )
    columns = ["source", "rank", "model_id", "trained_on", "n_images", "n_artists"]
    assert leaderboard(filled)[columns].to_numpy().tolist() == [
        ["other", 1, 2, "sample", 16, 2],
        ["other", 2, 4, "sample", 24, 2],
        ["sample", 1, 3, "sample", 8, 2],
        ["sample", 2, 1, "sample", 8, 2],
    ]


def test_a_run_is_found_by_its_number_or_as_the_last(filled: Session) -> None:
    assert find_run(filled, 2).id == 2
    assert find_run(filled, "2").id == 2
    assert find_run(filled, "last").id == 3
    assert find_run(filled, "last", flow_name="train-flow").id == 2


@pytest.mark.parametrize("wanted", [7, "7", "first", "-1", "9" * 30, ""])
def test_an_unknown_run_is_named_with_those_that_exist(filled: Session, wanted: int | str) -> None:
    with pytest.raises(InputError) as refusal:
        find_run(filled, wanted)
    assert str(refusal.value) == f"there is no run {wanted}; choose from: 3, 2, 1, last"


def test_a_long_list_of_numbers_is_cut_short(filled: Session) -> None:
    for number in range(4, 13):
        run_sql(filled, RUN.format(id=number, flow="train-flow", dataset="1", day=DAY))
    with pytest.raises(
        InputError, match=r"choose from: 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, \.\.\., last"
    ):
        find_run(filled, 99)


def test_an_empty_database_says_that_it_is(session: Session) -> None:
    with pytest.raises(InputError, match="holds no run yet"):
        find_run(session, "last")
    with pytest.raises(InputError, match="holds no model yet"):
        find_model(session)
    with pytest.raises(InputError, match="holds no complete evaluation yet"):
        find_evaluation(session, 1)


def test_the_model_is_the_champion_or_else_the_newest(filled: Session) -> None:
    run_sql(filled, MODEL.format(id=2))
    assert find_model(filled).id == 2
    run_sql(filled, "UPDATE models SET is_champion = true WHERE id = 1")
    assert find_model(filled).id == 1
    assert find_model(filled, 2).id == 2
    assert find_model(filled, "last").id == 2
    with pytest.raises(InputError, match="no model 5; choose from: 2, 1, last"):
        find_model(filled, 5)


def test_only_a_complete_evaluation_is_found(filled: Session) -> None:
    evaluate(filled, 1)
    evaluate(filled, 2, status="writing")
    assert find_evaluation(filled, "last").id == 1
    with pytest.raises(InputError, match="no complete evaluation 2; choose from: 1, last"):
        find_evaluation(filled, 2)


def test_the_evaluation_before_is_of_the_same_model_and_split(filled: Session) -> None:
    run_sql(filled, MODEL.format(id=2))
    evaluate(filled, 1)
    evaluate(filled, 2)
    evaluate(filled, 3, split="validation")
    evaluate(filled, 4, status="failed")
    evaluate(filled, 5, model=2)
    evaluate(filled, 6)
    before = evaluation_before(filled, find_evaluation(filled, 6))
    assert before is not None
    assert before.id == 2
    assert evaluation_before(filled, find_evaluation(filled, 1)) is None
    assert evaluation_before(filled, find_evaluation(filled, 5)) is None


def test_the_last_evaluation_is_complete_and_of_one_dataset_where_it_is_given(
    filled: Session,
) -> None:
    run_sql(filled, "INSERT INTO datasets (id, source, content_hash, created_at)"
                    f" VALUES (2, 'sample', 'bb', '{DAY}')")  # fmt: skip
    for number in (1, 2, 3):
        evaluate(filled, number)
    run_sql(filled, "UPDATE evaluations SET dataset_id = 2 WHERE id = 2")
    run_sql(filled, "UPDATE evaluations SET status = 'writing' WHERE id = 3")
    latest, there = last_evaluation(filled, 1), last_evaluation(filled, 1, dataset_id=1)
    assert latest is not None
    assert there is not None
    assert (latest.id, there.id) == (2, 1)
    assert last_evaluation(filled, 7) is None


def test_a_model_is_measured_against_its_last_evaluation_by_another_run_of_the_source(
    filled: Session,
) -> None:
    for number in (1, 2, 3, 4):
        evaluate(filled, number)
    run_sql(filled, "UPDATE evaluations SET run_id = 2 WHERE id = 2")
    run_sql(filled, "UPDATE evaluations SET run_id = 3 WHERE id IN (3, 4)")
    run_sql(filled, "UPDATE runs SET source = 'another' WHERE id = 2")
    before = evaluation_before_run(filled, 1, 3)
    assert before is not None
    assert before.id == 1, "neither of run 2, on another source, nor of run 3 itself"
    assert evaluation_before_run(filled, 1, 2) is None


def test_a_run_finds_the_evaluation_that_it_has_stored(filled: Session) -> None:
    evaluate(filled, 1)
    evaluate(filled, 2, status="writing")
    found = evaluation_by_run(filled, 1, 1, 1, "test")
    assert found is not None
    assert found.id == 1
    for other in ((2, 1, 1, "test"), (1, 2, 1, "test"), (1, 1, 2, "test"), (1, 1, 1, "train")):
        assert evaluation_by_run(filled, *other) is None


def test_what_is_gone_on_with_is_a_run_that_was_stopped(filled: Session) -> None:
    run_sql(filled, "UPDATE runs SET status = 'complete' WHERE id = 2")
    assert find_stopped_run(filled, "last", "train-flow").id == 1
    with pytest.raises(InputError, match="no stopped run of train-flow 2; choose from: 1, last"):
        find_stopped_run(filled, 2, "train-flow")


def test_the_last_stopped_run_is_not_one_that_failed_at_once(filled: Session) -> None:
    run_sql(filled, "UPDATE runs SET status = 'failed', dataset_id = NULL WHERE id = 2")
    assert find_stopped_run(filled, "last", "train-flow").id == 1
    assert find_stopped_run(filled, 2, "train-flow").id == 2
    run_sql(filled, "UPDATE runs SET dataset_id = 1 WHERE id = 2")
    assert find_stopped_run(filled, "last", "train-flow").id == 2


def test_the_last_training_is_one_that_finished_an_epoch(filled: Session) -> None:
    with pytest.raises(InputError, match="no run of train-flow"):
        find_training(filled, "last")
    assert find_training(filled, 2).id == 2
    run_sql(filled, "INSERT INTO epochs (run_id, epoch) VALUES (1, 1)")
    assert find_training(filled, "last").id == 1


def test_runs_that_have_not_ended_are_found(filled: Session) -> None:
    run_sql(filled, "UPDATE runs SET status = 'complete' WHERE id = 2")
    run_sql(filled, "UPDATE runs SET status = 'running' WHERE id IN (1, 3)")
    assert [run.id for run in running_runs(filled)] == [1, 3]


def test_there_is_a_champion_once_one_is_made(filled: Session) -> None:
    assert champion(filled) is None
    run_sql(filled, "UPDATE models SET is_champion = true WHERE id = 1")
    found = champion(filled)
    assert found is not None
    assert found.id == 1


def test_a_run_is_found_by_the_flow_run_that_began_it(filled: Session) -> None:
    run_sql(filled, "UPDATE runs SET prefect_flow_run_id = 'abc' WHERE id IN (1, 3)")
    found = run_of_flow_run(filled, "abc")
    assert found is not None
    assert found.id == 3
    assert run_of_flow_run(filled, "xyz") is None


def test_counts_are_whole_numbers_where_some_are_missing(filled: Session) -> None:
    for number in (1, 2):
        evaluate(filled, number)
    run_sql(filled, "UPDATE evaluations SET n_pairs = 6 WHERE id = 2")
    assert evaluations(filled)["n_pairs"].to_csv(index=False) == 'n_pairs\n6\n""\n'

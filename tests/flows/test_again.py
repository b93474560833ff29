"""After a training run: evaluate its model again, score pairs, resume it."""

import csv
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image, ImageOps
from prefect.client.orchestration import get_client

from tests.flows.conftest import Samehand, Trained, environment_of, tiny_settings

COMMAND = [sys.executable, "-c", "from flows.cli import main; main()"]


def test_evaluating_the_same_paintings_again_gives_the_same_figures(
    samehand: Samehand, in_copy: Trained, paintings: Path
) -> None:
    result = samehand("evaluate")
    assert result.exit_code == 0, result.output
    with sqlite3.connect(in_copy.database) as database:
        rows = database.execute(
            "SELECT roc_auc, triplet_accuracy, n_pairs, e.dataset_id FROM evaluations e"
            " JOIN runs ON runs.id = run_id WHERE flow_name IN ('train-flow', 'evaluate-flow')"
        ).fetchall()
        flows = database.execute("SELECT DISTINCT flow_name FROM runs").fetchall()
    assert len(set(rows)) == 1
    assert ("evaluate-flow",) in flows
    with get_client(sync_client=True) as client:
        names = {run.name for run in client.read_flow_runs()}
    trained, evaluated = (
        f"train {paintings} (demo), run 1",
        f"evaluate {paintings} (demo, model 1), run 2",
    )
    assert {trained, evaluated} <= names


@pytest.fixture
def grown(paintings: Path, tmp_path: Path) -> Path:
    """The paintings with those of one more artist."""
    folder = tmp_path / "grown"
    shutil.copytree(paintings, folder)
    shutil.copytree(paintings / "Artist 3", folder / "Newcomer")
    for image in (folder / "Newcomer").glob("*.png"):
        ImageOps.invert(Image.open(image)).save(image)
    return folder


def test_changed_paintings_are_evaluated_in_their_new_and_their_old_version(
    samehand: Samehand, in_copy: Trained, grown: Path
) -> None:
    with sqlite3.connect(in_copy.database) as database:
        database.execute("UPDATE runs SET source = ?", (str(grown),))
    result = samehand("evaluate")
    assert result.exit_code == 0, result.output
    with sqlite3.connect(in_copy.database) as database:
        rows = database.execute(
            "SELECT dataset_id, n_images, roc_auc FROM evaluations ORDER BY id"
        ).fetchall()
    (trained, earlier, now) = rows
    assert earlier == trained
    assert (now[0], now[1]) == (2, 16)
    folder = in_copy.home / "runs/0002-evaluate"
    assert (folder / "report.md").is_file()
    assert (folder / "as-they-were/report.md").is_file()
    assert list(folder.rglob("*.pt")) == []  # no night leaves a network of its own


def test_an_evaluation_on_another_source_is_not_compared_with_the_last_one(
    samehand: Samehand, in_copy: Trained, grown: Path
) -> None:
    with sqlite3.connect(in_copy.database) as database:
        database.execute("UPDATE evaluations SET roc_auc = 1")
    evaluate = ["evaluate", "--source", str(grown), "--tolerance", "0", "--on-regression", "fail"]
    result = samehand(*evaluate)
    assert result.exit_code == 0, result.output
    with sqlite3.connect(in_copy.database) as database:
        figures = database.execute("SELECT roc_auc FROM evaluations ORDER BY id").fetchall()
    assert len(figures) == 2
    assert figures[1] < figures[0], "compared with the first, the second would be a regression"
    assert not (in_copy.home / "runs/0002-evaluate/as-they-were").exists()


def test_artists_are_known_by_their_images_too_whatever_these_are_called(
    samehand: Samehand, in_copy: Trained, paintings: Path, tmp_path: Path
) -> None:
    learnt = _ask(in_copy.database, "SELECT name FROM artists WHERE split = 'train'")[0][0]
    other = shutil.copytree(paintings, tmp_path / "other")
    (other / str(learnt)).rename(other / "Master of Delft")
    result = samehand("evaluate", "--source", str(other))
    assert result.exit_code == 0, result.output
    query = (
        "SELECT name, artists.split FROM artists JOIN evaluations USING (dataset_id)"
        " WHERE evaluations.id = 2 AND name IN ('Master of Delft', ?)"
    )
    with sqlite3.connect(in_copy.database) as database:
        known = database.execute(query, (learnt,)).fetchall()
    assert known == [("Master of Delft", "train")]


@pytest.mark.parametrize(("tolerance", "status"), [("0.5", 0), ("0.001", 1)])
def test_a_fall_beyond_the_tolerance_fails_the_run_and_emits_an_event(
    samehand: Samehand, in_copy: Trained, tolerance: str, status: int
) -> None:
    with sqlite3.connect(in_copy.database) as database:
        database.execute("UPDATE evaluations SET roc_auc = min(1, roc_auc + 0.01)")
    result = samehand("evaluate", "--tolerance", tolerance, "--on-regression", "fail")
    assert result.exit_code == status, result.output
    with sqlite3.connect(in_copy.database) as database:
        rows = database.execute(
            "SELECT runs.status, evaluations.status FROM runs"
            " JOIN evaluations ON run_id = runs.id WHERE flow_name = 'evaluate-flow'"
        ).fetchall()
    assert rows == [("failed" if status else "complete", "complete")]
    if status:
        assert "got worse" in result.output
        assert events_named("samehand.evaluation.regressed")


NEW_CHAMPION = """
INSERT INTO models (run_id, epoch, path, sha256, settings, threshold, calibration_slope,
calibration_midpoint, accept_within, reject_beyond, validation_roc_auc, validation_accuracy,
is_champion)
SELECT run_id, 99, path, sha256, settings, threshold, calibration_slope, calibration_midpoint,
accept_within, reject_beyond, validation_roc_auc,
validation_accuracy, false FROM models;
CREATE TRIGGER crown AFTER UPDATE OF status ON evaluations WHEN NEW.status = 'complete' BEGIN
UPDATE models SET is_champion = false; UPDATE models SET is_champion = true WHERE id = 2; END
"""


def test_a_retried_flow_keeps_its_model_when_the_champion_changes(
    prefect_server: None, in_copy: Trained
) -> None:
    from flows.evaluate import evaluate_flow
    from tasks.regression import RegressionError

    with sqlite3.connect(in_copy.database) as database:
        database.execute("UPDATE evaluations SET roc_auc = min(1, roc_auc + 0.01)")
        database.executescript(NEW_CHAMPION)
    with pytest.raises(RegressionError):  # the second time too: not against the first time
        evaluate_flow.with_options(retries=1)(tolerance=0.001, on_regression="fail")
    with sqlite3.connect(in_copy.database) as database:
        judged = database.execute(
            "SELECT evaluations.model_id, runs.model_id FROM evaluations"
            " JOIN runs ON runs.id = run_id WHERE flow_name = 'evaluate-flow'"
        ).fetchall()
        (champion,) = database.execute("SELECT id FROM models WHERE is_champion").fetchone()
    assert champion == 2
    assert judged == [(1, 1)], "one evaluation, used again"


def events_named(name: str) -> list[object]:
    """Events of that name at the server; they take a moment to get there."""
    body = {"filter": {"event": {"name": [name]}}}
    with get_client(sync_client=True) as client:
        for _ in range(100):
            found = client._client.post("/events/filter", json=body).json()["events"]
            if found:
                return list(found)
            time.sleep(0.2)
    return []


def test_a_missing_checkpoint_is_reported_before_anything_starts(
    samehand: Samehand, in_copy: Trained
) -> None:
    with sqlite3.connect(in_copy.database) as database:
        ((path,),) = database.execute("SELECT path FROM models WHERE is_champion").fetchall()
    (in_copy.home / path).unlink()
    result = samehand("evaluate")
    assert result.exit_code == 2
    assert "the checkpoint of model 1 is gone" in " ".join(result.stderr.split())
    assert sorted(folder.name for folder in (in_copy.home / "runs").iterdir()) == ["0001-train"]


def test_scores_of_a_file_of_pairs_are_in_the_database_and_the_submission(
    samehand: Samehand, in_copy: Trained, paintings: Path, tmp_path: Path
) -> None:
    pairs = tmp_path / "pairs.csv"
    with sqlite3.connect(in_copy.database) as database:
        known = database.execute(
            "SELECT filename_a, filename_b, distance, probability FROM pair_results"
            " WHERE evaluation_id = 1 LIMIT 20"
        ).fetchall()
    lines = [f"{100 + n},{first},{second}" for n, (first, second, *_) in enumerate(known)]
    pairs.write_text("\n".join(["index,image1,image2", *lines]) + "\n")
    submission = tmp_path / "submission.csv"
    result = samehand("score", str(pairs), "--images", str(paintings), "--output", str(submission))
    assert result.exit_code == 0, result.output
    answers = list(csv.DictReader(submission.read_text().splitlines()))
    assert [int(row["index"]) for row in answers] == list(range(100, 120))
    assert [float(row["sameArtist"]) for row in answers] == pytest.approx(
        [probability for *_, probability in known], abs=1e-3
    )
    with sqlite3.connect(in_copy.database) as database:
        stored = database.execute(
            "SELECT pair_index, distance, same_artist FROM pair_results WHERE evaluation_id ="
            " (SELECT max(id) FROM evaluations) ORDER BY pair_index"
        ).fetchall()
    assert [row[0] for row in stored] == list(range(100, 120))
    assert [row[1] for row in stored] == pytest.approx([row[2] for row in known], rel=1e-4)
    assert {row[2] for row in stored} == {None}


def test_a_pair_with_a_missing_image_leaves_no_submission(
    samehand: Samehand, in_copy: Trained, paintings: Path, tmp_path: Path
) -> None:
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("index,image1,image2\n0,Artist 0/0.png,missing.png\n")
    result = samehand("score", str(pairs), "--images", str(paintings))
    assert result.exit_code == 2
    assert "missing.png" in result.stderr
    with sqlite3.connect(in_copy.database) as database:
        ((status,),) = database.execute(
            "SELECT status FROM runs ORDER BY id DESC LIMIT 1"
        ).fetchall()
    assert status == "failed"


def test_a_run_killed_twice_and_resumed_ends_with_the_same_figures(
    samehand: Samehand,
    trained: Trained,
    paintings: Path,
    tmp_path: Path,
    prefect_api: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    training, resume = ["train", str(paintings), *tiny_settings()], ["train", "--resume", "last"]
    broken = tmp_path / "broken"
    environment = environment_of(broken, prefect_api)
    told = start(training, environment)
    wait_for_epoch(broken / "results.db", 1, told)
    told.terminate()
    assert "samehand: terminated; continue with `samehand train --resume last`" in ended(told)
    killed = start(resume, environment)
    wait_for_epoch(broken / "results.db", 2, killed)
    os.killpg(killed.pid, signal.SIGKILL)
    ended(killed)
    assert evaluation_of(broken / "results.db") == []
    monkeypatch.setenv("SAMEHAND_HOME", str(broken))
    assert samehand(*resume).exit_code == 0
    assert epochs_of(broken / "results.db") == epochs_of(trained.database)
    assert evaluation_of(broken / "results.db") == evaluation_of(trained.database)


def start(arguments: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
    """Start the command in a process group of its own."""
    return subprocess.Popen(
        [*COMMAND, *arguments],
        env=environment,
        start_new_session=True,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> str:
    """What a process wrote to standard error until its end, in one line."""
    return " ".join(process.communicate(timeout=120)[1].split())


def wait_for_epoch(database: Path, epoch: int, process: subprocess.Popen[str]) -> None:
    for _ in range(3000):
        if len(epochs_of(database)) >= epoch:
            return
        assert process.poll() is None, "the run ended before it could be killed"
        time.sleep(0.05)
    raise TimeoutError("no epoch was finished")


def epochs_of(database: Path) -> list[tuple[object, ...]]:
    """Every figure of every epoch but its speed."""
    return _ask(
        database,
        "SELECT epoch, train_loss, train_accuracy, validation_loss, validation_accuracy,"
        " test_loss, test_accuracy FROM epochs ORDER BY epoch",
    )


def evaluation_of(database: Path) -> list[tuple[object, ...]]:
    """Every figure and every distance of the evaluation."""
    return [
        *_ask(database, "SELECT triplet_accuracy, triplet_loss, roc_auc, eer FROM evaluations"),
        *_ask(database, "SELECT pair_index, distance FROM pair_predictions ORDER BY 1"),
    ]


def _ask(database: Path, question: str) -> list[tuple[object, ...]]:
    if not database.exists():
        return []
    with sqlite3.connect(database) as connection:
        try:
            return connection.execute(question).fetchall()
        except sqlite3.OperationalError:  # the tables are not there yet
            return []


def test_few_unusable_rows_are_listed_and_many_stop_the_scoring(
    samehand: Samehand, in_copy: Trained, paintings: Path, tmp_path: Path
) -> None:
    pairs = tmp_path / "pairs.csv"
    good = [f"{n},Artist 0/0.png,Artist {n}/1.png" for n in range(8)]
    pairs.write_text("\n".join(["index,image1,image2", *good, "8,Artist 0/0.png,torn.png", "9,x"]))
    score = ["score", str(pairs), "--images", str(paintings), "--output", str(tmp_path / "out.csv")]
    refused = samehand(*score, "--rejected-share", "0.1")
    assert refused.exit_code == 2
    assert "2 of 10 rows cannot be scored" in refused.stderr
    assert not (tmp_path / "out.csv").exists()
    result = samehand(*score, "--rejected-share", "0.2")
    assert result.exit_code == 0, result.output
    assert "2 rows not scored" in result.stdout
    answers = list(csv.DictReader((tmp_path / "out.csv").read_text().splitlines()))
    assert [int(row["index"]) for row in answers] == list(range(8))
    folder = sorted((in_copy.home / "runs").glob("*-score"))[-1]
    rejected = list(csv.DictReader((folder / "rejected_pairs.csv").read_text().splitlines()))
    assert sorted(int(row["row"]) for row in rejected) == [10, 11]
    with sqlite3.connect(in_copy.database) as database:
        statuses = database.execute(
            "SELECT status, n_pairs FROM evaluations WHERE split IS NULL ORDER BY id"
        ).fetchall()
    assert statuses == [("failed", None), ("complete", 8)]


@pytest.mark.parametrize("upto", [6, -1])
def test_a_stopped_scoring_continues_after_its_stored_pairs(
    samehand: Samehand, in_copy: Trained, paintings: Path, tmp_path: Path, upto: int
) -> None:
    pairs = tmp_path / "pairs.csv"
    rows = [f"{n},Artist 0/0.png,Artist {n}/1.png" for n in range(12)]
    pairs.write_text("\n".join(["index,image1,image2", *rows]))
    score = ["score", str(pairs), "--images", str(paintings), "--output", str(tmp_path / "out.csv")]
    with sqlite3.connect(in_copy.database) as database:
        named = {part for row in rows for part in row.split(",")[1:]}
        found = database.execute("SELECT filename FROM images WHERE split = 'train'").fetchall()
        trained_on = {name for (name,) in found if name in named}
    assert samehand(*score, "--prior", "0.1").exit_code == 0
    whole = (tmp_path / "out.csv").read_bytes()
    with sqlite3.connect(in_copy.database) as database:  # as a kill in the middle leaves it
        ((evaluation, distances),) = database.execute(
            "SELECT evaluation_id, sum(distance) FROM pair_predictions WHERE evaluation_id ="
            " (SELECT max(id) FROM evaluations) GROUP BY evaluation_id"
        ).fetchall()
        database.execute(
            "DELETE FROM pair_predictions WHERE evaluation_id = ? AND pair_index > ?",
            (evaluation, upto),
        )
        database.execute("DELETE FROM pair_images WHERE evaluation_id = ?", (evaluation,))
        if upto < 0:  # nor was the evaluation begun
            database.execute("DELETE FROM evaluations WHERE id = ?", (evaluation,))
        database.executescript(NEW_CHAMPION)
        database.execute("UPDATE evaluations SET status = 'complete'")  # crowns the other model
        database.execute("UPDATE evaluations SET status = 'writing' WHERE id = ?", (evaluation,))
        database.execute("UPDATE runs SET status = 'crashed' WHERE id = (SELECT max(id) FROM runs)")
    (tmp_path / "out.csv").unlink()
    result = samehand(*score, "--resume", "last")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "out.csv").read_bytes() == whole
    with sqlite3.connect(in_copy.database) as database:
        stored = database.execute(
            "SELECT count(*), sum(distance), max(e.status), max(r.status), max(e.model_id)"
            " FROM pair_predictions"
            " JOIN evaluations e ON e.id = evaluation_id JOIN runs r ON r.id = e.run_id"
            " WHERE evaluation_id = ?",
            (evaluation,),
        ).fetchall()
    (doubtful,) = in_copy.home.rglob("cautions.csv")  # of the whole and of the resumed
    listed = csv.DictReader(doubtful.read_text().splitlines())
    assert {row["image"] for row in listed if row["code"] == "trained_on"} == trained_on
    assert stored == [(12, pytest.approx(distances), "complete", "complete", 1)]
    refused = samehand(*score, "--resume", "last", "--prior", "0.2")
    assert refused.exit_code == 2
    assert "a resumed run has its own" in refused.stderr

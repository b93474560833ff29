"""sweep-flow: recipes on the same folds, compared by pairs of figures, and gone on with."""

import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

from tests.flows.conftest import Samehand, Trained
from tests.flows.test_frozen import FROZEN

SETTINGS = ",".join(option.removeprefix("--set=") for option in FROZEN if "--set" in option)
SHARED = (
    SETTINGS.replace("epochs=3", "epochs=2")
    .replace("warped_copies=2", "warped_copies=0")
    # The smallest backbone: each of the four trainings exports its network, which takes longest.
    .replace("tf_efficientnet_lite0", "test_efficientnet.r160_in1k")
    .replace("weights=pretrained", "weights=none")
)
CONTRASTIVE = f"demo:{SHARED}"
TRIPLET = CONTRASTIVE.replace("sampler=artists", "sampler=triplets").replace(
    "loss=contrastive", "loss=triplet"
)
RECIPES = [f"--recipe={CONTRASTIVE}", f"--recipe={TRIPLET}"]


@pytest.fixture(scope="module")
def swept(
    prefect_server: None, paintings: Path, tmp_path_factory: pytest.TempPathFactory
) -> Trained:
    """A workspace with a sweep of two recipes over two folds; tests only read what it left."""
    from flows.cli import app

    workplace = tmp_path_factory.mktemp("swept")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SAMEHAND_HOME", str(workplace))
        patch.delenv("SAMEHAND_DATABASE_URL", raising=False)
        result = CliRunner().invoke(app, ["sweep", str(paintings), *RECIPES, "--folds", "2"])
    assert result.exit_code == 0, result.output
    return Trained(workplace, result.output)


def ask(trained: Trained, question: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(trained.database) as database:
        return database.execute(question).fetchall()


def test_every_recipe_is_trained_on_every_fold(swept: Trained) -> None:
    rows = ask(swept, "SELECT recipe, fold, sweeps.seed, runs.status FROM sweeps"
               " JOIN runs ON runs.id = training_run_id ORDER BY recipe, fold")  # fmt: skip
    assert rows == [
        (recipe, fold, 0, "complete") for recipe in (CONTRASTIVE, TRIPLET) for fold in (1, 2)
    ]
    assert ask(swept, "SELECT status FROM runs WHERE flow_name = 'sweep-flow'") == [("complete",)]


def test_the_folds_part_the_artists_and_are_the_same_for_every_recipe(swept: Trained) -> None:
    rows = ask(swept, "SELECT recipe, fold, artists.name FROM sweeps"
               " JOIN runs ON runs.id = training_run_id JOIN artists USING (dataset_id)"
               " WHERE artists.split = 'test'")  # fmt: skip
    tested = {
        (recipe, fold): {name for one, other, name in rows if (one, other) == (recipe, fold)}
        for recipe in (CONTRASTIVE, TRIPLET)
        for fold in (1, 2)
    }
    for fold in (1, 2):
        assert tested[CONTRASTIVE, fold] == tested[TRIPLET, fold]
    first, second = tested[CONTRASTIVE, 1], tested[CONTRASTIVE, 2]
    assert not first & second
    assert len(first | second) == 12


def test_features_are_shared_by_all(swept: Trained) -> None:
    assert len(list(swept.home.glob("features/*"))) == 2
    assert len(list(swept.home.glob("backbones/*"))) == 1


def test_the_stored_difference_is_that_of_the_stored_pairs(swept: Trained) -> None:
    gains = []
    for fold in (1, 2):
        figures = []
        for recipe in (CONTRASTIVE, TRIPLET):
            rows = ask(
                swept,
                "SELECT same_artist, distance FROM sweeps JOIN pair_predictions"
                f" USING (evaluation_id) WHERE recipe = '{recipe}' AND fold = {fold}",
            )
            truth, distance = np.array(rows, dtype=float).T
            figures.append(roc_auc_score(truth, -distance))
        gains.append(figures[0] - figures[1])
    ((value, low, high),) = ask(
        swept,
        "SELECT value, low, high FROM sweep_differences WHERE metric = 'roc_auc'"
        f" AND recipe = '{CONTRASTIVE}' AND rival = '{TRIPLET}'",
    )
    assert float(str(value)) == pytest.approx(np.mean(gains), abs=1e-6)
    assert float(str(low)) <= float(str(value)) <= float(str(high))


def test_differences_and_measures_are_printed(
    samehand: Samehand, swept: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAMEHAND_HOME", str(swept.home))
    differences = samehand("results", "sweep", "last", "--format", "csv").stdout.splitlines()
    ((count,),) = ask(swept, "SELECT count(*) FROM sweep_differences")
    assert differences[0].startswith("run_id,recipe,rival,metric,value,low,high")
    assert len(differences) == 1 + int(str(count))
    measures = samehand("results", "measures", "last", "--format", "csv").stdout
    assert "network,all,cllr" in measures


def test_no_recipe_of_a_sweep_becomes_the_champion(swept: Trained) -> None:
    assert ask(swept, "SELECT count(*) FROM models WHERE is_champion") == [(0,)]


def test_the_report_has_a_table_and_a_picture(swept: Trained) -> None:
    folder = swept.home / "runs/0001-sweep"
    report = (folder / "report.md").read_text()
    assert "## Differences" in report
    assert report.count("triplet accuracy") >= 2
    with Image.open(folder / "differences.png") as picture:
        assert min(picture.size) > 100
    assert "report.md" in swept.output


def test_a_sweep_that_was_stopped_goes_on_with_what_is_missing(
    samehand: Samehand, swept: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(swept.home, tmp_path / "copy")
    monkeypatch.setenv("SAMEHAND_HOME", str(tmp_path / "copy"))
    copy = Trained(tmp_path / "copy", "")
    differences = "SELECT * FROM sweep_differences ORDER BY metric"
    before, count = ask(copy, differences), ask(copy, "SELECT count(*) FROM runs")
    ((last,),) = ask(copy, "SELECT max(training_run_id) FROM sweeps")
    with sqlite3.connect(copy.database) as database:  # killed in the second epoch of its last
        database.executescript(
            f"""PRAGMA foreign_keys = ON;
            UPDATE runs SET status = 'crashed' WHERE id = {last} OR flow_name = 'sweep-flow';
            UPDATE sweeps SET training_run_id = NULL WHERE training_run_id = {last};
            DELETE FROM evaluations WHERE run_id = {last}; DELETE FROM models WHERE run_id = {last};
            DELETE FROM epochs WHERE run_id = {last}; DELETE FROM sweep_differences"""
        )
    result = samehand("sweep", "--resume", "last")
    assert result.exit_code == 0, result.output
    assert ask(copy, differences) == before
    assert ask(copy, "SELECT count(*) FROM runs") == count


@pytest.mark.parametrize(
    ("recipes", "told"),
    [
        (["best"], "two different ones"),
        (["best", "best"], "two different ones"),
        (["best", "quick"], "there is no 'quick'"),
        (["best", "best:margn=1"], "margn: there is no such setting"),
        (["best", "best:epochs"], "write it as key=value"),
    ],
)
def test_a_recipe_that_is_none_is_told_at_once(
    samehand: Samehand, home: Path, recipes: list[str], told: str
) -> None:
    result = samehand("sweep", "sample", *(f"--recipe={recipe}" for recipe in recipes))
    assert result.exit_code == 2
    assert told in result.output
    assert not home.exists()

"""train-flow from a folder of paintings to verdicts in a real database file."""

import json
import re
import sqlite3
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import roc_auc_score
from timm import create_model

from tests.flows.conftest import Samehand, Trained, tiny_settings


def ask(trained: Trained, question: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(trained.database) as database:
        return database.execute(question).fetchall()


def test_the_run_is_complete_with_what_it_was_made_with(trained: Trained, paintings: Path) -> None:
    (row,) = ask(
        trained,
        "SELECT flow_name, status, source, preset, seed, settings, dataset_id, error FROM runs",
    )
    assert row[:5] == ("train-flow", "complete", str(paintings), "demo", 0)
    assert json.loads(str(row[5]))["crop_size"] == 32
    assert row[6:] == (1, None)


def test_every_epoch_has_its_row_and_its_checkpoint(trained: Trained) -> None:
    rows = ask(
        trained,
        "SELECT epoch FROM epochs WHERE train_loss > 0"
        " AND validation_accuracy BETWEEN 0 AND 1 AND test_accuracy BETWEEN 0 AND 1"
        " AND images_per_second > 0 ORDER BY 1",
    )
    assert len(rows) == 2
    folder = trained.home / "runs/0001-train/checkpoints"
    assert sorted(path.name for path in folder.glob("*.pt")) == ["epoch-001.pt", "epoch-002.pt"]
    ((epoch,),) = ask(trained, "SELECT epoch FROM models")
    assert [path.name for path in folder.glob("*.onnx")] == [f"epoch-{epoch:03d}.onnx"]


def test_no_artist_is_in_two_splits(trained: Trained) -> None:
    counts = ask(trained, "SELECT split, count(*) FROM artists GROUP BY split ORDER BY split")
    assert counts == [("test", 3), ("train", 6), ("validation", 3)]
    assert ask(trained, "SELECT count(*) FROM images JOIN artists ON artists.id = artist_id"
               " WHERE images.split <> artists.split") == [(0,)]  # fmt: skip


def test_every_pair_of_the_test_split_is_stored_once_with_the_truth(trained: Trained) -> None:
    (count,) = ask(trained, "SELECT count(*) FROM pair_predictions")
    assert count == (12 * 11 // 2,)
    assert ask(
        trained, "SELECT count(*) FROM pair_results WHERE same_artist <> (artist_a = artist_b)"
    ) == [(0,)]
    (same,) = ask(trained, "SELECT count(*) FROM pair_predictions WHERE same_artist")
    assert same == (3 * 6,)


def test_the_stored_metrics_follow_from_the_stored_pairs(trained: Trained) -> None:
    rows = np.array(
        ask(trained, "SELECT same_artist, distance, predicted_same FROM pair_results"), dtype=float
    )
    truth, distance, predicted = rows.T
    ((auc, balanced, threshold),) = ask(
        trained, "SELECT roc_auc, balanced_accuracy, threshold FROM evaluations"
    )
    assert np.isclose(roc_auc_score(truth, -distance), float(str(auc)))
    assert (predicted == (distance <= float(str(threshold)))).all()
    by_hand = (predicted[truth == 1].mean() + (1 - predicted[truth == 0]).mean()) / 2
    assert np.isclose(by_hand, float(str(balanced)))


def test_verdicts_are_counted_and_the_hardest_pairs_noted(trained: Trained) -> None:
    counted = ask(
        trained,
        "SELECT sum(same_artist AND predicted_same), sum(same_artist AND NOT predicted_same),"
        " sum(NOT same_artist AND NOT predicted_same), sum(NOT same_artist AND predicted_same)"
        " FROM pair_results",
    )
    columns = "true_accepts, false_rejects, true_rejects, false_accepts"
    assert ask(trained, f"SELECT {columns} FROM evaluations") == counted
    assert sum(int(str(count)) for count in counted[0]) == 66
    # There are fewer than are noted at the most, so all are.
    noted = ask(trained, "SELECT pair_index FROM hardest_pairs ORDER BY 1")
    assert noted == [(index,) for index in range(66)]


def test_probabilities_and_verdicts_are_those_of_the_models_calibration(trained: Trained) -> None:
    assert ask(
        trained,
        "SELECT count(*) FROM pair_results, models WHERE (log_likelihood_ratio >= 0) <>"
        " (probability >= 0.5) OR (distance <= accept_within) <> (verdict = 'same')"
        " OR (distance > reject_beyond) <> (verdict = 'different')"
        " OR abs(log_likelihood_ratio - calibration_slope * (calibration_midpoint - distance))"
        " > 1e-9",
    ) == [(0,)]


def test_baselines_stand_beside_the_evaluation(trained: Trained) -> None:
    names = ask(trained, "SELECT name FROM baselines WHERE triplet_accuracy > 0 ORDER BY name")
    assert names == [("features without a head",), ("mean colour",), ("untrained network",)]


def test_training_triplets_are_drawn_anew_for_every_epoch(trained: Trained) -> None:
    folder = trained.home / "runs/0001-train/triplets"
    epochs = [np.load(path)["anchor_idx"] for path in sorted(folder.glob("train-*.npz"))]
    assert len(epochs) == 2
    assert all((one != other).any() for one, other in pairwise(epochs))


def test_the_report_stands_beside_its_pictures(trained: Trained) -> None:
    folder = trained.home / "runs/0001-train"
    report = (folder / "report.md").read_text()
    pictures = sorted(path.name for path in folder.glob("*.png"))
    drawn = ("accuracy", "distances", "loss", "mistakes", "reliability", "roc")
    assert pictures == [f"{name}.png" for name in drawn]
    for picture in pictures:
        assert f"({picture})" in report
        with Image.open(folder / picture) as image:
            assert min(image.size) > 100


def test_the_command_prints_figures_and_where_everything_is(trained: Trained) -> None:
    assert "mean colour" in trained.output
    assert str(trained.home / "runs/0001-train/report.md") in trained.output.replace("\n", "")
    assert "results.db" in trained.output


def test_a_network_that_collapses_is_named_as_such_and_does_not_become_champion(
    samehand: Samehand,
    home: Path,
    paintings: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Its backbone has no weights but zeros, so that it sees no difference between images."""
    zeros = {
        name: torch.zeros_like(one)
        for name, one in create_model("test_resnet").state_dict().items()
    }
    torch.save(zeros, tmp_path / "zeros.pt")
    blind = tiny_settings(weights=str(tmp_path / "zeros.pt"), train_backbone="false", epochs="1")
    result = samehand("train", str(paintings), *blind)
    assert result.exit_code == 0, result.output
    assert "The network has collapsed" in caplog.text
    with sqlite3.connect(home / "results.db") as database:
        champions = database.execute("SELECT is_champion FROM models").fetchall()
    assert champions == [(0,)]


def collection(folder: Path, splits: dict[str, str], number: int) -> Path:
    """A catalog of so many noisy images by each artist, the same for the same name."""
    folder.mkdir()
    catalog = ["image_name,artist_name,split"]
    for artist, split in splits.items():
        generator = np.random.default_rng(list(artist.encode()))
        for each in range(number):
            pixels = generator.integers(0, 256, (48, 48, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{artist}-{each}.png")
            catalog.append(f"{artist}-{each}.png,{artist},{split}")
    (folder / "catalog.csv").write_text("\n".join(catalog))
    return folder / "catalog.csv"


def test_a_challenger_meets_the_champion_on_both_models_validation_images(
    samehand: Samehand, home: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It crops otherwise, is trained on one of the champion's artists, and has one of its own."""
    others = {"A": "train", "B": "train", "C": "test", "D": "test"}
    validated = dict.fromkeys("EFGHIJKLM", "validation")
    first = collection(tmp_path / "first", others | validated, 13)
    second = collection(
        tmp_path / "second", others | validated | {"M": "train", "N": "validation"}, 13
    )
    tiny = {"purpose": "noise", "epochs": "1"}
    assert samehand("train", str(first), *tiny_settings(**tiny)).exit_code == 0
    result = samehand("train", str(second), *tiny_settings(crop_size="48", **tiny))
    assert result.exit_code == 0, result.output
    told = "validation images of the {} by {} artists that are new to the other"
    for images, role, artists in ((104, "champion", 8), (117, "challenger", 9)):
        line = f"On {images} {told.format(role, artists)}: ROC AUC, challenger minus champion [+-]"
        assert re.search(line, caplog.text), caplog.text
    with sqlite3.connect(home / "results.db") as database:
        models = database.execute("SELECT is_champion, refusal FROM models ORDER BY id").fetchall()
        history = database.execute("SELECT reason FROM promotions ORDER BY id").fetchall()
    # Noise tells no artists apart: the second must be better by chance, if it is at all.
    (is_first, none), (is_second, refusal) = models
    assert (is_first, none, is_second, len(history)) == (1, None, 0, 1)
    assert "104 validation images of the champion" in refusal or "its baseline" in refusal
    assert refusal in (home / "runs/0002-train/report.md").read_text()


def test_a_champion_whose_checkpoint_is_gone_is_not_replaced_unseen(
    samehand: Samehand, in_copy: Trained, paintings: Path
) -> None:
    with sqlite3.connect(in_copy.database) as database:
        ((path,),) = database.execute("SELECT path FROM models").fetchall()
    (in_copy.home / path).unlink()
    result = samehand("train", str(paintings), *tiny_settings(seed="1", epochs="1"))
    assert result.exit_code == 0, result.output
    with sqlite3.connect(in_copy.database) as database:
        champions = database.execute("SELECT is_champion, refusal FROM models ORDER BY id")
        assert [row[0] for row in champions] == [1, 0]
        ((refusal,),) = database.execute("SELECT refusal FROM models WHERE id = 2").fetchall()
    assert refusal.startswith("the checkpoint of model 1 is gone")

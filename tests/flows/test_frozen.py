"""Training a head on a frozen backbone's features: seen once, gone on with to the digit."""

import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.flows.conftest import Samehand, Trained, tiny_settings

HEAD = {
    "resize_short_side": "32",
    "backbone": "tf_efficientnet_lite0",
    "train_backbone": "false",
    "features": "statistics",
    "normalised": "true",
    "mirrored": "true",
    "hidden_size": "32",
    "embedding_size": "16",
    "sampler": "artists",
    "artists_per_batch": "4",
    "images_per_batch_artist": "3",
    "loss": "contrastive",
    "optimizer": "adamw",
    "schedule": "one-cycle",
    "learning_rate": "0.001",
    "warped_copies": "2",
    "epochs": "3",
    "choose_epoch_by": "roc_auc",
    "weights": "pretrained",
}
FROZEN = tiny_settings(**HEAD)
FIGURES = """
SELECT epoch, train_loss, train_accuracy, validation_loss, validation_accuracy, validation_roc_auc,
test_accuracy FROM epochs WHERE run_id = {} ORDER BY epoch
"""


@pytest.fixture(scope="module")
def frozen(
    prefect_server: None, paintings: Path, tmp_path_factory: pytest.TempPathFactory
) -> Trained:
    """A workspace in which a head was trained; tests only read what it left."""
    from flows.cli import app

    workplace = tmp_path_factory.mktemp("frozen")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SAMEHAND_HOME", str(workplace))
        patch.delenv("SAMEHAND_DATABASE_URL", raising=False)
        result = CliRunner().invoke(app, ["train", str(paintings), *FROZEN])
    assert result.exit_code == 0, result.output
    return Trained(workplace, result.output)


@pytest.fixture
def in_copy(frozen: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trained:
    """A copy of that workspace, to be changed; named by the environment."""
    shutil.copytree(frozen.home, tmp_path / "copy")
    monkeypatch.setenv("SAMEHAND_HOME", str(tmp_path / "copy"))
    monkeypatch.delenv("SAMEHAND_DATABASE_URL", raising=False)
    return Trained(tmp_path / "copy", frozen.output)


def ask(trained: Trained, question: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(trained.database) as database:
        return database.execute(question).fetchall()


def stored(trained: Trained) -> list[Path]:
    return sorted(trained.home.glob("features/*/features.npy"))


def test_every_crop_is_seen_once_and_every_training_crop_once_more_for_each_copy(
    frozen: Trained,
) -> None:
    shapes = sorted(np.load(path, mmap_mode="r").shape for path in stored(frozen))
    assert shapes == [(24, 1024), (24, 1024), (48, 1024), (48, 1024)]
    assert not list(frozen.home.glob("features/*/shards"))


def test_warped_copies_differ_from_the_plain_features_and_from_each_other(frozen: Trained) -> None:
    copies = [np.load(path) for path in stored(frozen) if len(np.load(path)) == 24]
    assert np.abs(copies[0] - copies[1]).max() > 0.01


def test_checkpoints_hold_the_head_and_the_backbone_lies_once_beside_them(frozen: Trained) -> None:
    folder = frozen.home / "runs/0001-train/checkpoints"
    sizes = {path.name: path.stat().st_size for path in folder.glob("*.pt")}
    assert sorted(sizes) == ["backbone.pt", "epoch-001.pt", "epoch-002.pt", "epoch-003.pt"]
    assert all(sizes[name] < 1_000_000 < sizes["backbone.pt"] for name in sizes if "epoch" in name)


def test_the_epoch_is_chosen_by_validation_roc_auc(frozen: Trained) -> None:
    best = max(ask(frozen, "SELECT validation_roc_auc, -epoch FROM epochs"))
    assert ask(frozen, "SELECT epochs.validation_roc_auc, -epoch FROM models JOIN epochs"
               " USING (run_id, epoch)") == [best]  # fmt: skip


def test_features_without_a_head_are_a_baseline(frozen: Trained) -> None:
    names = ask(frozen, "SELECT name FROM baselines ORDER BY name")
    assert names == [("features without a head",), ("mean colour",), ("untrained network",)]


def test_what_a_verifier_is_judged_by_is_stored_with_intervals(frozen: Trained) -> None:
    rows = ask(frozen, "SELECT metric, low <= value AND value <= high FROM measures"
               " WHERE contender = 'network' AND scope = 'all' AND low IS NOT NULL"
               " ORDER BY metric")  # fmt: skip
    expected = {"cllr", "map_at_r", "roc_auc", "tar_at_1_percent_far", "tar_at_5_percent_far"}
    expected |= {"triplet_accuracy", "false_acceptance", "false_rejection", "same_share"}
    expected |= {"undecided_same", "undecided_different", "cllr_min", "cllr_calibration"}
    found = {name: is_within for name, is_within in rows if name != "precision"}
    assert found == dict.fromkeys(expected, 1)  # precision needs a verdict same


def test_a_training_that_goes_on_ends_with_the_same_figures(
    samehand: Samehand, in_copy: Trained
) -> None:
    """What is left of a run stopped in its second epoch: state, triplets, and half of a copy."""
    whole = ask(in_copy, FIGURES.format(1))
    folder = in_copy.home / "runs/0001-train"
    with sqlite3.connect(in_copy.database) as database:
        database.executescript(
            "PRAGMA foreign_keys = ON; DELETE FROM evaluations; DELETE FROM models;"
            "DELETE FROM epochs; UPDATE runs SET status = 'crashed'"
        )
    shutil.rmtree(folder / "checkpoints")
    features = {path: path.read_bytes() for path in stored(in_copy)}
    gone = next(path for path in features if len(np.load(path)) == 24)
    gone.unlink()
    result = samehand("train", "--resume", "1")
    assert result.exit_code == 0, result.output
    assert {path: path.read_bytes() for path in stored(in_copy)} == features
    assert ask(in_copy, FIGURES.format(1)) == whole


def test_an_evaluation_gives_the_same_figures_from_the_same_features(
    samehand: Samehand, in_copy: Trained
) -> None:
    before = {path: path.stat().st_mtime_ns for path in stored(in_copy)}
    result = samehand("evaluate")
    assert result.exit_code == 0, result.output
    assert {path: path.stat().st_mtime_ns for path in stored(in_copy)} == before
    figures = "SELECT roc_auc, triplet_accuracy, map_at_r FROM evaluations ORDER BY id"
    first, again = ask(in_copy, figures)
    assert first == again
    baselines = "SELECT name, roc_auc FROM baselines ORDER BY evaluation_id, name"
    rows = ask(in_copy, baselines)
    assert rows[:3] == rows[3:]
    assert list((in_copy.home / "runs/0002-evaluate").rglob("*.pt")) == []


def test_the_exported_network_gives_the_verdicts_that_the_features_gave(
    frozen: Trained,
) -> None:
    from model.distances import all_pairs
    from model.exported import embed_exported, open_exported
    from storage.datasets.dataset import Dataset, load_split
    from storage.datasets.pixels import open_pixels

    ((folder,),) = [tuple(frozen.home.glob("datasets/*"))]
    images = load_split(Dataset(folder), "test")
    (file,) = (frozen.home / "runs/0001-train/checkpoints").glob("*.onnx")
    vectors = embed_exported(open_exported(file), open_pixels(Dataset(folder).pixels), images.rows)
    pairs = all_pairs(vectors, images.artists)
    rows = ask(frozen, "SELECT distance, threshold, predicted_same FROM pair_results"
               " ORDER BY pair_index")  # fmt: skip
    distance, threshold, predicted = np.array(rows, dtype=float).T
    np.testing.assert_allclose(pairs.distance, distance, atol=1e-4)
    sure = np.abs(distance - threshold) > 1e-4
    assert ((pairs.distance <= threshold) == predicted)[sure].all()

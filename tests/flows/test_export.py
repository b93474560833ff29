"""`samehand export`: a file that can be used elsewhere, and a card that says how."""

import json
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from tests.flows.conftest import Samehand, Trained
from tests.flows.test_cli import assert_mistake


@pytest.fixture
def exported(samehand: Samehand, in_trained: Trained, tmp_path: Path) -> Path:
    """The trained workspace's model in a file of its own."""
    file = tmp_path / "out" / "hand.onnx"
    file.parent.mkdir()
    result = samehand("export", "last", str(file))
    assert result.exit_code == 0, result.output
    assert str(file) in result.output
    return file


def test_the_file_holds_all_that_its_user_needs(exported: Path, in_trained: Trained) -> None:
    with sqlite3.connect(in_trained.database) as database:
        number, sha256, threshold, slope, midpoint, accept_within, reject_beyond = database.execute(
            "SELECT id, sha256, threshold, calibration_slope, calibration_midpoint, accept_within,"
            " reject_beyond FROM models"
        ).fetchone()
        settings = json.loads(database.execute("SELECT settings FROM runs").fetchone()[0])
    session = onnxruntime.InferenceSession(exported)
    assert json.loads(session.get_modelmeta().custom_metadata_map["samehand"]) == {
        "crop": {
            "size": settings["crop_size"],
            "short_side": settings["resize_short_side"],
            "quality": settings["jpeg_quality"],
        },
        "model": number,
        "checkpoint_sha256": sha256,
        "embedding_size": settings["embedding_size"],
        "threshold": threshold,
        "calibration_slope": slope,
        "calibration_midpoint": midpoint,
        "accept_within": accept_within,
        "reject_beyond": reject_beyond,
    }


def test_the_exported_network_is_the_one_in_the_workspace(
    exported: Path, in_trained: Trained
) -> None:
    (kept,) = in_trained.home.glob("runs/*/checkpoints/*.onnx")
    pixels = np.random.default_rng(0).integers(256, size=(3, 32, 32, 3), dtype=np.uint8)
    ours, theirs = (
        onnxruntime.InferenceSession(path).run(None, {"pixels": pixels})[0]
        for path in (exported, kept)
    )
    np.testing.assert_array_equal(ours, theirs)


def test_the_card_agrees_with_the_database(exported: Path, in_trained: Trained) -> None:
    card = exported.with_suffix(".md").read_text()
    with sqlite3.connect(in_trained.database) as database:
        ((source, content),) = database.execute("SELECT source, content_hash FROM datasets")
        counts = database.execute(
            "SELECT artists.split, count(DISTINCT artists.id), count(images.id) FROM artists"
            " JOIN images ON artists.id = artist_id GROUP BY 1"
        ).fetchall()
        ((auc, low, high),) = database.execute(
            "SELECT roc_auc, roc_auc_low, roc_auc_high FROM evaluations"
        )
        ((threshold,),) = database.execute("SELECT threshold FROM models")
        ((settings,),) = database.execute("SELECT settings FROM runs")
    assert f"| source | {source} |" in card
    assert content in card
    assert len(counts) == 3
    for split, artists, images in counts:
        assert f"| {split} | {artists} | {images} |" in card
    assert f"{auc:.3f} [{low:.3f}, {high:.3f}]" in card
    assert f"at most **{threshold:.4f}**" in card
    assert "| mean colour |" in card
    is_random = json.loads(settings)["weights"] == "none"
    assert ("random weights" if is_random else "pretrained weights") in card


def test_the_cards_program_gives_the_verdict_of_compare(
    exported: Path, samehand: Samehand, paintings: Path
) -> None:
    for name, artist in (("a.jpg", "Artist 1"), ("b.jpg", "Artist 7")):
        Image.open(paintings / artist / "0.png").save(exported.with_name(name))
    (program,) = re.findall(
        "```python\n(.*?)```", exported.with_suffix(".md").read_text(), re.DOTALL
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=exported.parent, capture_output=True, text=True, check=True,
    )  # fmt: skip
    distance, verdict = ran.stdout.split(maxsplit=1)
    images = [str(exported.with_name(name)) for name in ("a.jpg", "b.jpg")]
    answer = json.loads(samehand("compare", *images, "--json").stdout)
    assert float(distance) == pytest.approx(answer["distance"], rel=1e-4)
    assert verdict.strip() == ("same artist" if answer["same_artist"] else "two artists")


def test_an_existing_file_is_replaced_and_nothing_else_is_left(
    samehand: Samehand, in_trained: Trained, tmp_path: Path
) -> None:
    file = tmp_path / "hand.onnx"
    file.write_bytes(b"old")
    assert samehand("export", "1", str(file)).exit_code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hand.md", "hand.onnx"]
    assert len(file.read_bytes()) > 3


def test_a_mistake_is_one_line_and_writes_nothing(
    samehand: Samehand, in_trained: Trained, tmp_path: Path
) -> None:
    (tmp_path / "folder.onnx").mkdir()
    usable = str(tmp_path / "hand.onnx")
    assert_mistake(samehand("export", "last", str(tmp_path / "hand.pt")), "hand.pt", ".onnx")
    away = tmp_path / "away" / "hand.onnx"
    assert_mistake(samehand("export", "last", str(away)), str(away), "no folder")
    assert_mistake(samehand("export", "last", str(tmp_path / "folder.onnx")), "is a folder")
    assert_mistake(samehand("export", "7", usable), "there is no model 7")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.onnx"]


def test_compare_exports_a_model_that_has_only_a_checkpoint(
    samehand: Samehand, in_copy: Trained, paintings: Path
) -> None:
    images = [str(paintings / artist / "0.png") for artist in ("Artist 1", "Artist 7")]
    before = json.loads(samehand("compare", *images, "--json").stdout)
    (kept,) = in_copy.home.glob("runs/*/checkpoints/*.onnx")
    kept.unlink()
    after = json.loads(samehand("compare", *images, "--json").stdout)
    assert after["distance"] == pytest.approx(before["distance"], rel=1e-5)
    assert kept.is_file()


def test_a_model_without_files_is_a_one_line_mistake(
    samehand: Samehand, in_copy: Trained, tmp_path: Path
) -> None:
    for file in in_copy.home.glob("runs/*/checkpoints/*"):
        file.unlink()
    refused = samehand("export", "last", str(tmp_path / "hand.onnx"))
    assert_mistake(refused, "the checkpoint of model 1 is gone")

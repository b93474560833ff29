"""The model card against the database, and its program against samehand."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps
from sqlalchemy.orm import Session

from storage.database.evaluation_tables import Baseline, Evaluation
from storage.database.records import complete_evaluation, record_baseline
from storage.database.tables import Model
from storage.datasets.crop import CropRules, crop, encode
from storage.reports.card_findings import card_of
from storage.reports.model_card import ModelCard, example, render_card

RULES = [CropRules(32), CropRules(32, 32, 92), CropRules(32, 48, 80)]


@pytest.fixture
def card(session: Session, model_id: int) -> ModelCard:
    """The card of a model that was never evaluated."""
    return card_for(session, model_id)


def card_for(session: Session, model_id: int, rules: CropRules = RULES[0]) -> ModelCard:
    model = session.get_one(Model, model_id)
    return card_of(session, model, "hand.onnx", rules, 64, "Nobody's weights.")


def test_data_and_splits_come_from_the_run(card: ModelCard) -> None:
    text = render_card(card)
    assert "| source | sample |" in text
    assert "| content hash of the dataset | c0ffee |" in text
    assert "| train | 0 | 0 |" in text
    assert "| test | 2 | 3 |" in text
    assert "| SHA-256 of the checkpoint | e5 |" in text
    assert "Nobody's weights." in text


def test_the_card_gives_threshold_and_probability_of_the_model(
    card: ModelCard,
) -> None:
    text = render_card(card)
    assert "at most **2.0000**" in text
    assert "`3.0000 * (2.0000 - distance)`" in text
    assert "up to a distance of 1.5000" in text
    assert "beyond 2.5000" in text


def test_a_model_without_an_evaluation_says_so(card: ModelCard) -> None:
    assert "has not been evaluated on test artists" in render_card(card)


def test_results_and_baselines_have_their_intervals(
    session: Session, model_id: int, evaluation_id: int
) -> None:
    figures: dict[str, Any] = {
        "triplet_accuracy": 0.81, "triplet_accuracy_low": 0.8, "triplet_accuracy_high": 0.82,
        "roc_auc": 0.9, "roc_auc_low": 0.88, "roc_auc_high": 0.91,
        "matched_triplet_accuracy": 0.7,
    }  # fmt: skip
    others: dict[str, Any] = {
        "matched_on": "style", "matched_n_triplets": 60, "n_images": 40, "n_pairs": 780,
        "n_triplets": 100, "eer": 0.2, "threshold": 2.0,
    }  # fmt: skip
    complete_evaluation(session, evaluation_id, Evaluation(**figures, **others))
    simpler = figures | {"triplet_accuracy": 0.55}
    record_baseline(session, Baseline(evaluation_id=evaluation_id, name="mean colour", **simpler))
    text = render_card(card_for(session, model_id))
    assert "| trained network | 81.00 % [80.0, 82.0] | 0.900 [0.880, 0.910] | 70.00 % |" in text
    assert "| mean colour | 55.00 % [80.0, 82.0] |" in text
    assert "has the same style" in text
    assert "| negatives of the same style | 60 of 100 triplets |" in text


def test_the_limits_say_that_a_verdict_is_not_a_proof(card: ModelCard) -> None:
    text = render_card(card)
    assert "**not a proof of authorship**" in text
    assert "never saw in training" in text


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("name", ["wide.jpg", "tall.png", "turned.jpg", "small.png"])
def test_the_programs_crops_equal_samehands(
    session: Session, model_id: int, tmp_path: Path, rules: CropRules, name: str
) -> None:
    path = painted(tmp_path / name)
    program = example(card_for(session, model_id, rules))
    function = program[program.index("def crop") : program.index("\npixels")]
    names: dict[str, Any] = {"Image": Image, "ImageOps": ImageOps, "io": io, "np": np}
    exec(function, names)
    ours = encode(crop(path.read_bytes(), rules), rules.quality)
    np.testing.assert_array_equal(names["crop"](path), np.asarray(Image.open(io.BytesIO(ours))))


def painted(path: Path) -> Path:
    """A smooth picture with the shape that its name says."""
    width, height = {"wide": (401, 200), "tall": (150, 333), "small": (20, 30)}.get(
        path.stem, (301, 222)
    )
    across, down = np.meshgrid(np.arange(width), np.arange(height))
    pixels = np.stack([across % 256, down % 256, (across + down) % 256], axis=2)
    exif = Image.Exif()
    if path.stem == "turned":
        exif[0x0112] = 6  # lies on its side
    Image.fromarray(pixels.astype(np.uint8)).save(path, exif=exif)
    return path

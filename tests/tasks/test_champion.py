"""Who is the champion: judged on the same images, by artists it has not been trained on."""

from pathlib import Path

import numpy as np
import pandas as pd
from prefect.logging import disable_run_logger
from sklearn.metrics import roc_auc_score

from storage.arrays import save_arrays
from storage.database.records import start_run
from storage.database.session import transaction
from storage.datasets.dataset import Dataset
from tasks.champion import (
    Comparison,
    EmbeddedValidation,
    compare_with_champion,
    find_champion,
    promote_model,
)
from tests.storage.conftest import new_run
from tests.tasks.conftest import model_of, open_run_in, workspace_in


def embedded(
    folder: Path, artists: list[str], points: list[float], order: int = 1
) -> EmbeddedValidation:
    """A model that puts images on a line; `order` -1 lists the images in reverse."""
    folder.mkdir()
    images = pd.DataFrame(
        {
            "image_name": [f"{n}.jpg" for n in range(len(artists))],
            "artist_name": artists,
            "file": "a.jpg",
            "split": "validation",
            "crop": range(len(artists)),
        }
    )
    images[::order].to_csv(folder / "catalog.csv", index=False)
    vectors = np.array(points, dtype=np.float32)[::order, None]
    save_arrays(folder / "embeddings.npz", {"embeddings": vectors})
    return EmbeddedValidation(Dataset(folder), folder / "embeddings.npz")


ARTISTS = ["Monet", "Monet", "Manet", "Manet", "Degas", "Degas"]
GOOD = [0.0, 0.1, 5.0, 5.1, 9.0, 9.1]
BAD = [0.0, 9.0, 0.15, 5.0, 5.3, 9.7]


def compare(
    one: EmbeddedValidation, other: EmbeddedValidation, known: dict[str, str]
) -> Comparison:
    with disable_run_logger():
        return compare_with_champion.fn(one, other, known)


def test_the_better_one_wins_whatever_the_order_of_its_images(tmp_path: Path) -> None:
    good = embedded(tmp_path / "good", ARTISTS, GOOD)
    bad = embedded(tmp_path / "bad", ARTISTS, BAD, order=-1)
    assert compare(good, bad, {}).challenger_is_better
    assert not compare(bad, good, {}).challenger_is_better
    assert not compare(good, good, {}).challenger_is_better  # equal is not better


def test_the_figures_are_those_of_scikit_learn(tmp_path: Path) -> None:
    bad = embedded(tmp_path / "bad", ARTISTS, BAD)
    first, second = np.triu_indices(len(ARTISTS), 1)
    truth = np.array(ARTISTS)[first] == np.array(ARTISTS)[second]
    distance = np.abs(np.array(BAD)[first] - np.array(BAD)[second])
    found = compare(bad, bad, {}).champion
    assert found is not None
    assert np.isclose(found, roc_auc_score(truth, -distance))


def test_artists_that_the_champion_was_trained_on_do_not_count(tmp_path: Path) -> None:
    good = embedded(tmp_path / "good", ARTISTS, GOOD)
    learnt = embedded(tmp_path / "learnt", ARTISTS, GOOD)
    seen = {"Monet": "train", "Manet": "validation", "Degas": "test"}
    assert compare(good, learnt, seen).n_images == 4


def test_without_common_ground_nothing_changes(tmp_path: Path) -> None:
    good = embedded(tmp_path / "good", ARTISTS, GOOD)
    bad = embedded(tmp_path / "bad", ARTISTS, BAD)
    seen = {"Monet": "train", "Manet": "train"}
    assert not compare(good, bad, seen).challenger_is_better
    assert not compare(good, bad, dict.fromkeys(ARTISTS, "train")).challenger_is_better


def test_a_model_is_promoted_only_over_the_champion_that_it_met(tmp_path: Path) -> None:
    space = workspace_in(tmp_path)
    with transaction(space.database_url) as session:
        first, second, third = (
            model_of(session, start_run(session, new_run()), space) for _ in range(3)
        )
    run = open_run_in(space)
    with disable_run_logger():
        assert promote_model.fn(run, first, instead_of=None)
        assert promote_model.fn(run, second, instead_of=first)
        assert not promote_model.fn(run, third, instead_of=first)
        assert not promote_model.fn(run, third, instead_of=None)
        champion = find_champion.fn(space)
    assert champion is not None
    assert champion.id == second.id

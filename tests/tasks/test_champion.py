"""Who is the champion: judged on the same images, by artists it has not been trained on."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from prefect.logging import disable_run_logger
from sklearn.metrics import roc_auc_score
from sqlalchemy.orm import Session

from model.calibration import Band, Calibration
from storage.arrays import save_arrays
from storage.catalogs.catalog import read_catalog
from storage.database.datasets import record_dataset
from storage.database.records import start_run
from storage.database.session import transaction
from storage.datasets.dataset import Dataset
from storage.errors import InputError
from storage.workspace import Workspace
from tasks.champion import (
    CommonGround,
    Comparison,
    EmbeddedValidation,
    MeasuredGround,
    Role,
    compare_embeddings,
    find_champion,
    find_common_grounds,
    promote_model,
    unseen_validation,
)
from tasks.models import StoredModel
from tasks.settings import Settings
from tests.storage.conftest import new_run, store_test
from tests.tasks.conftest import model_of, open_run_in, workspace_in


def embedded(
    folder: Path,
    artists: list[str],
    points: list[float],
    order: int = 1,
    names: Iterable[int] | None = None,
) -> EmbeddedValidation:
    """A model that puts images on a line; `order` -1 lists the images in reverse."""
    folder.mkdir()
    images = pd.DataFrame(
        {
            "image_name": [f"{n}.jpg" for n in (range(len(artists)) if names is None else names)],
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


RNG = np.random.default_rng(0)
ARTISTS = [f"artist {number // 12}" for number in range(120)]
NUMBERS = np.arange(120) // 12
GOOD = (5.0 * NUMBERS + RNG.normal(size=120)).tolist()
NO_IMAGES = pd.DataFrame({"image_name": [], "artist_name": [], "split": [], "sha256": []})
BAD = (5.0 * NUMBERS + 12 * RNG.normal(size=120)).tolist()


def compare(
    one: EmbeddedValidation, other: EmbeddedValidation, of: Role = "champion"
) -> MeasuredGround:
    """Compare on all images that the ground holds."""
    names = tuple(read_catalog(other.dataset.catalog)["image_name"])
    ground = CommonGround(of, a_model(other.dataset), names, 0)
    return compare_embeddings(ground, one, other, resamples=200, seed=0)


def a_model(dataset: Dataset) -> StoredModel:
    """A stored model of which only the dataset matters."""
    settings = Settings()
    calibration = Calibration(1.0, 1.0, 1.0, Band(0.5, 1.5))
    return StoredModel(
        1, 1, dataset.directory / "1.pt", calibration, "s", "demo", settings, {}, "", dataset
    )


def against(*grounds: MeasuredGround) -> str | None:
    """Why the challenger does not win."""
    return Comparison(grounds, None).against


def test_the_better_one_wins_whatever_the_order_of_its_images(tmp_path: Path) -> None:
    good = embedded(tmp_path / "good", ARTISTS, GOOD)
    bad = embedded(tmp_path / "bad", ARTISTS, BAD, order=-1)
    assert against(compare(good, bad)) is None
    by_chance = (
        "it may be better by chance on 120 validation images of the champion by 10 artists that"
        " are new to the other"
    )
    assert against(compare(bad, good)) == by_chance.replace("may be better by chance", "is worse")
    assert against(compare(good, good)) == by_chance  # equal is not better


def test_the_difference_is_that_of_scikit_learns_figures(tmp_path: Path) -> None:
    good = embedded(tmp_path / "good", ARTISTS, GOOD)
    bad = embedded(tmp_path / "bad", ARTISTS, BAD)
    first, second = np.triu_indices(len(ARTISTS), 1)
    truth = NUMBERS[first] == NUMBERS[second]
    expected = [
        roc_auc_score(truth, -np.abs(np.array(each)[first] - np.array(each)[second]))
        for each in (GOOD, BAD)
    ]
    found = compare(good, bad)
    assert found.difference is not None
    assert np.isclose(found.difference.value, expected[0] - expected[1], atol=1e-5)
    assert found.difference.low < found.difference.value < found.difference.high


def test_a_challenger_must_not_be_worse_on_its_own_images(tmp_path: Path) -> None:
    """Better where the champion's images are, worse on its own: it has learnt something else."""
    good = embedded(tmp_path / "good", ARTISTS, GOOD)
    bad = embedded(tmp_path / "bad", ARTISTS, BAD)
    wins, loses = compare(good, bad), compare(bad, good, "challenger")
    assert against(wins, compare(good, bad, "challenger")) is None
    assert against(wins, compare(good, good, "challenger")) is None
    assert against(wins, loses) == (
        "it is worse on 120 validation images of the challenger by 10 artists that are new to the"
        " other"
    )


def test_too_few_images_or_artists_are_no_ground(tmp_path: Path) -> None:
    good = embedded(tmp_path / "good", ARTISTS, GOOD)
    few = embedded(tmp_path / "few", ARTISTS[:84], BAD[:84])
    assert (compare(good, few).n_images, compare(good, few).n_artists) == (84, 7)
    refused = "only 84 validation images of the champion by 7 artists"
    assert str(against(compare(good, few))).startswith(refused)
    assert str(against(compare(good, few, "challenger"))).startswith("only 84 validation images")
    alone = embedded(tmp_path / "alone", ARTISTS[:12], GOOD[:12])
    assert compare(good, alone).difference is None
    assert str(against(compare(good, alone))).startswith("only 12 validation images")


def catalog(**columns: list[str]) -> pd.DataFrame:
    """A dataset's catalog."""
    images = pd.DataFrame({name: pd.Series(values, dtype=str) for name, values in columns.items()})
    return images.assign(image_name=[f"{n}.jpg" for n in range(len(images))])


def test_validation_images_count_that_are_new_to_the_other_model() -> None:
    own = catalog(
        artist_name=["Anna", "Anna", "Berta", "Carla", "Dora", "Emma", "Anna", "Flora"],
        split=["validation"] * 4 + ["train", "validation", "validation", "validation"],
        sha256=["a1", "a2", "b1", "c1", "d1", "e1", "", "f1"],
        crop=["0", "1", "2", "3", "4", "5", "", "6"],
    )
    other = catalog(
        artist_name=["BERTA", "Somebody", "Anna", "Carla", "Emma", "Dora"],
        split=["train", "test", "validation", "excluded", "test", "excluded"],
        sha256=["b9", "a2", "a1", "c1", "e9", "f1"],
        crop=["0", "1", "2", "", "3", ""],
    )
    # Berta was trained on and Emma tested, as artists; the second Anna was tested, as an image.
    assert list(unseen_validation(own, other)["image_name"]) == ["0.jpg", "3.jpg", "7.jpg"]


def test_the_same_images_are_one_ground(tmp_path: Path) -> None:
    def model_on(name: str, hashes: list[str], artists: list[str]) -> StoredModel:
        dataset = Dataset(tmp_path / name)
        dataset.directory.mkdir()
        rows = [str(n) for n in range(len(hashes))]
        images = catalog(
            artist_name=artists, split=["validation"] * len(rows), sha256=hashes, crop=rows
        )
        images.assign(file="a.jpg").to_csv(dataset.catalog, index=False)
        dataset.pixels.touch()
        (tmp_path / name / "1.pt").touch()
        return a_model(dataset)

    champion = model_on("champion", ["a", "b"], ["Anna", "Berta"])
    same = model_on("same", ["b", "a"], ["Berta", "Anna"])
    other = model_on("other", ["c"], ["Carla"])
    assert [each.of for each in find_common_grounds.fn(same, champion)] == ["champion"]
    first, second = find_common_grounds.fn(other, champion)
    assert (first.of, first.names, second.of, second.names) == (
        "champion", ("0.jpg", "1.jpg"), "challenger", ("0.jpg",)
    )  # fmt: skip
    assert second.is_too_small
    assert second.unmeasured() == MeasuredGround("challenger", 1, 1, None)
    champion.checkpoint.unlink()
    with pytest.raises(InputError, match="the checkpoint of model 1 is gone"):
        find_common_grounds.fn(same, champion)
    assert against_missing(same, "the checkpoint of model 1 is gone")


def against_missing(challenger: StoredModel, obstacle: str) -> bool:
    """Whether a comparison that could not be made is lost."""
    return Comparison((), None, obstacle).against == obstacle


def test_a_toy_never_wins_in_50_tries(tmp_path: Path) -> None:
    """It has seen 20 images, of which even perfect embeddings prove nothing."""
    champion = embedded(tmp_path / "champion", ARTISTS, BAD)
    for seed in range(50):
        chosen = np.random.default_rng(seed).permutation(120)[:20]
        artists, points = ([one[n] for n in chosen] for one in (ARTISTS, GOOD))
        toy = embedded(tmp_path / f"toy {seed}", artists, points, names=chosen)
        assert against(compare(toy, champion)) is not None


def test_a_model_that_does_not_beat_its_baselines_does_not_win(tmp_path: Path) -> None:
    good = embedded(tmp_path / "good", ARTISTS, GOOD)
    bad = embedded(tmp_path / "bad", ARTISTS, BAD)
    weak = Comparison((compare(good, bad),), "mean colour")
    assert weak.against == "it was no better than its baseline (mean colour)"


def model_with_test(session: Session, space: Workspace) -> StoredModel:
    """A model of a run of its own, with a complete test."""
    none = pd.DataFrame({"image_name": [], "reason": []})
    dataset = record_dataset(session, source="s", content_hash="c", images=NO_IMAGES, rejected=none)
    run_id = start_run(session, new_run(dataset_id=dataset))
    model = model_of(session, run_id, space)
    store_test(session, run_id, model.id, dataset)
    return model


def test_a_model_is_promoted_only_over_the_champion_that_it_met(tmp_path: Path) -> None:
    space = workspace_in(tmp_path)
    with transaction(space.database_url) as session:
        first, second, third = (model_with_test(session, space) for _ in range(3))
    run = open_run_in(space)
    with disable_run_logger():
        assert promote_model.fn(run, first, instead_of=None)
        assert promote_model.fn(run, second, instead_of=first)
        assert not promote_model.fn(run, third, instead_of=first)
        assert not promote_model.fn(run, third, instead_of=None)
        champion = find_champion.fn(space, "")
    assert champion is not None
    assert champion.id == second.id

"""Who is the champion: judged on the same images, by artists it has not been trained on."""

from collections.abc import Iterable
from dataclasses import replace
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
    compare_embeddings,
    find_champion,
    promote_model,
)
from tests.storage.conftest import new_run
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
BAD = (5.0 * NUMBERS + 12 * RNG.normal(size=120)).tolist()


def compare(
    one: EmbeddedValidation, other: EmbeddedValidation, known: dict[str, str]
) -> Comparison:
    return compare_embeddings(one, other, known, resamples=200, seed=0)


def test_the_better_one_wins_whatever_the_order_of_its_images(tmp_path: Path) -> None:
    good = embedded(tmp_path / "good", ARTISTS, GOOD)
    bad = embedded(tmp_path / "bad", ARTISTS, BAD, order=-1)
    assert compare(good, bad, {}).against is None
    assert compare(bad, good, {}).against == "it may be better by chance"
    assert compare(good, good, {}).against == "it may be better by chance"  # equal is not better


def test_the_difference_is_that_of_scikit_learns_figures(tmp_path: Path) -> None:
    good = embedded(tmp_path / "good", ARTISTS, GOOD)
    bad = embedded(tmp_path / "bad", ARTISTS, BAD)
    first, second = np.triu_indices(len(ARTISTS), 1)
    truth = NUMBERS[first] == NUMBERS[second]
    expected = [
        roc_auc_score(truth, -np.abs(np.array(each)[first] - np.array(each)[second]))
        for each in (GOOD, BAD)
    ]
    found = compare(good, bad, {})
    assert found.difference is not None
    assert np.isclose(found.difference.value, expected[0] - expected[1], atol=1e-5)
    assert found.difference.low < found.difference.value < found.difference.high


def test_artists_that_the_champion_was_trained_on_do_not_count(tmp_path: Path) -> None:
    good = embedded(tmp_path / "good", ARTISTS, GOOD)
    learnt = embedded(tmp_path / "learnt", ARTISTS, BAD)
    found = compare(good, learnt, {"artist 0": "train", "artist 1": "validation"})
    assert (found.n_images, found.n_artists) == (108, 9)
    found = compare(good, learnt, dict.fromkeys(ARTISTS[:36], "train"))
    assert found.against == "only 7 of 8 artists are common ground"
    assert compare(good, learnt, dict.fromkeys(ARTISTS, "train")).against is not None
    found = compare(good, learnt, {"ARTIST-0": "train"})  # spelled otherwise
    assert found.n_artists == 9


def test_one_artist_in_common_is_no_ground(tmp_path: Path) -> None:
    alone = embedded(tmp_path / "alone", ARTISTS[:12], GOOD[:12])
    found = compare(alone, embedded(tmp_path / "other", ARTISTS, BAD), {})
    assert found.difference is None
    assert found.against == "only 1 of 8 artists are common ground"


def test_a_toy_never_wins_in_50_tries(tmp_path: Path) -> None:
    """It has seen 20 images, of which even perfect embeddings prove nothing."""
    champion = embedded(tmp_path / "champion", ARTISTS, BAD)
    for seed in range(50):
        chosen = np.random.default_rng(seed).permutation(120)[:20]
        artists, points = ([one[n] for n in chosen] for one in (ARTISTS, GOOD))
        toy = embedded(tmp_path / f"toy {seed}", artists, points, names=chosen)
        assert compare(toy, champion, {}).against is not None


def test_a_model_that_does_not_beat_its_baselines_does_not_win(tmp_path: Path) -> None:
    good = embedded(tmp_path / "good", ARTISTS, GOOD)
    bad = embedded(tmp_path / "bad", ARTISTS, BAD)
    weak = replace(compare(good, bad, {}), better_baseline="mean colour")
    assert weak.against == "it was no better than its baseline (mean colour)"


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
        champion = find_champion.fn(space, "")
    assert champion is not None
    assert champion.id == second.id

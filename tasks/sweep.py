"""A sweep: what is trained, what of it is there, and how recipes compare on the same artists."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from prefect import get_run_logger
from prefect.artifacts import create_image_artifact, create_markdown_artifact

from model.distances import Pairs, TripletDistances
from model.evaluation import distances_of
from model.measures import matched_pairs
from model.metrics import all_pairs
from model.paired import Difference, paired_roc_auc, paired_triplet_accuracy
from storage.arrays import load_arrays
from storage.database import records, results
from storage.database.session import transaction
from storage.database.tables import Dataset as DatasetRow
from storage.database.tables import Run, SweepDifference, SweepTraining
from storage.datasets.dataset import Dataset, SplitImages, load_split
from storage.files import write_atomically
from storage.reports.plots import plot_differences
from storage.reports.report import Picture
from storage.reports.sweep import SweepReport, render_sweep
from storage.run_folder import RunFolder
from storage.workspace import Workspace
from tasks.artifacts import if_server_answers
from tasks.batches import read_triplets
from tasks.records import OpenRun
from tasks.report import embedded
from tasks.step import step


@dataclass(frozen=True, slots=True)
class Training:
    """A recipe to train on one fold of so many, from one seed."""

    recipe: str
    folds: int
    fold: int
    seed: int


@dataclass(frozen=True, slots=True)
class Tested:
    """How a recipe did on one fold from one seed: its images and the triplets it was judged by."""

    images: SplitImages
    pairs: Pairs
    triplets: TripletDistances
    anchor_artist: np.ndarray
    negative_artist: np.ndarray
    matched: Pairs | None


@step()
def plan_sweep(
    run: OpenRun, recipes: Sequence[str], folds: int, seeds: int, space: Workspace
) -> None:
    """Record what is to be trained: every recipe on every fold from every seed."""
    with transaction(space.database_url) as session:
        for recipe in recipes:
            for fold in range(1, folds + 1):
                for seed in range(seeds):
                    row = SweepTraining(run_id=run.id, recipe=recipe, fold=fold, seed=seed)
                    records.record_sweep_training(session, row)


@step()
def read_planned(run: OpenRun, space: Workspace) -> tuple[Training, ...]:
    """What is still to be trained, fold by fold, so that recipes can share what they need."""
    with transaction(space.database_url) as session:
        rows = results.sweep_trainings(session, run.id)
    folds = int(rows["fold"].max())
    missing = rows[rows["evaluation_id"].isna()].sort_values(["fold", "seed"], kind="stable")
    get_run_logger().info("%d of %d trainings are to be done", len(missing), len(rows))
    return tuple(
        Training(recipe, folds, int(fold), int(seed))
        for recipe, fold, seed in missing[["recipe", "fold", "seed"]].itertuples(index=False)
    )


@step()
def find_stopped_training(
    run: OpenRun, settings: dict[str, Any], space: Workspace
) -> int | None:
    """Find the training of these settings that this sweep began and that was stopped."""
    with transaction(space.database_url) as session:
        return results.stopped_training(session, run.source, settings, after=run.id)


@step()
def record_training(
    run: OpenRun, training: Training, training_run_id: int, evaluation_id: int, space: Workspace
) -> None:
    """Record that a recipe was trained and judged; a sweep that goes on does not train it again."""
    row = SweepTraining(
        run_id=run.id,
        recipe=training.recipe,
        fold=training.fold,
        seed=training.seed,
        training_run_id=training_run_id,
        evaluation_id=evaluation_id,
    )
    with transaction(space.database_url) as session:
        records.record_sweep_training(session, row)


@step(hours=6)
def compare_recipes(run: OpenRun, resamples: int, space: Workspace) -> None:
    """Compare every two recipes on the same draws of artists, and record by how much they differ."""
    with transaction(space.database_url) as session:
        rows = results.sweep_trainings(session, run.id)
    recipes = list(dict.fromkeys(rows["recipe"]))
    tested = {
        recipe: [
            [_read(int(run_id), space) for run_id in seeds["training_run_id"]]
            for _, seeds in rows[rows["recipe"] == recipe].groupby("fold")
        ]
        for recipe in recipes
    }
    found = [
        SweepDifference(
            run_id=run.id,
            recipe=recipe,
            rival=rival,
            metric=metric,
            value=difference.value,
            low=difference.low,
            high=difference.high,
        )
        for recipe, rival in combinations(recipes, 2)
        for metric, difference in _differences(tested[recipe], tested[rival], resamples)
    ]
    with transaction(space.database_url) as session:
        records.record_sweep_differences(session, found)


@step()
def report_sweep(run: OpenRun, space: Workspace) -> SweepReport:
    """Write how recipes compare, as a table and a picture, beside the run and in Prefect's UI."""
    with transaction(space.database_url) as session:
        trainings = results.sweep_trainings(session, run.id)
        differences = results.sweep_differences(session, run.id)
    picture = Picture("differences.png", "Differences between recipes, with 95 % intervals")
    plot_differences(differences, run.folder.directory / picture.file_name)
    report = SweepReport(
        f"Run {run.id}: recipes compared on {run.source}", trainings, differences, picture
    )
    write_atomically(run.folder.report, render_sweep(report).encode())
    with if_server_answers():
        page = render_sweep(report, lambda one: embedded(run.folder, one))
        create_markdown_artifact(page, key="sweep", description=report.title)
        create_image_artifact(
            embedded(run.folder, picture), key="differences", description=picture.caption
        )
    return report


def _read(training_run_id: int, space: Workspace) -> Tested:
    """Read what a training's own test evaluation was judged by."""
    with transaction(space.database_url) as session:
        row = session.get_one(Run, training_run_id)
        catalog = session.get_one(DatasetRow, row.dataset_id).catalog_path
        matched_on = row.settings["matched_on"]
    folder, dataset = RunFolder(space.home / row.directory), Dataset((space.home / catalog).parent)
    triplets = read_triplets(folder.triplets / "test.npz")
    is_matched = (folder.triplets / "test-matched.npz").exists()
    images = load_split(dataset, "test", matched_on if is_matched else None)
    vectors = load_arrays(folder.embeddings("network", "test"))["embeddings"]
    pairs = all_pairs(vectors, images.artists)
    return Tested(
        images,
        pairs,
        distances_of(vectors, triplets),
        images.artists[triplets.anchor_idx],
        images.artists[triplets.negative_idx],
        matched_pairs(pairs, images.labels) if is_matched else None,
    )

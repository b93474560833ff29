"""A sweep: what to train, what is trained, and how recipes compare on the same artists."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from prefect import get_run_logger
from prefect.artifacts import create_image_artifact, create_markdown_artifact

from model.comparison import Tested, compare, judge_fold
from storage.database import records, results
from storage.database.session import transaction
from storage.database.tables import Dataset as DatasetRow
from storage.database.tables import Run, SweepDifference, SweepTraining
from storage.datasets.dataset import Dataset, load_split
from storage.files import present, write_atomically
from storage.reports.plots import plot_differences
from storage.reports.report import Picture, escaped
from storage.reports.sweep import SweepReport, render_sweep
from storage.run_folder import RunFolder
from storage.workspace import Workspace
from tasks.batches import read_triplets
from tasks.embedding import read_embeddings
from tasks.report import embedded
from tasks.settings import Settings
from tasks.support.artifacts import if_server_answers
from tasks.support.run import OpenRun
from tasks.support.step import step


@dataclass(frozen=True, slots=True)
class Training:
    """A recipe to train on one of the folds, from one seed."""

    recipe: str
    folds: int
    fold: int
    seed: int


@step()
def plan_sweep(run: OpenRun, recipes: Sequence[str], folds: int, seeds: int) -> None:
    """Record what to train: every recipe on every fold from every seed."""
    with transaction(run.space.database_url) as session:
        for recipe in recipes:
            for fold in range(1, folds + 1):
                for seed in range(seeds):
                    row = SweepTraining(run_id=run.id, recipe=recipe, fold=fold, seed=seed)
                    records.record_sweep_training(session, row)


@step()
def read_planned(run: OpenRun) -> tuple[Training, ...]:
    """Read what is left to train, fold by fold, so that recipes share crops and features."""
    with transaction(run.space.database_url) as session:
        rows = results.sweep_trainings(session, run.id)
    folds = int(rows["fold"].max())
    missing = rows[rows["evaluation_id"].isna()].sort_values(["fold", "seed"], kind="stable")
    get_run_logger().info("%d of %d trainings are left to do", len(missing), len(rows))
    return tuple(
        Training(recipe, folds, int(fold), int(seed))
        for recipe, fold, seed in missing[["recipe", "fold", "seed"]].itertuples(index=False)
    )


@step()
def find_stopped_training(run: OpenRun, settings: Settings) -> int | None:
    """Find the stopped training with these settings that this sweep began."""
    stored = settings.model_dump(mode="json")
    with transaction(run.space.database_url) as session:
        return results.stopped_training(session, run.source, stored, after=run.id)


@step()
def record_training(
    run: OpenRun, training: Training, training_run_id: int, evaluation_id: int
) -> None:
    """Record that a recipe was trained and judged; a resumed sweep does not train it again."""
    row = SweepTraining(
        run_id=run.id,
        recipe=training.recipe,
        fold=training.fold,
        seed=training.seed,
        training_run_id=training_run_id,
        evaluation_id=evaluation_id,
    )
    with transaction(run.space.database_url) as session:
        records.record_sweep_training(session, row)


@step(hours=6)
def compare_recipes(run: OpenRun) -> None:
    """Compare every two recipes on the same draws of artists, and record how they differ."""
    with transaction(run.space.database_url) as session:
        rows = results.sweep_trainings(session, run.id)
    columns = ["training_run_id", "fold"]
    judged = {
        str(recipe): [
            _read(int(run_id), int(fold), run.space)
            for run_id, fold in trainings[columns].itertuples(index=False)
        ]
        for recipe, trainings in rows.sort_values(["fold", "seed"]).groupby("recipe", sort=False)
    }
    with transaction(run.space.database_url) as session:
        for recipe, rival in combinations(judged, 2):
            found = compare(judged[recipe], judged[rival], run.settings.resamples)
            records.record_sweep_differences(
                session,
                [
                    SweepDifference(
                        run_id=run.id,
                        recipe=recipe,
                        rival=rival,
                        metric=metric,
                        value=difference.value,
                        low=difference.low,
                        high=difference.high,
                    )
                    for metric, difference in found
                ],
            )


@step()
def report_sweep(run: OpenRun) -> SweepReport:
    """Write how recipes compare, as a table and a picture, beside the run and in Prefect's UI."""
    with transaction(run.space.database_url) as session:
        trainings = results.sweep_trainings(session, run.id)
        differences = results.sweep_differences(session, run.id)
    picture = Picture("differences.png", "Differences between recipes, with 95 % intervals")
    plot_differences(differences, run.folder.directory / picture.file_name)
    report = SweepReport(
        f"Run {run.id}: recipes compared on {escaped(run.source)}", trainings, differences, picture
    )
    write_atomically(run.folder.report, render_sweep(report).encode())
    with if_server_answers():
        page = render_sweep(report, lambda one: embedded(run.folder, one))
        create_markdown_artifact(page, key="sweep", description=report.title)
        create_image_artifact(
            embedded(run.folder, picture), key="differences", description=picture.caption
        )
    return report


def _read(training_run_id: int, fold: int, space: Workspace) -> Tested:
    """Read what judged a training's own test evaluation."""
    with transaction(space.database_url) as session:
        row = session.get_one(Run, training_run_id)
        dataset_row = session.get_one(DatasetRow, row.dataset_id)
    folder = RunFolder(space.home / row.directory)
    dataset = Dataset(space.dataset_folder(str(dataset_row.catalog_path)))
    embeddings = read_embeddings(folder.embeddings("network", "test"))
    triplets = read_triplets(folder.kept_triplets("test"))
    matched = folder.kept_triplets("test", matched=True)
    if not present(matched).exists():
        return judge_fold(fold, embeddings, load_split(dataset, "test").artists, triplets)
    images = load_split(dataset, "test", Settings.model_validate(row.settings).matched_on)
    return judge_fold(
        fold, embeddings, images.artists, triplets, read_triplets(matched), images.labels
    )

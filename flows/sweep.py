"""sweep-flow: recipes → the same folds of artists and pairs for each → paired differences."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from flows.recipes import read_recipe, read_recipes
from flows.runs import NewRun, open_run, recorded_flow
from flows.settings import resolve
from flows.train import train_flow
from storage.reports.sweep import SweepReport
from tasks.support.run import OpenRun
from tasks.sweep import (
    Training,
    compare_recipes,
    find_stopped_training,
    plan_sweep,
    read_planned,
    record_training,
    report_sweep,
)

LIKELY = ["best", "best:head=flatten"]


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep ends with."""

    run_id: int
    report: SweepReport
    report_path: Path


@recorded_flow("sweep {source}")
def sweep_flow(
    source: str = "sample",
    recipes: list[str] = LIKELY,
    folds: Annotated[int, Field(ge=2, le=100)] = 3,
    seeds: Annotated[int, Field(ge=1, le=100)] = 1,
    resume: int | None = None,
) -> Swept:
    """Compare recipes on the same folds of a source's artists, each fold the test once.

    Args:
        source: where the paintings are, as for train-flow.
        recipes: a preset each, with settings that differ: best:temperature=0.2,epochs=20.
        folds: into how many parts the artists are divided.
        seeds: from how many seeds every recipe is trained on every fold.
        resume: the number of a sweep that was stopped; what it has trained is not trained again.
    """
    named = () if resume else read_recipes(recipes)
    with open_run(resume or NewRun(source, named[0].preset, named[0].settings)) as run:
        if resume is None:
            plan_sweep(run, recipes, folds, seeds)
        for training in read_planned(run):
            train(run, training)
        compare_recipes(run)
        return Swept(run.id, report_sweep(run), run.folder.report)


def train(run: OpenRun, training: Training) -> None:
    """Train a recipe on one fold from one seed, or go on where that was stopped."""
    recipe = read_recipe(training.recipe)
    overrides = recipe.overrides | {
        "seed": training.seed,
        "split_seed": run.settings.seed,
        "folds": training.folds,
        "fold": training.fold,
    }
    stopped = find_stopped_training(run, resolve(recipe.preset, overrides))
    judged = train_flow(
        run.source, recipe.preset, None if stopped else overrides, stopped, promote=False
    )
    record_training(run, training, judged.run_id, judged.evaluation_id)

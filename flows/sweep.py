"""sweep-flow: recipes → the same folds of artists and pairs for each → paired differences."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from prefect import flow
from pydantic import Field

from flows.recipes import read_recipe, read_recipes
from flows.runs import (
    StartedRun,
    continued_run,
    mark_cancelled,
    mark_crashed,
    mark_failed,
    new_run,
)
from flows.settings import resolve
from flows.train import train_flow
from storage.reports.sweep import SweepReport
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


@flow(
    name="sweep-flow",
    flow_run_name="sweep {source}",
    on_failure=[mark_failed],
    on_crashed=[mark_crashed],
    on_cancellation=[mark_cancelled],
)
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
    named = read_recipes(recipes)
    if resume is None:
        first = named[0]
        run = new_run("sweep-flow", source, first.preset, first.overrides)
    else:
        run = continued_run(resume, "sweep-flow")
    with run as started:
        if resume is None:
            plan_sweep(started.run, [one.text for one in named], folds, seeds, started.space)
        for training in read_planned(started.run, started.space):
            train(started, training)
        compare_recipes(started.run, started.settings.resamples, started.space)
        report = report_sweep(started.run, started.space)
        return Swept(started.run.id, report, started.run.folder.report)


def train(started: StartedRun, training: Training) -> None:
    """Train a recipe on one fold from one seed, or go on where that was stopped."""
    recipe = read_recipe(training.recipe)
    overrides = recipe.overrides | {
        "seed": training.seed,
        "split_seed": started.settings.seed,
        "folds": training.folds,
        "fold": training.fold,
    }
    settings = resolve(recipe.preset, overrides).model_dump(mode="json")
    stopped = find_stopped_training(started.run, settings, started.space)
    judged = train_flow(
        started.run.source,
        recipe.preset,
        None if stopped else overrides,
        stopped,
        promote=False,
    )
    record_training(started.run, training, judged.run_id, judged.evaluation_id, started.space)

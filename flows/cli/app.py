"""The command ``samehand``: flows run in this process, two images compared, results shown."""

import getpass
import importlib.metadata
import json
import os
from dataclasses import asdict
from functools import partial
from pathlib import Path
from socket import gethostname
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from flows.cli.asking import atlas, attribute, doubtful, neighbours
from flows.cli.duplicates import duplicates
from flows.cli.ending import Ending
from flows.cli.errors import one_line_errors
from flows.cli.options import (
    SOURCES,
    Assignments,
    Debug,
    ModelName,
    OptionalSource,
    PairPrior,
    Preset,
    Prior,
    Quiet,
    Resume,
    Source,
)
from flows.cli.printing import print_comparison, print_judged, print_swept
from flows.cli.results import find_stopped_run, open_session, results_app
from flows.cli.running import runner_here, this_command
from flows.cli.server import bypass_proxies
from flows.cli.settings_command import settings
from storage.errors import InputError

if TYPE_CHECKING:
    from storage.datasets.building import SplitCatalog

# Each command imports what it needs: torch and Prefect take seconds, which `--help` should not.

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(results_app, name="results")
for command in (settings, duplicates, atlas, attribute, neighbours, doubtful):
    app.command()(command)

QUIET_PREFECT = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}

# torch's threads wait for each other by spinning. Let them stop soon where something else,
# Prefect's server for one, wants their core. To be set before torch is imported.
SHORT_WAITS = {"GOMP_SPINCOUNT": "10000"}


def main() -> None:
    """Run the command line, without telemetry."""
    for name, value in (QUIET_PREFECT | SHORT_WAITS).items():
        os.environ.setdefault(name, value)
    bypass_proxies(os.environ)
    ending = Ending()
    ending.listen()
    app(obj=ending)


def print_version(wanted: bool) -> None:
    """Print the version and end the command."""
    if wanted:
        typer.echo(f"samehand {importlib.metadata.version('samehand')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=print_version, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Tells whether two paintings are by the same artist."""


@app.command()
def prepare(
    context: typer.Context,
    source: Source = "sample",
    preset: Preset = None,
    assignments: Assignments = None,
    catalog_only: Annotated[
        bool, typer.Option("--catalog-only", help="Stop after the split; needs no image.")
    ] = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Read a source, split its artists, crop its images to one zip."""
    with one_line_errors(debug):
        from flows.assignments import usual_preset
        from flows.cli.checks import check_paintings, paint_sample, prepare_catalog
        from flows.recipes import choose_settings

        chosen = choose_settings(preset or usual_preset(source), assignments)
        if catalog_only:
            print_split(prepare_catalog(source, chosen.settings, partial(typer.echo, err=True)))
            return
        found = check_paintings(source, chosen)
        if not quiet:
            typer.echo(found, err=True)
        runner = runner_here(context, quiet, debug)
        from flows.prepare import Prepared, prepare_flow

        paint_sample(source)
        prepared = runner.call(prepare_flow, source, chosen.preset, chosen.overrides)
        if isinstance(prepared, Prepared):
            print_split(prepared.divided)
            typer.echo(f"{'crops':18} {prepared.dataset.crops}")


@app.command()
def train(
    context: typer.Context,
    source: OptionalSource = None,
    preset: Preset = None,
    assignments: Assignments = None,
    resume: Resume = None,
    no_promote: Annotated[
        bool, typer.Option("--no-promote", help="Leave the champion as it is.")
    ] = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Train a network and test it on artists it has never seen."""
    with one_line_errors(debug):
        from flows.assignments import usual_preset
        from flows.cli.checks import TRAINING, check_paintings, check_weights, paint_sample
        from flows.presets import preset_name
        from flows.recipes import choose_settings
        from flows.settings import Settings

        if resume is None:
            source, number = source or "sample", None
            chosen = choose_settings(preset or usual_preset(source), assignments)
            name, overrides = chosen.preset, chosen.overrides
            found = check_paintings(source, chosen, TRAINING)
            if not quiet:
                typer.echo(found, err=True)
        else:
            if assignments or source or preset:
                raise InputError("--resume: the run has its own source and settings; name no other")
            stopped = find_stopped_run(resume, "train-flow")
            source, name, number = stopped.source, preset_name(stopped.preset), stopped.id
            overrides = {}
            check_weights(Settings.model_validate(stopped.settings))
        runner = runner_here(context, quiet, debug, f"{this_command()} train --resume last")
        from flows.train import train_flow

        paint_sample(source)
        judged = runner.call(train_flow, source, name, overrides, number, not no_promote)
        print_judged(judged)


@app.command()
def evaluate(
    context: typer.Context,
    source: Annotated[
        str | None, typer.Option(help=SOURCES, show_default="the model's own")
    ] = None,
    model: ModelName = None,
    assignments: Assignments = None,
    tolerance: Annotated[
        float, typer.Option(min=0, max=1, help="By how much the ROC AUC may fall.")
    ] = 0.02,
    on_regression: Annotated[
        Literal["warn", "fail"], typer.Option(help="What to do if it falls by more.")
    ] = "warn",
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Evaluate a stored model on artists it was not trained on."""
    with one_line_errors(debug):
        from flows.assignments import parse_assignments
        from flows.cli.checks import check_model, check_source_of
        from flows.settings import check_evaluation_settings
        from storage.sources import check_source

        overrides = parse_assignments(assignments)
        check_evaluation_settings(overrides)
        found = check_model(model, source)
        check_source(source) if source else check_source_of(found)
        runner = runner_here(context, quiet, debug)
        from flows.evaluate import evaluate_flow

        judged = runner.call(
            evaluate_flow, source or "as trained", found.id, overrides, tolerance, on_regression
        )
        print_judged(judged)


@app.command()
def score(
    context: typer.Context,
    pairs: Annotated[Path, typer.Argument(help="CSV with the columns index, image1, image2.")],
    images: Annotated[
        Path | None, typer.Option(help="Folder of the images.", show_default="the CSV's")
    ] = None,
    model: ModelName = None,
    output: Annotated[
        Path | None,
        typer.Option(help="Where to write index,sameArtist.", show_default="the run's folder"),
    ] = None,
    rejected_share: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Stop if more of the rows cannot be scored.",
            show_default="as in the model's training",
        ),
    ] = None,
    prior: Prior = None,
    resume: Resume = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Score the pairs of a CSV file into the database and a submission CSV."""
    with one_line_errors(debug):
        from flows.cli.checks import check_model, check_pairs

        check_pairs(pairs, output)
        if images and not images.expanduser().exists():
            raise InputError(f"--images {images}: there is no such folder or zip")
        if resume is not None and prior is not None:
            raise InputError("--prior: a resumed run has its own; leave it out")
        number = None if resume is None else find_stopped_run(resume, "score-flow").id
        uses_own = number is not None and model is None
        model_id = None if uses_own else check_model(model).id
        runner = runner_here(context, quiet, debug, f"{this_command()} score {pairs} --resume last")
        from flows.score import score_flow

        scored = runner.call(
            score_flow,
            str(pairs),
            str(images) if images else None,
            model_id,
            str(output) if output else None,
            rejected_share,
            prior,
            number,
        )
        typer.echo(f"{scored.n_pairs} pairs scored, evaluation {scored.evaluation_id}")
        if scored.n_rejected:
            typer.echo(f"{scored.n_rejected} rows not scored, see the run's rejected_pairs.csv")
        if scored.n_doubtful:
            typer.echo(f"{scored.n_doubtful} images are doubtful, see the run's cautions.csv")
        typer.echo(f"submission  {scored.submission}")


@app.command()
def sweep(
    context: typer.Context,
    source: OptionalSource = None,
    recipes: Annotated[
        list[str] | None,
        typer.Option(
            "--recipe",
            metavar="PRESET[:KEY=VALUE,...]",
            help="A preset, and settings that differ from it; name two or more.",
        ),
    ] = None,
    folds: Annotated[int, typer.Option(min=2, max=100, help="Parts of the artists.")] = 3,
    seeds: Annotated[int, typer.Option(min=1, max=100, help="Trainings on each part.")] = 1,
    resume: Resume = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Compare recipes on the same folds of artists, with paired intervals."""
    with one_line_errors(debug):
        from flows.cli.checks import paint_sample
        from flows.recipes import read_recipes
        from storage.sources import check_source

        if resume is None:
            read_recipes(recipes or ())
            source, number = source or "sample", None
            check_source(source)
        else:
            if source or recipes:
                raise InputError(
                    "--resume: the sweep has its own source and recipes; name no other"
                )
            stopped = find_stopped_run(resume, "sweep-flow")
            source, recipes, number = stopped.source, [], stopped.id
        runner = runner_here(context, quiet, debug, f"{this_command()} sweep --resume last")
        from flows.sweep import sweep_flow

        paint_sample(source)
        swept = runner.call(sweep_flow, source, recipes or [], folds, seeds, number)
        print_swept(swept)


@app.command()
def promote(
    model: Annotated[str, typer.Argument(help="The model to make the champion: a number or last.")],
    reason: Annotated[str, typer.Option(help="Why, for the history.")] = "by hand",
    debug: Debug = False,
) -> None:
    """Make a model the champion of its purpose, whatever the figures say."""
    with one_line_errors(debug), open_session() as session:
        from storage.database import records, results

        found = results.find_model(session, model)
        who = f"{getpass.getuser()}@{gethostname()}"
        records.promote(session, found.id, records.Ground(reason, who))
        typer.echo(f"model {found.id} is the champion of {found.purpose}")


@app.command()
def export(
    model: Annotated[str, typer.Argument(help="Number of a model, last, or champion.")],
    file: Annotated[Path, typer.Argument(help="Where to write it: FILE.onnx.")],
    debug: Debug = False,
) -> None:
    """Write a model to an ONNX file for use elsewhere, with a model card beside it."""
    with one_line_errors(debug):
        from flows.cli.export import export_model
        from flows.environment import existing_workspace

        written = export_model(model, file, existing_workspace())
        typer.echo(f"model  {written.model_id}, in {written.file}")
        typer.echo(f"card   {written.card}")


@app.command()
def compare(
    image_a: Path,
    image_b: Path,
    model: ModelName = None,
    prior: PairPrior = 0.5,
    picture: Annotated[
        Path | None,
        typer.Option(help="Draw what the network saw, and where the two are alike: FILE.png."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
    debug: Debug = False,
) -> None:
    """Say whether two images are by the same artist, how likely, and what makes it doubtful."""
    with one_line_errors(debug):
        from flows.cli.compare import compare_images
        from flows.environment import existing_workspace

        found = compare_images(image_a, image_b, model, prior, existing_workspace(), picture)
        if as_json:
            typer.echo(json.dumps(asdict(found)))
            return
        print_comparison(found)


def print_split(split: "SplitCatalog") -> None:
    """Print how many artists and images each split has, and where the catalog is."""
    for name, count in asdict(split.counts).items():
        typer.echo(f"{name.replace('_', ' '):18} {count:>9,}")
    typer.echo(f"{'catalog':18} {split.catalog.path}")

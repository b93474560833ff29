"""The command ``samehand``: the same flows in this process, two images compared, results shown."""

import json
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from flows.cli.errors import Debug, one_line_errors, raise_terminated, resend_lost_signal
from flows.cli.printing import print_judged, print_swept
from flows.cli.results import open_session, results_app
from flows.cli.settings_command import settings
from storage.errors import InputError

if TYPE_CHECKING:
    from storage.database.tables import Run

# Each command imports what it needs: torch and Prefect take seconds, which `--help` should not.

app = typer.Typer(
    help="Tells whether two paintings are by the same artist.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(results_app, name="results")
app.command()(settings)


SOURCES = (
    "sample, a folder with Kaggle's data, a folder with one sub-folder per artist, or a"
    " catalog CSV."
)
PRESETS = "Settings to start from: best, demo or reference."
Source = Annotated[str, typer.Argument(help=SOURCES)]
Preset = Annotated[str | None, typer.Option(help=PRESETS, show_default="best, for the sample demo")]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a setting; can be repeated."),
]
ModelNumber = Annotated[
    int | None, typer.Option("--model", help="Number of a model; the champion if left out.")
]


def main() -> None:
    """Run the command line; offline, and without a line about telemetry."""
    for name, value in (QUIET_PREFECT | SHORT_WAITS).items():
        os.environ.setdefault(name, value)
    signal.signal(signal.SIGTERM, raise_terminated)
    sys.unraisablehook = resend_lost_signal
    app()


QUIET_PREFECT = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    # A fresh home takes longer than Prefect's own limit allows on a small machine.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
}

# torch's threads wait for each other by spinning. They soon stop where something else, Prefect's
# server say, wants their core: it is then done sooner. To be set before torch is imported.
SHORT_WAITS = {"GOMP_SPINCOUNT": "10000"}


@app.command()
def prepare(
    source: Source = "sample",
    preset: Preset = None,
    assignments: Assignments = None,
    catalog_only: Annotated[
        bool, typer.Option("--catalog-only", help="Stop after the split; needs no image.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Read a source, divide its artists, crop its images to one zip."""
    with one_line_errors(debug):
        from flows.assignments import check_settings, parse_assignments, usual_preset
        from storage.sources import check_source

        overrides = parse_assignments(assignments)
        checked = check_settings(preset or usual_preset(source), overrides)
        check_source(source)
        from flows.prepare import Prepared, prepare_flow

        outcome = prepare_flow(source, checked, overrides, catalog_only)
        divided = outcome.divided if isinstance(outcome, Prepared) else outcome
        for name, count in asdict(divided.counts).items():
            typer.echo(f"{name.replace('_', ' '):18} {count:>9,}")
        typer.echo(f"{'catalog':18} {divided.catalog.path}")
        if isinstance(outcome, Prepared):
            typer.echo(f"{'crops':18} {outcome.dataset.crops}")


@app.command()
def train(
    source: Annotated[str | None, typer.Argument(help=SOURCES, show_default="sample")] = None,
    preset: Preset = None,
    assignments: Assignments = None,
    resume: Annotated[
        str | None,
        typer.Option(help="Go on with a run that was stopped: its number, or last."),
    ] = None,
    no_promote: Annotated[
        bool, typer.Option("--no-promote", help="Leave the champion as it is.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Train a network and judge it on artists it has never seen."""
    with one_line_errors(debug, "samehand train --resume last"):
        from flows.assignments import check_settings, parse_assignments, usual_preset
        from flows.presets import preset_name
        from storage.sources import check_source

        overrides = parse_assignments(assignments)
        if resume is None:
            source, number = source or "sample", None
            checked = check_settings(preset or usual_preset(source), overrides)
            check_source(source)
        else:
            if overrides or source or preset:
                raise InputError("--resume: the run has its own source and settings; name no other")
            stopped = find_stopped_run(resume, "train-flow")
            source, checked, number = stopped.source, preset_name(stopped.preset), stopped.id
        from flows.train import train_flow

        print_judged(train_flow(source, checked, overrides, number, not no_promote))


@app.command()
def evaluate(
    source: Annotated[
        str | None, typer.Option(help="Where the paintings are; the model's own if left out.")
    ] = None,
    model: ModelNumber = None,
    assignments: Assignments = None,
    tolerance: Annotated[
        float, typer.Option(min=0, max=1, help="How much the ROC AUC may fall.")
    ] = 0.02,
    on_regression: Annotated[
        Literal["warn", "fail"], typer.Option(help="What to do where it fell by more.")
    ] = "warn",
    debug: Debug = False,
) -> None:
    """Evaluate a stored model on artists it was not trained on."""
    with one_line_errors(debug):
        from flows.assignments import parse_assignments
        from flows.settings import check_evaluation_settings

        overrides = parse_assignments(assignments)
        check_evaluation_settings(overrides)
        from flows.evaluate import evaluate_flow

        print_judged(
            evaluate_flow(
                source or "as trained",
                "champion" if model is None else model,
                overrides,
                tolerance,
                on_regression,
            )
        )


@app.command()
def score(
    pairs: Annotated[Path, typer.Argument(help="CSV with the columns index, image1, image2.")],
    images: Annotated[
        Path | None, typer.Option(help="Folder of the images; the CSV's own if left out.")
    ] = None,
    model: ModelNumber = None,
    output: Annotated[Path | None, typer.Option(help="Where to write index,sameArtist.")] = None,
    rejected_share: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Stop where more of the rows cannot be scored."),
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(help="Go on with a run that was stopped: its number, or last."),
    ] = None,
    debug: Debug = False,
) -> None:
    """Score the pairs of a CSV file into the database and a submission CSV."""
    with one_line_errors(debug, f"samehand score {pairs} --resume last"):
        from flows.score import score_flow

        stopped = find_stopped_run(resume, "score-flow") if resume is not None else None
        scored = score_flow(
            str(pairs),
            str(images) if images else None,
            model,
            str(output) if output else None,
            rejected_share,
            stopped.id if stopped else None,
        )
        typer.echo(f"{scored.n_pairs} pairs scored, evaluation {scored.evaluation_id}")
        if scored.n_rejected:
            typer.echo(f"{scored.n_rejected} rows not scored, see the run's rejected_pairs.csv")
        typer.echo(f"submission  {scored.submission}")


@app.command()
def sweep(
    source: Annotated[str | None, typer.Argument(help=SOURCES, show_default="sample")] = None,
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
    resume: Annotated[
        str | None,
        typer.Option(help="Go on with a sweep that was stopped: its number, or last."),
    ] = None,
    debug: Debug = False,
) -> None:
    """Compare recipes on the same folds of artists, with paired intervals."""
    with one_line_errors(debug, "samehand sweep --resume last"):
        from flows.recipes import read_recipes
        from storage.sources import check_source

        if resume is None:
            read_recipes(recipes or ())
            check_source(source or "sample")
            number = None
        else:
            if source or recipes:
                raise InputError(
                    "--resume: the sweep has its own source and recipes; name no other"
                )
            stopped = find_stopped_run(resume, "sweep-flow")
            source, recipes, number = stopped.source, [], stopped.id
        from flows.sweep import sweep_flow

        print_swept(sweep_flow(source or "sample", recipes or [], folds, seeds, number))


@app.command()
def promote(
    model: Annotated[int, typer.Argument(help="Number of the model that becomes the champion.")],
    debug: Debug = False,
) -> None:
    """Make a model the champion, whatever the figures say."""
    with one_line_errors(debug):
        from flows.environment import workspace
        from storage.database import records, results
        from storage.database.session import transaction

        with transaction(workspace().database_url) as session:
            records.promote(session, results.find_model(session, model).id)
        typer.echo(f"model {model} is the champion")


@app.command()
def export(
    model: Annotated[str, typer.Argument(help="Number of a model, last, or champion.")],
    file: Annotated[Path, typer.Argument(help="Where to write it: FILE.onnx.")],
    debug: Debug = False,
) -> None:
    """Write a model to an ONNX file for use elsewhere, with a model card beside it."""
    with one_line_errors(debug):
        from flows.cli.export import export_model
        from flows.environment import workspace

        written = export_model(model, file, workspace())
        typer.echo(f"model  {written.model_id}, in {written.file}")
        typer.echo(f"card   {written.card}")


@app.command()
def compare(
    image_a: Path,
    image_b: Path,
    model: Annotated[
        str | None, typer.Option(help="Number of a model, or last; the champion if left out.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
    debug: Debug = False,
) -> None:
    """Print distance, threshold, probability and verdict for two images."""
    with one_line_errors(debug):
        from flows.cli.compare import compare_images
        from flows.environment import workspace

        found = compare_images(image_a, image_b, model, workspace())
        if as_json:
            typer.echo(json.dumps(asdict(found)))
            return
        verdict = "the same artist" if found.same_artist else "two artists"
        typer.echo(f"distance     {found.distance:.4f}")
        typer.echo(f"threshold    {found.threshold:.4f}")
        typer.echo(f"probability  {100 * found.probability:.1f} % that it is one artist")
        typer.echo(f"verdict      by {verdict}, says model {found.model_id}")


def find_stopped_run(wanted: str, flow_name: str) -> "Run":
    """Find the run to go on with: by its number, or the last one."""
    from storage.database import results

    with open_session() as session:
        return results.find_stopped_run(session, wanted, flow_name)

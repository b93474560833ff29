"""``samehand results``: the common questions to the results database."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.errors import one_line_errors
from flows.cli.options import Debug
from flows.cli.printing import Format, named_columns, print_table, terminal_width

if TYPE_CHECKING:
    import pandas as pd
    from sqlalchemy.orm import Session

    from storage.database.tables import Run

    Question = Callable[..., pd.DataFrame]

results_app = typer.Typer(help="Print tables of the results database.", no_args_is_help=True)

TableFormat = Annotated[Format, typer.Option("--format", help="How to print the table.")]
Columns = Annotated[
    str | None, typer.Option("--columns", metavar="A,B", help="Print these columns, in this order.")
]
Wide = Annotated[bool, typer.Option("--wide", help="Print all columns, and nothing cut.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Print at most so many; default: all.")]
FewPairs = Annotated[int, typer.Option(min=1, help="Print at most so many.")]
Number = Annotated[str, typer.Argument(help="A number, or last.")]

PAIR = (
    "filename_a", "artist_a", "filename_b", "artist_b", "distance", "probability", "correct",
)  # fmt: skip

SHOWN_AT = (0, 0.5, 0.8, 0.9, 1, 1.1, 1.2, 1.5, 2)
"""Distances at which a calibration is shown, in thresholds."""


def table(*columns: str) -> "Callable[[Question], Callable[..., None]]":
    """Make a question to the database a command that prints these columns, or others if told so.

    The command has the question's parameters but the session, and the options of a table.
    """

    def decorate(question: "Question") -> Callable[..., None]:
        def command(
            form: TableFormat = Format.table,
            named: Columns = None,
            wide: Wide = False,
            debug: Debug = False,
            **about: Any,
        ) -> None:
            with one_line_errors(debug), open_session() as session:
                answer = question(session, **about)
                usual = [name for name in columns if name in answer.columns]
                if named is not None:
                    usual = named_columns(answer, named)
                elif wide or form is not Format.table:
                    usual = []
                print_table(answer, form, usual, None if wide else terminal_width())

        _, *own = inspect.signature(question).parameters.values()
        *shared, _ = inspect.signature(command).parameters.values()
        shared = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in shared]
        command.__name__, command.__doc__ = question.__name__, question.__doc__
        command.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]
        command.__annotations__ = {one.name: one.annotation for one in (*own, *shared)}
        results_app.command()(command)
        return command

    return decorate


@table("id", "flow_name", "status", "preset", "source", "started_at", "error")
def runs(session: "Session") -> "pd.DataFrame":
    """Print all runs, newest first."""
    from storage.database import results

    return results.runs(session)


@table("name", "value")
def run(session: "Session", run: Number) -> "pd.DataFrame":
    """Print all that is recorded of a run, its settings and processes too."""
    from storage.database import questions, results

    return questions.describe_run(session, results.find_run(session, run))


@table(
    "epoch", "train_loss", "validation_loss", "validation_accuracy", "validation_roc_auc",
    "test_accuracy",
)  # fmt: skip
def epochs(session: "Session", run: Number) -> "pd.DataFrame":
    """Print the epochs of a training run."""
    from storage.database import results

    return results.epochs(session, results.find_training(session, run).id)


@table("id", "model_id", "split", "status", "triplet_accuracy", "roc_auc", "created_at")
def evaluations(session: "Session") -> "pd.DataFrame":
    """Print all evaluations, newest first."""
    from storage.database import results

    return results.evaluations(session)


@table(
    "rank", "model_id", "is_champion", "preset", "source", "n_images", "n_artists",
    "triplet_accuracy", "roc_auc",
)  # fmt: skip
def leaderboard(session: "Session") -> "pd.DataFrame":
    """Print the models with their latest test evaluation, best first on the same paintings."""
    from storage.database import results

    return results.leaderboard(session)


@table("id", "run_id", "epoch", "is_champion", "has_collapsed", "preset", "source", "threshold")
def models(session: "Session") -> "pd.DataFrame":
    """Print all models, newest first."""
    from storage.database import questions

    return questions.models(session)


@table("promoted_at", "purpose", "model_id", "former_model_id", "promoted_by", "reason")
def champions(session: "Session") -> "pd.DataFrame":
    """Print how models became champions, newest first."""
    from storage.database import results

    return results.promotions(session)


@table("model_id", "threshold", "distance", "log_likelihood_ratio", "probability", "verdict")
def calibration(session: "Session", model: Number = "champion") -> "pd.DataFrame":
    """Print what some distances mean to a model; the probability is at even odds."""
    import numpy as np
    import pandas as pd

    from model.calibration import calibration_of, log_likelihood_ratio, probability, verdict
    from storage.database import results

    found = results.find_model(session, model)
    known, distances = calibration_of(found), found.threshold * np.array(SHOWN_AT)
    return pd.DataFrame(
        {
            "model_id": found.id,
            "threshold": found.threshold,
            "slope": found.calibration_slope,
            "distance": distances,
            "log_likelihood_ratio": log_likelihood_ratio(distances, known),
            "probability": probability(distances, known),
            "verdict": [verdict(distance, known.band) for distance in distances],
            "predicted_same": distances <= found.threshold,
        }
    )


@table("id", "source", "artists", "images", "rejected", "created_at")
def datasets(session: "Session") -> "pd.DataFrame":
    """Print all datasets, newest first."""
    from storage.database import questions

    return questions.datasets(session)


@table("name", "split", "images")
def artists(session: "Session", dataset: Number = "last") -> "pd.DataFrame":
    """Print the artists of a dataset, with their split and number of images."""
    from storage.database import questions, results

    return questions.artists(session, results.find_dataset(session, dataset).id)


@table("filename", "reason")
def rejected(session: "Session", dataset: Number = "last") -> "pd.DataFrame":
    """Print the images of a dataset that cannot be used, and why."""
    from storage.database import questions, results

    return questions.rejected(session, results.find_dataset(session, dataset).id)


@table("contender", "scope", "metric", "value", "low", "high")
def measures(session: "Session", evaluation: Number) -> "pd.DataFrame":
    """Print every metric of an evaluation with its interval."""
    from storage.database import results

    return results.measures(session, results.find_evaluation(session, evaluation).id)


@table("name", "triplet_accuracy", "roc_auc", "matched_triplet_accuracy")
def baselines(session: "Session", evaluation: Number = "last") -> "pd.DataFrame":
    """Print what simpler methods achieve on the pairs of an evaluation."""
    from storage.database import questions, results

    return questions.baselines(session, results.find_evaluation(session, evaluation).id)


@table("tenth", "probability", "same_share", "n_pairs")
def reliability(session: "Session", evaluation: Number = "last") -> "pd.DataFrame":
    """Print what the probabilities of an evaluation are worth, in tenths."""
    from storage.database import questions, results

    return questions.reliability(session, results.find_evaluation(session, evaluation).id)


@table("artist", "n_images", "triplet_accuracy", "roc_auc", "nearest_artist")
def by_artist(session: "Session", evaluation: Number = "last") -> "pd.DataFrame":
    """Print the figures of each artist of an evaluation, the hardest first."""
    from storage.database import questions, results

    return questions.by_artist(session, results.find_evaluation(session, evaluation).id)


@table("recipe", "rival", "metric", "value", "low", "high")
def sweep(session: "Session", run: Number) -> "pd.DataFrame":
    """Print by how much the recipes of a sweep differ."""
    from storage.database import results

    found = results.find_run(session, run, "sweep-flow")
    return results.sweep_differences(session, found.id)


@table(*PAIR)
def pairs(
    session: "Session",
    evaluation: Number,
    limit: Limit = None,
    hardest: Annotated[
        bool, typer.Option("--hardest", help="Mistakes of both kinds, the greatest first.")
    ] = False,
) -> "pd.DataFrame":
    """Print the pairs of an evaluation."""
    from storage.database import results

    found = results.find_evaluation_with_pairs(session, evaluation)
    order: results.Order = "hardest" if hardest else "index"
    return results.pairs(session, found.id, limit=limit, order=order)


@table(*PAIR)
def artist(
    session: "Session", evaluation: Number, name: str, limit: FewPairs = 10
) -> "pd.DataFrame":
    """Print an artist's hardest pairs in an evaluation; a part of the name will do."""
    from storage.database import questions, results

    found = results.find_evaluation_with_pairs(session, evaluation)
    return questions.hardest_of_artist(session, found.id, name, limit)


@table(*PAIR)
def image(
    session: "Session", evaluation: Number, filename: str, limit: FewPairs = 10
) -> "pd.DataFrame":
    """Print the pairs of an image, nearest first; a part of its file's name will do."""
    from storage.database import questions, results

    found = results.find_evaluation_with_pairs(session, evaluation)
    return questions.pairs_of_image(session, found.id, filename, limit)


@table("metric", "before", "after", "difference")
def changes(session: "Session", evaluation_a: Number, evaluation_b: Number) -> "pd.DataFrame":
    """Print what changed from one evaluation to another, metric by metric."""
    from storage.database import questions, results

    found = (results.find_evaluation(session, each) for each in (evaluation_a, evaluation_b))
    return questions.changes(session, *found)


@results_app.command()
def export(evaluation: Number, file: Path, debug: Debug = False) -> None:
    """Write all pairs of an evaluation, with names and verdicts, as Parquet or CSV by suffix."""
    from storage.database import results
    from storage.database.export import export_pairs

    with one_line_errors(debug), open_session() as session:
        found = results.find_evaluation_with_pairs(session, evaluation)
        count = export_pairs(session, found.id, file)
        typer.echo(f"{count} pairs in {file}")


@results_app.command()
def prune(
    yes: Annotated[
        bool, typer.Option("--yes", help="Remove them; without it they are only listed.")
    ] = False,
    form: TableFormat = Format.table,
    debug: Debug = False,
) -> None:
    """List evaluations whose pairs are superseded by newer ones, or remove these pairs.

    What a run that ended a week ago left unfinished goes too; metrics always stay.
    """
    import pandas as pd

    from flows.environment import existing_workspace
    from storage.database import pruning
    from storage.database.engine import open_database

    with one_line_errors(debug):
        with open_session() as session:
            superseded, abandoned = pruning.superseded(session), pruning.abandoned(session)
        found = [one for one in (superseded, abandoned) if len(one)]
        if not found:
            typer.echo("there is nothing to remove", err=True)
            return
        print_table(pd.concat(found), form, width=terminal_width())
        if not yes:
            typer.echo("nothing is removed without --yes", err=True)
            return
        engine = open_database(existing_workspace().database_url)
        for evaluation_id in superseded["evaluation_id"].tolist():
            pruning.prune(engine, evaluation_id)
        for evaluation_id in abandoned["evaluation_id"].tolist():
            pruning.discard(engine, evaluation_id)
        n_pairs = int(pd.concat(found)["n_pairs"].fillna(0).sum())
        typer.echo(f"removed {n_pairs:,} pairs of {sum(map(len, found))} evaluations", err=True)


def find_stopped_run(wanted: str, flow_name: str) -> "Run":
    """Find the run to continue, by its number or the last one."""
    from storage.database import results

    with open_session() as session:
        return results.find_stopped_run(session, wanted, flow_name)


@contextmanager
def open_session() -> "Iterator[Session]":
    """Open the results database that the environment names; it must be there."""
    from flows.environment import existing_workspace
    from storage.database.session import transaction

    with transaction(existing_workspace().database_url) as session:
        yield session

"""``samehand results``: the common questions to the results database."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.errors import one_line_errors
from flows.cli.options import Debug
from flows.cli.printing import Format, print_table

if TYPE_CHECKING:
    import pandas as pd
    from sqlalchemy.orm import Session

results_app = typer.Typer(help="Print tables of the results database.", no_args_is_help=True)

TableFormat = Annotated[Format, typer.Option("--format", help="How to print the table.")]


@results_app.command()
def runs(form: TableFormat = Format.table, debug: Debug = False) -> None:
    """Print all runs, newest first."""
    from storage.database import results

    answer(results.runs, form, debug)


@results_app.command()
def epochs(run: str, form: TableFormat = Format.table, debug: Debug = False) -> None:
    """Print the epochs of a training run: its number, or last."""
    from storage.database import results

    def question(session: "Session") -> "pd.DataFrame":
        return results.epochs(session, results.find_run(session, run, "train-flow").id)

    answer(question, form, debug)


@results_app.command()
def evaluations(form: TableFormat = Format.table, debug: Debug = False) -> None:
    """Print all evaluations, newest first."""
    from storage.database import results

    answer(results.evaluations, form, debug)


@results_app.command()
def leaderboard(form: TableFormat = Format.table, debug: Debug = False) -> None:
    """Print the models with their latest test evaluation, best first."""
    from storage.database import results

    answer(results.leaderboard, form, debug)


@results_app.command()
def measures(evaluation: str, form: TableFormat = Format.table, debug: Debug = False) -> None:
    """Print every metric of an evaluation with its interval: its number, or last."""
    from storage.database import results

    def question(session: "Session") -> "pd.DataFrame":
        return results.measures(session, results.find_evaluation(session, evaluation).id)

    answer(question, form, debug)


@results_app.command()
def sweep(run: str, form: TableFormat = Format.table, debug: Debug = False) -> None:
    """Print by how much the recipes of a sweep differ: its number, or last."""
    from storage.database import results

    def question(session: "Session") -> "pd.DataFrame":
        found = results.find_run(session, run, "sweep-flow")
        return results.sweep_differences(session, found.id)

    answer(question, form, debug)


@results_app.command()
def pairs(
    evaluation: str,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Print at most so many; all if left out.")
    ] = None,
    hardest: Annotated[
        bool, typer.Option("--hardest", help="Most confidently wrong first.")
    ] = False,
    form: TableFormat = Format.table,
    debug: Debug = False,
) -> None:
    """Print the pairs of an evaluation: its number, or last."""
    from storage.database import results

    order: results.Order = "hardest" if hardest else "index"

    def question(session: "Session", found: int) -> "pd.DataFrame":
        return results.pairs(session, found, limit=limit, order=order)

    answer_about(evaluation, question, form, debug)


@results_app.command()
def artist(
    evaluation: str,
    name: str,
    limit: Annotated[int, typer.Option(min=1, help="Print at most so many.")] = 10,
    form: TableFormat = Format.table,
    debug: Debug = False,
) -> None:
    """Print an artist's hardest pairs in an evaluation: its number, or last."""
    from storage.database.questions import hardest_of_artist

    answer_about(
        evaluation,
        lambda session, found: hardest_of_artist(session, found, name, limit),
        form,
        debug,
    )


@results_app.command()
def image(
    evaluation: str,
    filename: str,
    limit: Annotated[int, typer.Option(min=1, help="Print at most so many.")] = 10,
    form: TableFormat = Format.table,
    debug: Debug = False,
) -> None:
    """Print the pairs of an image in an evaluation, nearest first."""
    from storage.database.questions import pairs_of_image

    answer_about(
        evaluation,
        lambda session, found: pairs_of_image(session, found, filename, limit),
        form,
        debug,
    )


@results_app.command()
def changes(
    evaluation_a: str,
    evaluation_b: str,
    form: TableFormat = Format.table,
    debug: Debug = False,
) -> None:
    """Print what changed from one evaluation to another, metric by metric."""
    from storage.database import questions, results

    def question(session: "Session") -> "pd.DataFrame":
        found = (results.find_evaluation(session, each) for each in (evaluation_a, evaluation_b))
        return questions.changes(session, *found)

    answer(question, form, debug)


@results_app.command()
def export(evaluation: str, file: Path, debug: Debug = False) -> None:
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
    """List evaluations that newer ones supersede or dead runs left, or remove their pairs.

    What a run that ended a week ago left unfinished goes too; metrics always stay.
    """
    import pandas as pd

    from flows.environment import workspace
    from storage.database import pruning
    from storage.database.engine import open_database

    with one_line_errors(debug):
        with open_session() as session:
            superseded, abandoned = pruning.superseded(session), pruning.abandoned(session)
        found = [table for table in (superseded, abandoned) if len(table)]
        print_table(pd.concat(found) if found else superseded, form)
        if not yes:
            typer.echo("nothing is removed without --yes", err=True)
            return
        engine = open_database(workspace().database_url)
        for evaluation_id in superseded["evaluation_id"].tolist():
            pruning.prune(engine, evaluation_id)
        for evaluation_id in abandoned["evaluation_id"].tolist():
            pruning.discard(engine, evaluation_id)
        engine.dispose()


def answer(question: "Callable[[Session], pd.DataFrame]", form: Format, debug: bool) -> None:
    """Put a question to the database and print the answer."""
    with one_line_errors(debug), open_session() as session:
        print_table(question(session), form)


def answer_about(
    evaluation: str, question: "Callable[[Session, int], pd.DataFrame]", form: Format, debug: bool
) -> None:
    """Put a question about the pairs of an evaluation: its number, or last."""
    from storage.database.results import find_evaluation_with_pairs

    def about(session: "Session") -> "pd.DataFrame":
        return question(session, find_evaluation_with_pairs(session, evaluation).id)

    answer(about, form, debug)


@contextmanager
def open_session() -> "Iterator[Session]":
    """Open the results database that the environment names."""
    from flows.environment import existing_workspace
    from storage.database.session import transaction

    with transaction(existing_workspace().database_url) as session:
        yield session

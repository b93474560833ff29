"""What the command line prints: tables for people, CSV and JSON for programs."""

from enum import StrEnum
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    import pandas as pd

    from flows.judge import Judged


class Format(StrEnum):
    """How a table is printed."""

    table = "table"
    csv = "csv"
    json = "json"


def print_table(table: "pd.DataFrame", form: Format) -> None:
    """Print a table of the results database."""
    if form is Format.csv:
        typer.echo(table.to_csv(index=False), nl=False)
    elif form is Format.json:
        typer.echo(table.to_json(orient="records", date_format="iso"))
    else:
        typer.echo(table.to_string(index=False, na_rep="–") if len(table) else "nothing yet")


def print_judged(judged: "Judged") -> None:
    """Print how a run ended: its figures beside the baselines', and where everything is."""
    from rich.console import Console
    from rich.markdown import Markdown
    from sqlalchemy import make_url

    from flows.environment import workspace
    from storage.database.engine import shown
    from storage.reports.report import contender_table

    report = judged.report
    table = contender_table(report.contenders, report.matched_on)
    Console().print(Markdown(f"{report.verdict}\n\n{table}"))
    typer.echo(f"report    {judged.report_path}")
    typer.echo(f"plots     {judged.report_path.parent}")
    typer.echo(f"database  {shown(make_url(workspace().database_url))}")
    typer.echo(
        f"more      samehand results pairs {judged.evaluation_id} --hardest --limit 10;"
        " samehand compare IMAGE_A IMAGE_B"
    )

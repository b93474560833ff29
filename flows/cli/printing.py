"""What the command line prints: tables for people, CSV and JSON for programs."""

from enum import StrEnum
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    import pandas as pd

    from flows.judge import Judged
    from flows.sweep import Swept


WIDEST = 40  # characters of a text in a table for people
MOMENT = "%Y-%m-%d %H:%M:%S"


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
        shown = readable(table)
        typer.echo(shown.to_string(index=False, na_rep="–") if len(shown) else "nothing yet")


def readable(table: "pd.DataFrame") -> "pd.DataFrame":
    """Return a table for people: moments to the second, long text cut, no column without content.

    Long text is cut in front, where paths are alike, but a reason behind, as it begins with
    what matters.
    """
    shown = table.dropna(axis="columns", how="all") if len(table) else table.copy()
    for name in shown.columns:
        if shown[name].dtype.kind == "M":
            shown[name] = shown[name].dt.strftime(MOMENT)
        elif shown[name].dtype == "Int64":  # of which to_string knows no other word for "missing"
            shown[name] = shown[name].astype("string").fillna("–")
        elif name in ("error", "reason"):
            shown[name] = shown[name].map(lambda text: _cut(text, f"{text}"[: WIDEST - 1] + "…"))
        elif shown[name].dtype.kind in "OT":
            shown[name] = shown[name].map(lambda text: _cut(text, "…" + f"{text}"[1 - WIDEST :]))
    return shown


def _cut(text: object, short: str) -> object:
    return short if isinstance(text, str) and len(text) > WIDEST else text


def print_swept(swept: "Swept") -> None:
    """Print how recipes compare, and where the report is."""
    from rich.console import Console
    from rich.markdown import Markdown

    from storage.reports.sweep import difference_table, recipe_table

    report = swept.report
    tables = (recipe_table(report.trainings), difference_table(report.differences))
    Console().print(Markdown("\n\n".join(tables)))
    typer.echo(f"report    {swept.report_path}")


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
    Console().print(Markdown(f"{report.summary}\n\n{table}"))
    typer.echo(f"report    {judged.report_path}")
    typer.echo(f"plots     {judged.report_path.parent}")
    typer.echo(f"database  {shown(make_url(workspace().database_url))}")
    typer.echo(
        f"more      samehand results pairs {judged.evaluation_id} --hardest --limit 10;"
        " samehand compare IMAGE_A IMAGE_B"
    )

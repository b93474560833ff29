"""What the command line prints: tables for people, CSV and JSON for programs."""

import math
import os
import shutil
import sys
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import typer

from flows.cli.running import this_command
from storage.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from flows.cli.compare import Comparison
    from flows.judge import Judged
    from flows.sweep import Swept

NARROWEST = 10  # characters of a text that is cut
MOMENT = "%Y-%m-%d %H:%M %Z"
GAP = 2
VERDICTS = {
    "same": "by the same artist",
    "different": "by two artists",
    "cannot tell": "cannot tell whether by one artist or by two",
}
SAME_FILE = "the same picture: both files are identical"
SAME_PICTURE = "the same picture, in two files"


class Format(StrEnum):
    """How a table is printed."""

    table = "table"
    csv = "csv"
    json = "json"


def title_of(found: "Comparison") -> str:
    """Say in a line what a comparison found."""
    if found.same_picture:
        return SAME_FILE if found.same_file else SAME_PICTURE
    return f"{VERDICTS[found.verdict]} ({_probability(found)})"


def print_comparison(found: "Comparison") -> None:
    """Print the verdict on two images, on what ground, and what makes it doubtful."""
    ratio = math.exp(min(abs(found.log_likelihood_ratio), 700))
    for_one = "one artist" if found.log_likelihood_ratio >= 0 else "two artists"
    typer.echo(f"distance     {found.distance:.4f}")
    typer.echo(f"threshold    {found.threshold:.4f}")
    if found.same_picture:
        typer.echo(f"verdict      {title_of(found)}")
    else:
        typer.echo(f"likelihood   {ratio:,.1f} times as high for {for_one}")
        typer.echo(f"probability  {_probability(found)}")
        typer.echo(f"verdict      {VERDICTS[found.verdict]}, says model {found.model_id}")
    for caution in found.cautions:
        about = f"{caution.image}: " if caution.image else ""
        typer.echo(f"caution      {about}{caution.text}")


def _probability(found: "Comparison") -> str:
    odds = "at even odds" if found.prior == 0.5 else f"if it was {100 * found.prior:g} % before"
    return f"{100 * found.probability:.1f} % that it is one artist, {odds}"


def print_table(
    table: "pd.DataFrame", form: Format, columns: Sequence[str] = (), width: int | None = None
) -> None:
    """Print a table of the results database; one for people with these columns, in this width."""
    if columns:
        table = table[list(columns)]
    if form is Format.csv:
        from storage.csv_cells import without_formulas

        typer.echo(without_formulas(table).to_csv(index=False), nl=False)
    elif form is Format.json:
        typer.echo(table.to_json(orient="records", date_format="iso"))
    elif table.empty:
        typer.echo("nothing to show")
    else:
        typer.echo(readable(table, width))


def named_columns(table: "pd.DataFrame", names: str) -> list[str]:
    """Read ``a,b``. Raises InputError if the table has no such column."""
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    for name in wanted:
        if name not in table.columns:
            known = ", ".join(table.columns)
            raise InputError(f"--columns: there is no column {name!r}; there are {known}")
    return wanted


def terminal_width() -> int | None:
    """The width that tables have to fit, or None if the output is read by something else."""
    fits = sys.stdout.isatty() or "COLUMNS" in os.environ
    return shutil.get_terminal_size().columns if fits else None


def readable(table: "pd.DataFrame", width: int | None = None) -> str:
    """Return a table as text, without empty columns, moments with their zone.

    If it is wider than ``width``, its longest texts are cut in the middle.
    """
    shown = table.dropna(axis="columns", how="all")
    cells = {str(name): [_as_text(cell) for cell in shown[name]] for name in shown}
    widths = {name: max(map(len, [name, *texts])) for name, texts in cells.items()}
    is_text = {name: shown[name].dtype.kind in "OT" for name in cells}
    while width and sum(widths.values()) + GAP * (len(widths) - 1) > width:
        longest = max(filter(is_text.get, widths), key=widths.__getitem__, default=None)
        if longest is None or widths[longest] <= max(NARROWEST, len(longest)):
            break
        widths[longest] -= 1
    columns = [
        [
            cut(text, widths[name]).ljust(widths[name])
            if is_text[name]
            else text.rjust(widths[name])
            for text in (name, *texts)
        ]
        for name, texts in cells.items()
    ]
    return "\n".join((" " * GAP).join(row).rstrip() for row in zip(*columns, strict=True))


def _as_text(cell: Any) -> str:
    import pandas as pd

    if pd.isna(cell):
        return "–"
    if isinstance(cell, datetime):
        return cell.astimezone(datetime.now().astimezone().tzinfo).strftime(MOMENT)
    return f"{cell:.4g}" if isinstance(cell, float) else str(cell)


def cut(text: str, width: int) -> str:
    """Cut a text in the middle, as names differ at both ends.

    >>> cut("claude-monet_water-lilies.jpg", 16)
    'claude-m…ies.jpg'
    """
    if len(text) <= width:
        return text
    behind = (width - 1) // 2
    return f"{text[: width - 1 - behind]}…{text[len(text) - behind :]}"


def print_swept(swept: "Swept") -> None:
    """Print how recipes compare, and where the report is."""
    from storage.reports.sweep import difference_table, recipe_table

    report = swept.report
    tables = (recipe_table(report.trainings), difference_table(report.differences))
    print_markdown("\n\n".join(tables))
    typer.echo(f"report    {swept.report_path}")


def print_judged(judged: "Judged") -> None:
    """Print how a run ended: its figures beside the baselines', and where everything is."""
    from sqlalchemy import make_url

    from flows.environment import workspace
    from storage.database.engine import shown
    from storage.reports.report import contender_table, escaped

    report = judged.report
    table = contender_table(report.contenders, report.matched_on)
    print_markdown(f"{escaped(report.summary)}\n\n{table}")
    typer.echo(f"report    {judged.report_path}")
    typer.echo(f"page      {judged.report_path.with_suffix('.html')}")
    typer.echo(f"plots     {judged.report_path.parent}")
    typer.echo(f"database  {shown(make_url(workspace().database_url))}")
    command = this_command()
    typer.echo(
        f"more      {command} results pairs {judged.evaluation_id} --hardest --limit 10;"
        f" {command} compare IMAGE_A IMAGE_B"
    )


def print_markdown(text: str) -> None:
    """Print text with tables."""
    from rich.console import Console
    from rich.markdown import Markdown

    Console().print(Markdown(text))

"""`samehand settings`: every setting with its value in a preset, its bounds and its meaning."""

from typing import Annotated, Any

import typer

from flows.cli.errors import one_line_errors
from flows.cli.options import Debug


def settings(
    name: Annotated[str | None, typer.Argument(help="One setting; all if left out.")] = None,
    preset: Annotated[str, typer.Option(help="best, demo or reference.")] = "best",
    debug: Debug = False,
) -> None:
    """Print every setting with its value in a preset, its bounds and its meaning."""
    with one_line_errors(debug):
        from flows.settings import Settings, preset_values, unknown_setting

        values, schema = preset_values(preset), Settings.model_json_schema()["properties"]
        if name is not None and name not in schema:
            raise unknown_setting(name, schema)
        shown = schema if name is None else {name: schema[name]}
        for one, field in shown.items():
            typer.echo(f"{one:24} {_written(values[one]):14}  {_bounds(field)}")
            typer.echo(f"    {field['description']}")


def _written(value: Any) -> str:
    """A value as people write it after --set."""
    return (
        "none" if value is None else f"{value}".lower() if isinstance(value, bool) else f"{value}"
    )


def _bounds(field: dict[str, Any]) -> str:
    """What a setting may be: words, a range, or a pattern."""
    if "anyOf" in field:  # an optional one
        return " or ".join(_bounds(kind) for kind in field["anyOf"])
    if "enum" in field:
        return ", ".join(field["enum"])
    kinds = {"boolean": "true or false", "null": "none", "string": "text", "number": "number"}
    kind = kinds.get(field["type"], "whole number")
    low = field.get("minimum", f"above {field.get('exclusiveMinimum')}")
    high = field.get("maximum", f"below {field.get('exclusiveMaximum')}")
    return f"{kind}, {low} to {high}" if "number" in kind else kind

"""The options that several commands share."""

from typing import Annotated

import typer

SOURCES = (
    "sample, a folder with Kaggle's data, a folder with one sub-folder per artist, or a"
    " catalog CSV."
)
Source = Annotated[str, typer.Argument(help=SOURCES)]
OptionalSource = Annotated[str | None, typer.Argument(help=SOURCES, show_default="sample")]
Preset = Annotated[
    str | None,
    typer.Option(
        help="Settings to start from: best, demo or reference.",
        show_default="best; demo for the sample",
    ),
]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a setting; can be repeated."),
]
ModelName = Annotated[
    str | None,
    typer.Option(
        "--model",
        help="A model's number, last, champion, or a purpose.",
        show_default="champion, or last",
    ),
]
Prior = Annotated[
    float | None,
    typer.Option(
        min=1e-9,
        max=1 - 1e-9,
        help="Share of such pairs by one artist, assumed beforehand; 0.5: even odds.",
        show_default="as in the model's training",
    ),
]
PairPrior = Annotated[
    float,
    typer.Option(
        "--prior",
        min=1e-9,
        max=1 - 1e-9,
        help="How likely one artist is beforehand; 0.5: even odds.",
    ),
]
Resume = Annotated[
    str | None, typer.Option(help="Continue a run that was stopped: its number, or last.")
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print only warnings, errors and the result.")
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]

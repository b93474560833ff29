"""Ask a collection: `atlas` embeds it; `attribute`, `neighbours` and `doubtful` ask it."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.errors import one_line_errors
from flows.cli.options import SOURCES, Debug, ModelName, Quiet, Resume
from flows.cli.results import Limit, find_stopped_run, table
from flows.cli.running import runner_here, this_command

if TYPE_CHECKING:
    import pandas as pd
    from sqlalchemy.orm import Session

    from flows.cli.kept_atlas import Asked, KeptAtlas

Images = Annotated[list[Path], typer.Argument(help="One picture or more.")]
Against = Annotated[
    str | None,
    typer.Option(help="The source of the collection.", show_default="that of the newest atlas"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def atlas(
    context: typer.Context,
    source: Annotated[str | None, typer.Argument(help=SOURCES, show_default="the model's")] = None,
    model: ModelName = None,
    resume: Resume = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Embed a collection, so that it can be asked; find each picture's neighbours and artists."""
    with one_line_errors(debug):
        from flows.cli.checks import check_model, check_source_of
        from storage.sources import check_source

        number = None if resume is None else find_stopped_run(resume, "atlas-flow").id
        found = None if number is not None and model is None else check_model(model, source)
        if found is not None and number is None:
            check_source(source) if source else check_source_of(found)
        runner = runner_here(context, quiet, debug, f"{this_command()} atlas --resume last")
        from flows.atlas import atlas_flow

        drawn = runner.call(
            atlas_flow,
            source or "as trained",
            "champion" if found is None else found.id,
            None,
            number,
        )
        made = drawn.atlas
        typer.echo(f"atlas {made.id}: {made.n_images} pictures by {made.n_artists} artists")
        for each in made.measures:
            interval = each.interval
            within = f"  [{interval.low:.3f}, {interval.high:.3f}]" if interval else ""
            typer.echo(f"{each.name:16} {each.value:.3f}{within}")
        typer.echo(f"page  {drawn.page}")
        typer.echo(f"more  {this_command()} attribute IMAGE; {this_command()} doubtful")


def attribute(
    images: Images,
    against: Against = None,
    model: ModelName = None,
    top: Annotated[int, typer.Option(min=1, help="So many artists.")] = 5,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Say which artists of a collection may have painted a picture, and how probable each is."""
    with one_line_errors(debug):
        from flows.cli.kept_atlas import attribute_asked

        kept, asked = _ask(images, against, model)
        found = attribute_asked(kept, asked, top)
        answers: list[dict[str, Any]] = [
            {
                "image": name,
                "atlas_id": kept.id,
                "model_id": kept.model.id,
                "artists": [
                    {"artist": kept.artists[artist], "probability": probability}
                    for artist, probability in zip(
                        found.artist[place].tolist(), found.probability[place].tolist(), strict=True
                    )
                ],
                "none_of_these": float(found.none[place]),
                "nearest": _nearest(kept, asked, place, top),
                "cautions": _cautions(asked, name),
            }
            for place, name in enumerate(asked.names)
        ]
        if as_json:
            typer.echo(json.dumps(answers))
            return
        for answer in answers:
            typer.echo(f"{answer['image']}, by the collection {kept.source}")
            for each in answer["artists"]:
                typer.echo(f"{100 * each['probability']:6.1f} %  {each['artist']}")
            none = 100 * answer["none_of_these"]
            typer.echo(f"{none:6.1f} %  none of these, at even odds that the artist is among them")
            _print_nearest(answer)


def neighbours(
    images: Images,
    against: Against = None,
    model: ModelName = None,
    count: Annotated[int, typer.Option(min=1, max=100, help="So many pictures.")] = 10,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Print the pictures of a collection that are most like a picture."""
    with one_line_errors(debug):
        kept, asked = _ask(images, against, model)
        answers = [
            {
                "image": name,
                "atlas_id": kept.id,
                "model_id": kept.model.id,
                "nearest": _nearest(kept, asked, place, count),
                "cautions": _cautions(asked, name),
            }
            for place, name in enumerate(asked.names)
        ]
        if as_json:
            typer.echo(json.dumps(answers))
            return
        for answer in answers:
            typer.echo(f"{answer['image']}, in the collection {kept.source}")
            _print_nearest(answer)


@table("filename", "artist", "probability", "likely_artist", "likely_probability")
def doubtful(
    session: "Session",
    atlas: Annotated[str, typer.Argument(help="Number of an atlas, or last.")] = "last",
    limit: Limit = None,
) -> "pd.DataFrame":
    """Print pictures that another artist is likelier to have painted, the likeliest first."""
    from storage.database import atlases

    return atlases.doubtful(session, atlas, limit)


def _ask(images: list[Path], against: str | None, model: str | None) -> tuple["KeptAtlas", "Asked"]:
    from flows.cli.kept_atlas import ask, open_atlas
    from flows.environment import existing_workspace

    space = existing_workspace()
    kept = open_atlas(model, against, space)
    return kept, ask(kept, images, space)


def _nearest(kept: "KeptAtlas", asked: "Asked", place: int, count: int) -> list[dict[str, Any]]:
    found = asked.neighbours
    rows, distances = found.rows[place, :count].tolist(), found.distance[place, :count].tolist()
    return [
        {
            "filename": kept.names[row],
            "artist": kept.artists[kept.gallery.artist[row]],
            "distance": distance,
        }
        for row, distance in zip(rows, distances, strict=True)
    ]


def _cautions(asked: "Asked", name: str) -> list[dict[str, Any]]:
    return [asdict(each) for each in asked.cautions if each.image in (name, None)]


def _print_nearest(answer: dict[str, Any]) -> None:
    typer.echo("nearest")
    for each in answer["nearest"]:
        typer.echo(f"{each['distance']:8.3f}  {each['artist']}: {each['filename']}")
    for caution in answer["cautions"]:
        typer.echo(f"caution   {caution['text']}")

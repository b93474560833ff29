"""`samehand duplicates`: what a source holds twice."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.errors import one_line_errors
from flows.cli.options import SOURCES, Debug
from flows.cli.printing import Format, print_table, terminal_width
from flows.cli.results import TableFormat
from storage.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from storage.catalogs.catalog import Catalog

DRAWN = 100  # pairs at most
SIDE = 224  # pixels of a drawn picture


def duplicates(
    source: Annotated[str, typer.Argument(help=SOURCES)],
    form: TableFormat = Format.table,
    picture: Annotated[
        Path | None, typer.Option(help="Draw the pairs side by side: FILE.png.")
    ] = None,
    debug: Debug = False,
) -> None:
    """List pictures that a source holds twice: saved again, resized, cropped a little, mirrored."""
    with one_line_errors(debug):
        from flows.cli.checks import read_whole_source
        from tasks.support.bar import terminal_bar

        if picture and (picture.suffix.lower() != ".png" or not picture.parent.is_dir()):
            raise InputError(f"--picture {picture}: name a .png file in a folder that is there")
        catalog = read_whole_source(source)
        with terminal_bar("reading") as progress:
            found = find_in(catalog, progress)
        print_table(found, form, tuple(found.columns), terminal_width())
        if picture and len(found):
            draw(found[:DRAWN], catalog, picture)


def find_in(catalog: "Catalog", progress: Callable[[int, int], None]) -> "pd.DataFrame":
    """Compare all images of a catalog; those that cannot be read are left out."""
    import numpy as np
    import pandas as pd

    from storage.datasets.crop import shrink_image
    from storage.datasets.decoding import without_pillow_warnings
    from storage.datasets.near_duplicates import find_near_duplicates
    from storage.image_files import ImageReader
    from storage.threads import in_threads

    files: Sequence[str] = catalog.images["file"].tolist()
    with ImageReader(catalog.root) as reader, without_pillow_warnings():

        def attempt(file: str) -> "np.ndarray | None":
            try:
                return shrink_image(reader.read(file))
            except (InputError, OSError):
                return None

        made = in_threads(attempt, files, progress)
    read = [row for row, small in enumerate(made) if small is not None]
    usable = [small for small in made if small is not None]
    pairs = find_near_duplicates(np.stack(usable)) if usable else []
    images = catalog.images.iloc[read]
    kept = images.iloc[[pair.first for pair in pairs]].reset_index()
    other = images.iloc[[pair.second for pair in pairs]].reset_index()
    return pd.DataFrame(
        {
            "filename": other["image_name"],
            "artist": other["artist_name"],
            "duplicate_of": kept["image_name"],
            "its_artist": kept["artist_name"],
            "kind": [pair.kind for pair in pairs],
            "similarity": [pair.similarity for pair in pairs],
        }
    )


def draw(found: "pd.DataFrame", catalog: "Catalog", target: Path) -> None:
    """Draw pairs of images side by side."""
    import numpy as np
    from PIL import Image

    from storage.datasets.loose_crops import read_small
    from storage.image_files import ImageReader
    from storage.reports.plots import ShownPair, plot_pairs

    files = dict(zip(catalog.images["image_name"], catalog.images["file"], strict=True))
    with ImageReader(catalog.root) as reader:

        def square(name: str) -> "np.ndarray":
            small = read_small(reader.read(files[name]), SIDE)
            return np.asarray(Image.fromarray(small).resize((SIDE, SIDE)))

        shown = [
            ShownPair(
                square(row["duplicate_of"]),
                square(row["filename"]),
                f"{row['duplicate_of']}\n{row['filename']}\n{row['kind']}",
            )
            for row in found.to_dict("records")
        ]
    plot_pairs(shown, "Pictures that are there twice", target)

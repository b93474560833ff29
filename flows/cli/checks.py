"""What can be checked before Prefect is started or imported, and `prepare` without images."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from flows.environment import existing_workspace, workspace
from flows.errors import SettingsError
from storage.database.handed_out import HandedOut, hand_out
from storage.errors import InputError
from storage.sources import SAMPLE, check_source, full_name

if TYPE_CHECKING:
    import pandas as pd

    from flows.recipes import ChosenSettings
    from flows.settings import Settings
    from storage.catalogs.catalog import Catalog
    from storage.datasets.building import SplitCatalog
    from storage.workspace import Workspace

TRAINING = ("train", "validation", "test")


def check_paintings(source: str, chosen: "ChosenSettings", needed: Sequence[str] = ()) -> str:
    """Read and split a source as a run will; return what it holds, in one line.

    A `matched_on` that the user set must be in the catalog; that of a preset may be missing.
    Raises InputError or SettingsError for whatever would end the run before any image is read. Of
    a sample gallery that is still to be painted nothing is checked.
    """
    settings, space = chosen.settings, workspace()
    check_weights(settings)
    if source == SAMPLE and not space.sample.exists():
        from storage.sources.gallery.paintings import GalleryPlan

        plan = GalleryPlan()
        images = f"{plan.paintings} images by {plan.painters} artists"
        return f"the sample gallery is painted first: {images}"
    from storage.catalogs.split_counts import count_split

    catalog = _read(source, settings, space)
    column = settings.matched_on
    is_asked_for = "matched_on" in chosen.overrides
    if is_asked_for and column is not None and column not in catalog.images.columns:
        known = ", ".join(name for name in catalog.images.columns if name != "file")
        raise SettingsError(f"matched_on: {source} has no column {column!r}; it has {known}")
    return str(count_split(_split(catalog, settings, needed)))


def paint_sample(source: str) -> None:
    """Paint the sample gallery, if that is the source, while Prefect's server starts."""
    if source == SAMPLE:
        _locate(source, workspace())


def check_weights(settings: "Settings") -> None:
    """Raise SettingsError if the file of weights is missing."""
    weights = settings.weights
    if weights not in ("pretrained", "none") and not Path(weights).is_file():
        raise SettingsError(f"weights: there is no file {weights}; use pretrained, none or a file")


def prepare_catalog(
    source: str, settings: "Settings", warn: Callable[[str], None]
) -> "SplitCatalog":
    """Read a source, split its artists, and write the catalog into the workspace.

    ``warn`` is called with each line on what the source leaves out.
    """
    from storage.datasets.building import keep_split

    space = workspace()
    catalog = _read(source, settings, space)
    for note in catalog.notes:
        warn(note)
    return keep_split(space, source, catalog.root, _split(catalog, settings))


def read_whole_source(source: str) -> "Catalog":
    """Read a source with all its images, also those that a training would not draw."""
    from storage.sources import KaggleDraw, read_source

    return read_source(_locate(source, workspace()), KaggleDraw(0, 0))


def check_pairs(pairs: Path, output: Path | None) -> None:
    """Raise InputError unless ``pairs`` looks like a file of pairs, and ``output`` is another."""
    from storage.pairs.faults import Faults
    from storage.pairs.stream import read_batches

    if pairs.exists() and not pairs.is_file():
        raise InputError(f"{pairs}: is not a file")  # to read a pipe may take for ever
    next(read_batches(pairs.expanduser(), Faults()), None)
    if output and output.is_dir():
        raise InputError(f"--output {output}: is a folder; name a file")
    if output and output.exists() and output.samefile(pairs.expanduser()):
        raise InputError(f"--output {output}: is the file of pairs itself; name another")


def check_model(wanted: str | None, source: str | None = None) -> HandedOut:
    """Return the model to use, if none is named the champion of a source.

    Raises InputError if there is none, or its checkpoint is gone.
    """
    space = existing_workspace()
    model = hand_out(space.database_url, wanted, source and full_name(source))
    space.checkpoint(model.id, model.path)
    return model


def check_source_of(model: HandedOut) -> None:
    """Raise InputError if the source that a model was trained on is gone."""
    from storage.database.session import transaction
    from storage.database.tables import Run

    with transaction(workspace().database_url) as session:
        check_source(session.get_one(Run, model.run_id).source)


def _read(source: str, settings: "Settings", space: "Workspace") -> "Catalog":
    from storage.sources import read_source

    return read_source(_locate(source, space), settings.kaggle_draw())


def _locate(source: str, space: "Workspace") -> Path:
    from storage.sources import locate_source
    from tasks.support.bar import terminal_bar

    with terminal_bar("painting the sample gallery") as progress:
        return locate_source(source, space.sample, progress)


def _split(catalog: "Catalog", settings: "Settings", needed: Sequence[str] = ()) -> "pd.DataFrame":
    from storage.catalogs.split import require_splits, split_catalog

    images = split_catalog(catalog.images, settings.split_rules())
    require_splits(images, needed)
    return images

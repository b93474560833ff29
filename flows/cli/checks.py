"""What can be checked before Prefect is started or imported, and `prepare` without images."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flows.environment import existing_workspace, workspace
from flows.errors import SettingsError
from storage.database.handed_out import HandedOut, hand_out
from storage.errors import InputError
from storage.sources import check_source

if TYPE_CHECKING:
    import pandas as pd

    from flows.settings import Settings
    from storage.catalogs.catalog import Catalog
    from storage.catalogs.split_counts import SplitCounts
    from storage.workspace import Workspace

SAMPLE = "sample"
TRAINING = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Divided:
    """Where the catalog of a source is, and how many artists and images each split has."""

    path: Path
    counts: "SplitCounts"


def check_paintings(
    source: str, settings: "Settings", is_asked_for: bool, needed: Sequence[str] = ()
) -> str:
    """Read and split a source as a run will; return what it holds, in one line.

    ``is_asked_for`` says that the user set `matched_on`; a preset's may be missing in the catalog.
    Raises InputError or SettingsError for whatever would end the run before any image is read. Of a
    sample gallery that is still to be painted nothing is checked.
    """
    check_weights(settings)
    check_source(source)
    space = workspace()
    if source == SAMPLE and not space.sample.exists():
        from storage.sources.gallery.paintings import GalleryPlan

        plan = GalleryPlan()
        images = f"{plan.paintings} images by {plan.painters} artists"
        return f"the sample gallery is painted first: {images}"
    from storage.catalogs.split_counts import count_split

    catalog = _read(source, settings, space)
    column = settings.matched_on
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


def prepare_catalog(source: str, settings: "Settings") -> Divided:
    """Read a source, split its artists, and write the catalog into the workspace."""
    from storage.catalogs.split_counts import count_split
    from storage.datasets.building import keep_catalog

    check_source(source)
    space = workspace()
    catalog = _read(source, settings, space)
    images = _split(catalog, settings)
    return Divided(keep_catalog(space, source, catalog.root, images).path, count_split(images))


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


def check_model(wanted: str | None) -> HandedOut:
    """Return the model to use. Raises InputError if there is none, or its checkpoint is gone."""
    space = existing_workspace()
    model = hand_out(space.database_url, wanted)
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
    from tqdm import tqdm

    from storage.sources import locate_source

    with tqdm(desc="painting the sample gallery", unit="image", disable=None, leave=False) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        return locate_source(source, space.sample, show)


def _split(catalog: "Catalog", settings: "Settings", needed: Sequence[str] = ()) -> "pd.DataFrame":
    from storage.catalogs.split import require_splits, split_catalog

    images = split_catalog(catalog.images, settings.split_rules())
    require_splits(images, needed)
    return images

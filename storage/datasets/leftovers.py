"""Removes what killed runs left unfinished among the datasets."""

from datetime import UTC, datetime

from storage.datasets.dataset import Dataset
from storage.files import remove, remove_partials
from storage.workspace import RESUMABLE, Workspace


def remove_leftovers(space: Workspace) -> None:
    """Remove half-written files of datasets that no process is making.

    Finished crops of an unfinished dataset wait for a resumed run, up to a week after their last
    change.
    """
    for directory in [path for path in space.datasets.glob("*") if path.is_dir()]:
        dataset = Dataset(directory)
        with space.try_lock(dataset.lock) as is_left:
            if not is_left:
                continue
            idle = datetime.now(UTC) - _last_written(dataset)
            remove_partials(directory)
            if idle > RESUMABLE and not dataset.is_complete:
                remove(directory)


def _last_written(dataset: Dataset) -> datetime:
    written = [path for path in dataset.directory.iterdir() if path != dataset.lock]
    return datetime.fromtimestamp(max((path.stat().st_mtime for path in written), default=0), UTC)

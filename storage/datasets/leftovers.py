"""What killed runs left half-made among the datasets."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

from storage.datasets.dataset import Dataset
from storage.files import remove_partials
from storage.locks import try_lock
from storage.workspace import RESUMABLE


def remove_leftovers(datasets: Path) -> None:
    """Remove half-written files of the datasets in a folder that no process is making.

    Whole crops of an unfinished dataset wait for a run that goes on, untouched for a week at most.
    """
    for directory in [path for path in datasets.glob("*") if path.is_dir()]:
        dataset = Dataset(directory)
        with try_lock(dataset.lock) as is_left:
            if not is_left:
                continue
            idle = datetime.now(UTC) - _last_written(dataset)
            remove_partials(directory)
            if idle > RESUMABLE and not dataset.is_complete:
                shutil.rmtree(directory)


def _last_written(dataset: Dataset) -> datetime:
    written = [path for path in dataset.directory.iterdir() if path != dataset.lock]
    return datetime.fromtimestamp(max((path.stat().st_mtime for path in written), default=0), UTC)

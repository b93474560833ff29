"""Removes what killed runs left among the datasets and the features."""

from collections.abc import Iterator
from datetime import UTC, datetime

from storage.datasets.dataset import Dataset
from storage.datasets.features import FeatureStore
from storage.files import remove, remove_partials
from storage.run_folder import RESUMABLE
from storage.workspace import Workspace


def remove_leftovers(space: Workspace) -> None:
    """Remove half-written files of datasets and features that no process is making.

    Finished shards of an unfinished one wait for a resumed run, up to a week after their last
    change.
    """
    for each in _made(space):
        with space.try_lock(each.lock) as is_left:
            if not is_left:
                continue
            idle = datetime.now(UTC) - _last_written(each)
            remove_partials(each.directory)
            if each.is_complete:
                remove(each.staging)
            elif idle > RESUMABLE:
                remove(each.directory)


def _made(space: Workspace) -> Iterator[Dataset | FeatureStore]:
    for parent, kind in ((space.datasets, Dataset), (space.features, FeatureStore)):
        yield from [kind(path) for path in parent.glob("*") if path.is_dir()]


def _last_written(made: Dataset | FeatureStore) -> datetime:
    written = [path for path in made.directory.iterdir() if path != made.lock]
    return datetime.fromtimestamp(max((path.stat().st_mtime for path in written), default=0), UTC)

"""The folder for everything that outlives a run."""

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from storage.errors import InputError
from storage.files import is_taken, present, write_atomically
from storage.locks import has_locks, try_lock, wait_lock
from storage.object_store import address_of


@dataclass(frozen=True, slots=True)
class Workspace:
    """The folder ``SAMEHAND_HOME``, or the cache of that store, and the results database's URL.

    The URL may hold a password, so it is left out of the repr.
    """

    home: Path
    database_url: str = field(repr=False)

    @property
    def sample(self) -> Path:
        """The sample gallery, in Kaggle's layout."""
        return self.home / "sample"

    @property
    def catalogs(self) -> Path:
        """Catalogs before and after the split, named by their content."""
        return self.home / "catalogs"

    @property
    def datasets(self) -> Path:
        """One folder for each prepared dataset."""
        return self.home / "datasets"

    @property
    def features(self) -> Path:
        """One folder for each set of features, named by a hash of its inputs."""
        return self.home / "features"

    @property
    def backbones(self) -> Path:
        """Exported frozen backbones, named by their content."""
        return self.home / "backbones"

    @property
    def runs(self) -> Path:
        """One folder for each run."""
        return self.home / "runs"

    def identity(self) -> str:
        """What tells this workspace from every other, wherever it is mounted; made once."""
        if address := address_of(self.home):
            return address
        file = self.home / ".identity"
        with self.wait_lock(self.home / ".identity.lock", name=str(file)):
            if not file.exists():
                write_atomically(file, uuid4().hex.encode())
        return file.read_text()

    @property
    def has_file_locks(self) -> bool:
        """Whether its files can be locked; if not, the results database holds leases instead."""
        on_one_machine = self.database_url.startswith("sqlite")
        return on_one_machine or (address_of(self.home) is None and has_locks(self.home))

    def try_lock(self, path: Path, is_patient: bool = False) -> AbstractContextManager[bool]:
        """Lock a file in the workspace if it is free; see `locks.try_lock` and `try_lease`."""
        if self.has_file_locks:
            return try_lock(path)
        from storage.database.leases import try_lease  # takes SQLAlchemy along

        return try_lease(self.database_url, self._lease_name(path), is_patient)

    def wait_lock(
        self, path: Path, waiting: Callable[[], None] = lambda: None, name: str | None = None
    ) -> AbstractContextManager[None]:
        """Wait for the lock of a file in the workspace; see `locks.wait_lock`."""
        if self.has_file_locks:
            return wait_lock(path, waiting)
        from storage.database.leases import wait_lease

        return wait_lease(self.database_url, name or self._lease_name(path), waiting)

    def new_run_folder(self, name: str) -> str:
        """Create the folder of a new run, and return its path as stored in the database.

        An existing folder belongs to another database's run with that number, so the new one gets a
        suffix.
        """
        folder, number = self.runs / name, 1
        while True:
            with suppress(FileExistsError):
                folder.mkdir(parents=True)
                if not is_taken(folder):
                    return self.relative(folder)
            number += 1
            folder = self.runs / f"{name}-{number}"

    def checkpoint(self, model_id: int, stored: str) -> Path:
        """The checkpoint of a model, at its path as stored. Raises InputError if it is gone."""
        path = present(self.home / stored)
        if not path.is_file():
            raise InputError(
                f"{path}: the checkpoint of model {model_id} is gone;"
                " put it back or name another model"
            )
        return path

    def dataset_folder(self, stored_catalog: str) -> Path:
        """The folder of a dataset, by its catalog's path as stored."""
        return (self.home / stored_catalog).parent

    def relative(self, path: Path) -> str:
        """A path as stored in the database, so that the workspace can be moved."""
        return path.relative_to(self.home).as_posix()

    def _lease_name(self, path: Path) -> str:
        return f"{self.identity()}/{self.relative(path)}"

"""The folder for everything that outlives a run."""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final
from uuid import uuid4

from storage.errors import InputError
from storage.files import write_atomically
from storage.locks import wait_lock

RESUMABLE: Final = timedelta(days=7)
"""How long a stopped run's unfinished files are kept so that it can resume."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """The folder ``SAMEHAND_HOME``, and the URL of the results database.

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
        file = self.home / ".identity"
        with wait_lock(self.home / ".identity.lock"):
            if not file.exists():
                write_atomically(file, uuid4().hex.encode())
        return file.read_text()

    def new_run_folder(self, name: str) -> str:
        """Create the folder of a new run, and return its path as stored in the database.

        An existing folder belongs to another database's run with that number, so the new one gets a
        suffix.
        """
        folder, number = self.runs / name, 1
        while True:
            with suppress(FileExistsError):
                folder.mkdir(parents=True)
                return self.relative(folder)
            number += 1
            folder = self.runs / f"{name}-{number}"

    def checkpoint(self, model_id: int, stored: str) -> Path:
        """The checkpoint of a model, at its path as stored. Raises InputError if it is gone."""
        path = self.home / stored
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

"""Where everything that outlives a run is kept."""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final
from uuid import uuid4

from storage.files import write_atomically
from storage.locks import wait_lock

RESUMABLE: Final = timedelta(days=7)
"""So long what a stopped run has left unfinished is kept for it to go on."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """The folder under ``SAMEHAND_HOME``, and the address of the results database.

    The address may hold a password, so it stays out of the value's printed form.
    """

    home: Path
    database_url: str = field(repr=False)

    @property
    def sample(self) -> Path:
        """The sample gallery, written as Kaggle writes its data."""
        return self.home / "sample"

    @property
    def catalogs(self) -> Path:
        """Catalogs as they were read and as they were split, named by their content."""
        return self.home / "catalogs"

    @property
    def datasets(self) -> Path:
        """One folder for each prepared dataset."""
        return self.home / "datasets"

    @property
    def features(self) -> Path:
        """One folder for each set of features, named by what it was made from."""
        return self.home / "features"

    @property
    def backbones(self) -> Path:
        """Frozen backbones, exported once each and named by their content."""
        return self.home / "backbones"

    @property
    def runs(self) -> Path:
        """One folder for each run: checkpoints, plots, report."""
        return self.home / "runs"

    def identity(self) -> str:
        """What tells this workspace from every other, wherever it is mounted; made once."""
        file = self.home / ".identity"
        with wait_lock(self.home / ".identity.lock"):
            if not file.exists():
                write_atomically(file, uuid4().hex.encode())
        return file.read_text()

    def new_run_folder(self, name: str) -> str:
        """Make the folder of a new run, and return its path as the database keeps it.

        One that is there belongs to another database's run of that number; it gets another name.
        """
        folder, number = self.runs / name, 1
        while True:
            try:
                folder.mkdir(parents=True)
            except FileExistsError:
                number += 1
                folder = self.runs / f"{name}-{number}"
            else:
                return self.relative(folder)

    def relative(self, path: Path) -> str:
        """A path as the database keeps it, so that the workspace can be moved."""
        return path.relative_to(self.home).as_posix()

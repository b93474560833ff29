"""What the environment says: where things are kept, and in which database results are."""

import os
from pathlib import Path

from storage.errors import InputError
from storage.workspace import Workspace


def workspace() -> Workspace:
    """The workspace named by ``SAMEHAND_HOME`` and ``SAMEHAND_DATABASE_URL``, or the default."""
    home = Path(os.environ.get("SAMEHAND_HOME") or "workspace").expanduser().absolute()
    return Workspace(
        home, os.environ.get("SAMEHAND_DATABASE_URL") or f"sqlite:///{home}/results.db"
    )


def existing_workspace() -> Workspace:
    """The workspace, for commands that only read. Raises InputError if its database is missing."""
    space = workspace()
    file = space.database_url.removeprefix("sqlite:///")
    if file != space.database_url and not Path(file).exists():
        raise InputError(
            f"there is no results database {file} yet; train first, or name another by"
            " SAMEHAND_HOME or SAMEHAND_DATABASE_URL"
        )
    return space

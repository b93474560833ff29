"""The workspace and the results database that the environment names."""

import os
from pathlib import Path
from urllib.parse import quote

from storage.database.handed_out import sqlite_file
from storage.errors import InputError
from storage.workspace import Workspace


def workspace() -> Workspace:
    """The workspace named by ``SAMEHAND_HOME`` and ``SAMEHAND_DATABASE_URL``, or the default."""
    home = Path(os.environ.get("SAMEHAND_HOME") or "workspace").expanduser().absolute()
    default = f"sqlite:///{quote(str(home))}/results.db"
    return Workspace(home, os.environ.get("SAMEHAND_DATABASE_URL") or default)


def existing_workspace() -> Workspace:
    """The workspace, for commands that only read. Raises InputError if its database is missing."""
    space = workspace()
    file = sqlite_file(space.database_url)
    if file is not None and not file.exists():
        raise InputError(
            f"there is no results database {file} yet; train first, or name another by"
            " SAMEHAND_HOME or SAMEHAND_DATABASE_URL"
        )
    return space

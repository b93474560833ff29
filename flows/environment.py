"""The workspace and the results database that the environment names."""

import os
from pathlib import Path
from urllib.parse import quote

from storage.database.handed_out import sqlite_file
from storage.errors import InputError
from storage.object_store import cache_of, is_address
from storage.workspace import Workspace

DATABASE_URL = "SAMEHAND_DATABASE_URL"


def workspace() -> Workspace:
    """The workspace named by ``SAMEHAND_HOME`` and ``SAMEHAND_DATABASE_URL``, or the default.

    An object store has its cache in ``SAMEHAND_CACHE``. Raises InputError if it cannot serve.
    """
    named, url = os.environ.get("SAMEHAND_HOME") or "workspace", os.environ.get(DATABASE_URL)
    if not is_address(named):
        home = Path(named).expanduser().absolute()
        return Workspace(home, url or f"sqlite:///{quote(str(home))}/results.db")
    if not url or sqlite_file(url) is not None:
        raise InputError(
            f"SAMEHAND_HOME={named}: an object store cannot hold an SQLite database;"
            f" name a PostgreSQL database in {DATABASE_URL}"
        )
    parent = os.environ.get("SAMEHAND_CACHE") or "~/.cache/samehand"
    return Workspace(cache_of(named, Path(parent)), url)


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

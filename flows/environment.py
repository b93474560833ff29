"""What the environment says: where things are kept, and in which database results are."""

import os
from pathlib import Path

from storage.workspace import Workspace


def workspace() -> Workspace:
    """The workspace named by ``SAMEHAND_HOME`` and ``SAMEHAND_DATABASE_URL``, or the default."""
    home = Path(os.environ.get("SAMEHAND_HOME") or "workspace").absolute()
    return Workspace(
        home, os.environ.get("SAMEHAND_DATABASE_URL") or f"sqlite:///{home}/results.db"
    )

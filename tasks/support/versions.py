"""The versions that a run's figures depend on."""

import importlib.metadata
import platform
import subprocess
from pathlib import Path

LIBRARIES = ("torch", "torchvision", "prefect", "pillow", "numpy", "pandas", "sqlalchemy")


def code_version() -> str:
    """Return this program's version, with the git revision if it runs from a checkout."""
    version = importlib.metadata.version("samehand")
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    try:
        described = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False
        )
    except OSError:  # there is no git
        return version
    revision = described.stdout.strip()
    return f"{version}+{revision}" if revision else version


def library_versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries."""
    versions = {name: importlib.metadata.version(name) for name in LIBRARIES}
    return {"python": platform.python_version(), **versions}

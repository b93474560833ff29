"""The versions of code and libraries that a run records."""

import importlib.metadata
from pathlib import Path

import pytest
import sqlalchemy

from tasks.support.versions import code_version, library_versions


def test_without_git_the_version_of_the_code_is_that_of_the_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = importlib.metadata.version("samehand")
    assert code_version().startswith(installed)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert code_version() == installed


def test_libraries_have_the_versions_that_are_imported() -> None:
    assert library_versions()["sqlalchemy"] == sqlalchemy.__version__

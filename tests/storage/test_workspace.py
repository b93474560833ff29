from pathlib import Path

import pytest

from storage.workspace import Workspace

SPACE = Workspace(Path("/home/w"), "postgresql+psycopg://anna:secret@host/db")


def test_everything_has_its_own_folder_beneath_the_home() -> None:
    folders = {SPACE.sample, SPACE.catalogs, SPACE.datasets, SPACE.runs}
    assert {folder.name for folder in folders} == {"sample", "catalogs", "datasets", "runs"}
    assert {folder.parent for folder in folders} == {Path("/home/w")}


def test_a_path_is_kept_relative_to_the_home() -> None:
    assert SPACE.relative(SPACE.runs / "7" / "report.md") == "runs/7/report.md"
    with pytest.raises(ValueError, match="is not in the subpath"):
        SPACE.relative(Path("/elsewhere/report.md"))


def test_the_password_is_not_printed() -> None:
    assert "secret" not in repr(SPACE)
    assert "secret" not in str(SPACE)
    assert "/home/w" in repr(SPACE)

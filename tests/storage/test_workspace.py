from pathlib import Path

import pytest

from storage.workspace import Workspace

SPACE = Workspace(Path("/home/w"), "postgresql+psycopg://anna:secret@host/db")


def test_everything_has_its_own_folder_in_the_home() -> None:
    folders = {SPACE.sample, SPACE.catalogs, SPACE.datasets, SPACE.runs}
    assert {folder.name for folder in folders} == {"sample", "catalogs", "datasets", "runs"}
    assert {folder.parent for folder in folders} == {Path("/home/w")}


def test_paths_are_stored_relative_to_the_home() -> None:
    assert SPACE.relative(SPACE.runs / "7" / "report.md") == "runs/7/report.md"
    with pytest.raises(ValueError, match="is not in the subpath"):
        SPACE.relative(Path("/elsewhere/report.md"))


def test_a_new_run_does_not_use_the_folder_of_another_databases_run(tmp_path: Path) -> None:
    one, other = (Workspace(tmp_path, f"sqlite:///{name}.db") for name in ("one", "other"))
    first = one.new_run_folder("0003-train")
    (tmp_path / first / "report.md").write_text("kept")
    later = [other.new_run_folder("0003-train") for _ in range(2)]
    assert [first, *later] == ["runs/0003-train", "runs/0003-train-2", "runs/0003-train-3"]
    assert (tmp_path / first / "report.md").read_text() == "kept"
    assert not list((tmp_path / later[0]).iterdir())


def test_the_password_is_not_printed() -> None:
    assert "secret" not in repr(SPACE)
    assert "secret" not in str(SPACE)
    assert "/home/w" in repr(SPACE)

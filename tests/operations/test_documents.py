"""The documents: their commands exist, agree with each other, and their links lead somewhere."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli.app import app
from tests.operations.conftest import BIN, CHECKOUT, documented

PAGES = [CHECKOUT / "README.md", CHECKOUT / "CHANGELOG.md", *sorted(CHECKOUT.glob("docs/*.md"))]
SETTINGS = """
import json
from prefect.settings import get_current_settings
vacuum = get_current_settings().server.services.db_vacuum
print(json.dumps([sorted(vacuum.enabled_vacuum_types), vacuum.retention_period.days]))
"""


def commands_of(page: Path) -> list[list[str]]:
    """The commands of samehand and Prefect in a page's shell blocks; a backslash joins lines."""
    blocks = re.findall("```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    lines = "".join(blocks).replace("\\\n", "").splitlines()
    ours = [line for line in lines if line.startswith(("samehand ", "prefect "))]
    return [shlex.split(line, comments=True) for line in ours]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_documented_commands_and_options_exist(page: Path) -> None:
    commands = [words for words in commands_of(page) if words[0] == "samehand"]
    for _, *words in commands:
        # Options are parsed before the help is shown.
        done = CliRunner().invoke(app, [*words, "--help"])
        assert done.exit_code == 0, f"{words}: {done.output}"
    assert commands or page.name not in ("README.md", "operating.md", "method.md")


def test_an_unknown_option_is_noticed() -> None:
    assert CliRunner().invoke(app, ["train", "--nosuch", "--help"]).exit_code == 2


def test_readme_and_operating_deploy_alike() -> None:
    prefect = [words for words in commands_of(CHECKOUT / "README.md") if words[0] == "prefect"]
    assert prefect == documented("One machine")[: len(prefect)]
    assert len(prefect) == 5


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith("http"):
            continue
        name, _, anchor = target.partition("#")
        path = page.parent / name if name else page
        assert path.is_file(), target
        headings = (
            re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.M) if anchor else []
        )
        assert not anchor or anchor in [slug(heading) for heading in headings], target


def slug(heading: str) -> str:
    """The anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_the_program_that_paints_another_gallery_runs(tmp_path: Path) -> None:
    page = (CHECKOUT / "docs/method.md").read_text(encoding="utf-8")
    (program,) = re.findall("python -c '(.*?)'", page, re.DOTALL)
    smaller = program.replace("seed=1", "seed=1, painters=6, paintings_each=2, pairs=4")
    paint = [sys.executable, "-c", smaller]
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT)}
    subprocess.run(paint, cwd=tmp_path, env=environment, check=True)
    assert (tmp_path / "gallery1" / "all_data_info.csv").is_file()


def test_housekeeping_makes_prefect_delete_old_flow_runs(tmp_path: Path) -> None:
    environment = os.environ | {"PREFECT_HOME": str(tmp_path)}
    for command in documented("Disk and database housekeeping"):
        prefect = [str(BIN / command[0]), *command[1:]]
        subprocess.run(prefect, cwd=tmp_path, env=environment, check=True, capture_output=True)
    shown = subprocess.run(
        [sys.executable, "-c", SETTINGS],
        cwd=tmp_path,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    assert json.loads(shown.stdout) == [["events", "flow_runs", "orphans"], 90]

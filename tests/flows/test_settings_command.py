"""`samehand settings`: what can be set, without waiting for torch or Prefect."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from flows.cli import app
from flows.settings import Settings, resolve


@pytest.mark.parametrize("preset", ["best", "demo", "reference"])
def test_every_setting_is_printed_with_its_value_in_the_preset(preset: str) -> None:
    result = CliRunner().invoke(app, ["settings", "--preset", preset])
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.stdout.splitlines() if not line.startswith(" ")]
    values = resolve(preset, {}).model_dump()
    written = {name: {None: "none"}.get(value, str(value)) for name, value in values.items()}
    assert {name: value for name, value, *_ in lines} == {
        name: value.lower() if value in ("True", "False") else value
        for name, value in written.items()
    }
    for field in Settings.model_fields.values():
        assert str(field.description) in result.stdout


def test_one_setting_is_printed_with_its_bounds() -> None:
    result = CliRunner().invoke(app, ["settings", "crop_size", "--preset", "demo"])
    assert result.stdout.splitlines() == [
        "crop_size                96              whole number, 32 to 1024",
        "    Side of the square crop in pixels.",
    ]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["crop_sise"], "crop_sise: there is no such setting. Did you mean crop_size?"),
        (["--preset", "fast"], "preset: there is no 'fast'"),
    ],
)
def test_a_name_that_is_none_is_told_in_one_line(arguments: list[str], told: str) -> None:
    result = CliRunner().invoke(app, ["settings", *arguments])
    assert result.exit_code == 2
    assert told in " ".join(result.stderr.split())


def test_neither_torch_nor_prefect_is_imported() -> None:
    code = (
        "import sys; from flows.cli import main\n"
        "try: main()\n"
        "finally: print({'torch', 'prefect', 'pandas'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code, "settings"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


def test_a_reader_that_has_seen_enough_ends_it_without_a_word() -> None:
    command = f"'{sys.executable}' -c 'from flows.cli import main; main()' settings"
    ended = subprocess.run(
        ["bash", "-c", f"{command} | head -1; exit ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (len(ended.stdout.splitlines()), ended.stderr) == (1, "")

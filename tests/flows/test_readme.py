"""The commands that the README gives for your own paintings, run one after the other."""

import re
import shlex
from pathlib import Path

import pytest
from PIL import Image

from tests.flows.conftest import Samehand, Trained, tiny_settings

README = Path(__file__).parents[2] / "README.md"


def test_the_readmes_commands_run(
    samehand: Samehand,
    in_copy: Trained,
    paintings: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my-paintings").symlink_to(paintings)
    for name, file in zip(("one.jpg", "other.jpg"), paintings.rglob("*.png"), strict=False):
        with Image.open(file) as image:
            image.save(name)
    section = README.read_text(encoding="utf-8").split("## Your own paintings")[1]
    (block, *_) = re.findall("```sh\n(.*?)```", section, re.DOTALL)
    commands = [shlex.split(line, comments=True) for line in block.splitlines()]
    for _, command, *words in (words for words in commands if words[0] == "samehand"):
        tiny = tiny_settings(epochs="1") if command in ("prepare", "train") else []
        done = samehand(command, *words, *tiny)
        assert done.exit_code == 0, f"{command} {words}: {done.output}"
    assert Path("my-model.onnx").is_file()
    assert Path("my-model.md").is_file()

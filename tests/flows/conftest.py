"""One Prefect server for all tests of flows, tiny paintings, a trained workspace."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

# Trained through and through from random weights: a run of seconds that takes every step.
TINY = {
    "images_per_artist": "0",
    "backbone": "test_resnet.r160_in1k",
    "weights": "none",
    "train_backbone": "true",
    "features": "map",
    "head": "flatten",
    "heads": "1",
    "normalised": "false",
    "mirrored": "false",
    "hidden_size": "256",
    "embedding_size": "64",
    "backbone_dropout": "0.25",
    "head_dropout": "0.3",
    "sampler": "triplets",
    "loss": "triplet",
    "margin": "5.0",
    "optimizer": "adam",
    "schedule": "constant",
    "learning_rate": "0.0002",
    "weight_decay": "0.001",
    "choose_epoch_by": "triplet_accuracy",
    "jpeg_quality": "75",
    "crop_size": "32",
    "validation_artists": "3",
    "test_artists": "3",
    "train_triplets": "24",
    "validation_triplets": "60",
    "test_triplets": "60",
    "epochs": "2",
    "batch_size": "8",
    "resamples": "100",
    "precision": "float32",
    "matched_on": "null",
}

Samehand = Callable[..., Result]


def tiny_settings(**changes: str) -> list[str]:
    """Settings for a run of seconds, as command-line options."""
    return ["--preset=demo", *(f"--set={name}={value}" for name, value in (TINY | changes).items())]


@dataclass(frozen=True)
class Trained:
    """A workspace in which one training run has ended."""

    home: Path
    output: str

    @property
    def database(self) -> Path:
        return self.home / "results.db"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty workspace, named by the environment."""
    monkeypatch.setenv("SAMEHAND_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SAMEHAND_DATABASE_URL", raising=False)
    return tmp_path / "home"


@pytest.fixture
def samehand(prefect_server: None) -> Samehand:
    """The command line, run in this process."""
    from flows.cli import app

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, list(arguments))

    return run


@pytest.fixture(scope="session")
def trained(
    prefect_server: None, paintings: Path, tmp_path_factory: pytest.TempPathFactory
) -> Trained:
    """A workspace with a training run on the tiny collection; tests only read what it left."""
    from flows.cli import app

    workplace = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SAMEHAND_HOME", str(workplace))
        patch.delenv("SAMEHAND_DATABASE_URL", raising=False)
        result = CliRunner().invoke(app, ["train", str(paintings), *tiny_settings()])
    assert result.exit_code == 0, result.output
    return Trained(workplace, result.output)


@pytest.fixture
def in_trained(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> Trained:
    """The trained workspace, named by the environment."""
    monkeypatch.setenv("SAMEHAND_HOME", str(trained.home))
    monkeypatch.delenv("SAMEHAND_DATABASE_URL", raising=False)
    return trained


@pytest.fixture
def in_copy(trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trained:
    """A copy of the trained workspace, to be changed; named by the environment."""
    copy = tmp_path / "copy"
    shutil.copytree(trained.home, copy)
    monkeypatch.setenv("SAMEHAND_HOME", str(copy))
    monkeypatch.delenv("SAMEHAND_DATABASE_URL", raising=False)
    return Trained(copy, trained.output)


def write_pairs(paintings: Path, file: Path) -> Path:
    """Write a file of pairs, in which each of the paintings is twice."""
    names = [str(path.relative_to(paintings)) for path in sorted(paintings.glob("*/*.png"))]
    rows = [f"{n},{first},{names[-1 - n]}" for n, first in enumerate(names)]
    file.write_text("\n".join(["index,image1,image2", *rows]) + "\n")
    return file


def environment_of(home: Path, api: str | None = None) -> dict[str, str]:
    """Return the environment of a process that uses the server at ``api``, or starts its own.

    Nothing of this process's Prefect is in it.
    """
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT")}
    home.mkdir(exist_ok=True)
    server = {"PREFECT_API_URL": api} if api else {}
    return (
        kept
        | server
        | {
            "SAMEHAND_HOME": str(home),
            "PREFECT_HOME": str(home.parent / "prefect"),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        }
    )

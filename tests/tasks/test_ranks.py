"""An epoch by several processes: the steps of one process, and no process left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from model.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from model.compute import Compute, devices_of
from model.errors import ModelInputError
from model.network import build_network
from model.samplers import draw_epoch
from model.training import EpochResult
from storage.arrays import save_arrays
from storage.datasets.dataset import Dataset
from storage.errors import InputError, UnavailableError
from storage.run_folder import optimizer_beside
from tasks.epoch_job import EpochJob, run_epoch
from tasks.ranks import JOB, run_on_devices
from tasks.settings import Settings

ARTISTS = np.repeat(np.arange(6), 4)
SMALL: dict[str, Any] = {
    "weights": "none",
    "crop_size": 32,
    "hidden_size": 16,
    "embedding_size": 8,
    "margin": 1.0,
    "learning_rate": 1e-6,  # small passes of random weights magnify rounding in every step
}
ENDLESS: dict[str, Any] = {
    "backbone": "test_resnet.r160_in1k",
    "n_triplets": 10**6,
    "batch_size": 2,
}
KINDS: dict[str, dict[str, Any]] = {
    # 11 and 12 triplets a step: two ranks cannot halve all passes
    "the reference, passes by role": {"batch_size": 12, "gradient_checkpointing": True},
    "artists, and timm's own batch normalisation": {
        "backbone": "mobilenetv3_small_050",
        "sampler": "artists",
        "loss": "contrastive",
        "artists_per_batch": 5,
        "images_per_batch_artist": 3,
        "heads": 2,
    },
}


@pytest.fixture
def job(tmp_path: Path) -> Callable[..., EpochJob]:
    """The job of a first epoch, by its settings."""

    def make(n_triplets: int = 23, **changes: Any) -> EpochJob:
        settings, random = Settings(**{**SMALL, **changes}), np.random.default_rng(0)
        images = pd.DataFrame({"artist_name": [f"artist {one}" for one in ARTISTS]})
        images["image_name"] = images["file"] = [f"{row}.jpg" for row in range(24)]
        images["split"], images["crop"] = "train", range(24)
        images.to_csv(tmp_path / "catalog.csv", index=False)
        np.save(tmp_path / "pixels.npy", random.integers(0, 256, (24, 32, 32, 3), np.uint8))
        drawn = draw_epoch(ARTISTS, settings.recipe(), n_triplets, random)
        save_arrays(tmp_path / "batches.npz", asdict(drawn))
        network = build_network(settings.network_shape(), "none", seed=1)
        save_checkpoint(tmp_path / "epoch-0.pt", Checkpoint(network, 0))
        return EpochJob(
            1,
            tmp_path / "epoch-0.pt",
            tmp_path / "epoch-1.pt",
            tmp_path / "batches.npz",
            Dataset(tmp_path),
            settings,
            Compute("cpu", "float32"),
        )

    return make


def silent(done: int, total: int) -> None:
    """Show no progress."""


def epochs(
    job: EpochJob, count: int, run: Callable[[EpochJob], EpochResult], name: str
) -> list[EpochResult]:
    """The results of some epochs, one after the other, with checkpoints by that name."""
    found = []
    for epoch in range(1, count + 1):
        trained = job.trained.with_name(f"{name}-{epoch}.pt")
        job = replace(job, epoch=epoch, trained=trained)
        found.append(run(job))
        job = replace(job, checkpoint=trained)
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "count"), list(zip(KINDS, (2, 1), strict=True)))
def test_two_processes_take_the_steps_of_one(
    job: Callable[..., EpochJob], kind: str, count: int
) -> None:
    first, shown = job(**KINDS[kind]), [(0, 0)]
    alone = epochs(first, count, lambda one: run_epoch(one, silent), "alone")
    together = epochs(
        first,
        count,
        lambda one: run_on_devices(one, ["cpu", "cpu"], lambda *done: shown.append(done)),
        "together",
    )
    assert [one.loss for one in together] == pytest.approx([one.loss for one in alone], rel=1e-4)
    assert [one.accuracy for one in together] == pytest.approx([one.accuracy for one in alone])
    ours, theirs = (first.trained.with_name(f"{name}-1.pt") for name in ("together", "alone"))
    found, expected = (load_checkpoint(path).network.state_dict() for path in (ours, theirs))
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-4, msg=name)
    # Adam's running means are the gradients: the loss hardly shows a wrong one in three epochs.
    for mean, right in zip(*map(gradients, (ours, theirs)), strict=True):
        assert torch.linalg.norm(mean - right) <= 0.01 * torch.linalg.norm(right) + 1e-6
    assert shown[-1][0] == shown[-1][1] > 0


def test_what_a_process_refuses_is_said_in_one_line(job: Callable[..., EpochJob]) -> None:
    with pytest.raises(InputError, match="devices: a pass of 1 cannot be divided among 2"):
        run_on_devices(job(n_triplets=1), ["cpu", "cpu"], silent)


def test_if_one_process_dies_all_do_and_the_epoch_is_worth_another_try(
    job: Callable[..., EpochJob],
) -> None:
    endless = job(**ENDLESS)
    killed: list[int] = []

    def kill_one(done: int, total: int) -> None:
        if not killed:
            killed.extend(ranks_of(os.getpid()))
            os.kill(killed[1], signal.SIGKILL)

    with pytest.raises(UnavailableError, match="killed by signal 9"):
        run_on_devices(endless, ["cpu", "cpu"], kill_one)
    assert len(killed) == 2
    assert not ranks_of(os.getpid())
    assert not endless.trained.exists()


def test_processes_end_with_the_run_that_started_them(
    job: Callable[..., EpochJob], tmp_path: Path
) -> None:
    endless = job(**ENDLESS)
    (tmp_path / "run.py").write_text(
        "import sys\n"
        "from tasks.ranks import JOB, run_on_devices\n"
        "job = JOB.validate_json(sys.stdin.buffer.read())\n"
        "run_on_devices(job, ['cpu', 'cpu'], lambda done, total: print(done, flush=True))\n"
    )
    with subprocess.Popen(
        [sys.executable, tmp_path / "run.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as run:
        assert run.stdin is not None
        assert run.stdout is not None
        Thread(target=run.stdin.write, args=(JOB.dump_json(endless),)).run()
        run.stdin.close()
        assert run.stdout.readline()
        ranks = ranks_of(run.pid)
        assert len(ranks) == 2
        run.kill()
    until = time.monotonic() + 30
    while any(Path(f"/proc/{rank}").exists() for rank in ranks):
        assert time.monotonic() < until
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("device", "count", "found"),
    [
        ("cpu", 0, ("cpu",)),
        ("cpu", 3, ("cpu",) * 3),
        ("mps", 0, ("mps",)),
        ("cuda:1", 1, ("cuda:1",)),
    ],
)
def test_devices_by_their_number(device: str, count: int, found: tuple[str, ...]) -> None:
    assert devices_of(device, count) == found


def test_a_named_device_is_one() -> None:
    with pytest.raises(ModelInputError, match="devices: cuda:1 is one; set device=cuda"):
        devices_of("cuda:1", 2)
    if torch.cuda.device_count() < 64:
        with pytest.raises(ModelInputError, match="devices: this machine has"):
            devices_of("cuda", 64)


def gradients(checkpoint: Path) -> list[torch.Tensor]:
    """The running means of all weights' gradients when an epoch ended."""
    stored = torch.load(optimizer_beside(checkpoint), weights_only=True)["optimizer"]["state"]
    return [one["exp_avg"] for _, one in sorted(stored.items())]


def ranks_of(parent: int) -> list[int]:
    """The ranks that a process has started, in order."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().split(b"\0")
            born_to = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        if b"tasks.ranks" in command and born_to == parent:
            found[int(command[command.index(b"tasks.ranks") + 1])] = int(folder.name)
    return [found[rank] for rank in sorted(found)]

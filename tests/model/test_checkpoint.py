"""Checkpoints are read as they were written, and other files are refused."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torchvision.models import resnet18
from torchvision.transforms.functional import normalize

from model.checkpoint import (
    FORMAT,
    FROZEN,
    Checkpoint,
    load_checkpoint,
    load_optimizer,
    save_backbone,
    save_checkpoint,
    save_optimizer,
)
from model.errors import ModelInputError
from model.network import NetworkShape, SiameseNetwork, build_network
from model.pretrained import IMAGENET

SHAPE = NetworkShape(
    crop_size=40, hidden_size=6, embedding_size=3, backbone_dropout=0.1, head_dropout=0.2
)


@pytest.fixture(scope="module")
def network() -> SiameseNetwork:
    """A network with changed batch statistics."""
    network = build_network(SHAPE, "none", seed=2)
    network.train()(torch.arange(4 * 40 * 40 * 3).reshape(4, 40, 40, 3).to(torch.uint8))
    return network


def test_a_checkpoint_is_read_as_it_was_written(network: SiameseNetwork, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "epoch.pt", Checkpoint(network, epoch=7))
    loaded = load_checkpoint(tmp_path / "epoch.pt")
    assert loaded.epoch == 7
    assert loaded.network.shape == SHAPE
    written, read = network.state_dict(), loaded.network.state_dict()
    assert list(written) == list(read)
    assert all(torch.equal(written[name], read[name]) for name in written)
    pixels = torch.randint(256, (2, 40, 40, 3), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        ours, theirs = (one.eval()(pixels.byte()) for one in (network, loaded.network))
    assert torch.equal(ours, theirs)


def refusal_of(path: Path) -> str:
    with pytest.raises(ModelInputError) as refusal:
        load_checkpoint(path)
    message = str(refusal.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    assert "there is no checkpoint" in refusal_of(tmp_path / "epoch.pt")


@pytest.mark.parametrize("content", [b"", b"just text\n", b"PK\x03\x04 a broken archive"])
def test_a_file_that_torch_did_not_write_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "epoch.pt"
    path.write_bytes(content)
    assert "is not a checkpoint of samehand" in refusal_of(path)


@pytest.mark.parametrize(
    "content", [[1, 2], torch.zeros(2), {"conv1.weight": torch.zeros(1)}, {"format": "another"}]
)
def test_a_torch_file_that_is_not_a_checkpoint_is_refused(tmp_path: Path, content: object) -> None:
    path = tmp_path / "epoch.pt"
    torch.save(content, path)
    assert "is not a checkpoint of samehand" in refusal_of(path)


SIZES: dict[str, float] = {"crop_size": 40, "hidden_size": 6, "embedding_size": 3}


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"shape": SIZES, "epoch": 1},
        {"shape": SIZES, "epoch": 1, "network": {}},
        {"shape": SIZES, "epoch": 1, "network": 4},
        {"shape": SIZES, "epoch": 1, "network": {4: torch.zeros(1)}},
        {"shape": SIZES | {"depth": 18}, "epoch": 1, "network": {}},
        {"shape": SIZES | {"backbone_dropout": 2.0}, "epoch": 1, "network": {}},
        {"shape": SIZES | {"crop_size": "forty"}, "epoch": 1, "network": {}},
    ],
)
def test_a_checkpoint_whose_parts_do_not_fit_is_called_damaged(
    tmp_path: Path, parts: dict[str, Any]
) -> None:
    path = tmp_path / "epoch.pt"
    torch.save({"format": FORMAT} | parts, path)
    assert "is damaged" in refusal_of(path)


def test_half_a_checkpoint_is_refused(network: SiameseNetwork, tmp_path: Path) -> None:
    path = tmp_path / "epoch.pt"
    save_checkpoint(path, Checkpoint(network, epoch=7))
    os.truncate(path, path.stat().st_size // 2)
    assert "is not a checkpoint of samehand" in refusal_of(path)


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="a file of Linux alone")
def test_an_io_error_is_not_blamed_on_the_checkpoint() -> None:
    with pytest.raises(OSError, match="Input/output error"):
        load_checkpoint(Path("/proc/self/mem"))


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.folder),)


def test_nothing_in_a_checkpoint_is_executed(tmp_path: Path) -> None:
    path, marker = tmp_path / "epoch.pt", tmp_path / "marker"
    content = {"format": FORMAT, "epoch": Trap(marker), "shape": SIZES, "network": {}}
    torch.save(content, path)
    refusal_of(path)
    assert not marker.exists()
    torch.load(path, weights_only=False)  # unpickling does trigger it
    assert marker.exists()


def adam(layer: nn.Module) -> torch.optim.Adam:
    return torch.optim.Adam(layer.parameters(), lr=0.1, fused=True)


def step(layer: nn.Linear, optimizer: torch.optim.Optimizer, pull: float) -> None:
    optimizer.zero_grad()
    (pull * layer(torch.ones(1, 3))).sum().backward()
    optimizer.step()


@pytest.mark.parametrize("restored", [True, False])
def test_training_continues_identically_if_the_optimizer_is_restored(
    tmp_path: Path, restored: bool
) -> None:
    straight, resumed = nn.Linear(3, 2), nn.Linear(3, 2)
    optimizer = adam(straight)
    step(straight, optimizer, pull=5.0)
    save_optimizer(tmp_path / "optimizer.pt", optimizer)
    resumed.load_state_dict(straight.state_dict())
    step(straight, optimizer, pull=-1.0)

    fresh = adam(resumed)
    if restored:
        load_optimizer(tmp_path / "optimizer.pt", fresh)
    step(resumed, fresh, pull=-1.0)
    assert torch.equal(straight.weight, resumed.weight) == restored


@pytest.mark.parametrize(
    "content",
    [
        {"format": FORMAT, "epoch": 3},
        {"format": FORMAT, "optimizer": 3},
        {"format": FORMAT, "optimizer": {}},
        {"format": FORMAT, "optimizer": adam(nn.Linear(3, 2, bias=False)).state_dict()},
    ],
)
def test_the_state_of_another_optimizer_is_refused(tmp_path: Path, content: object) -> None:
    path = tmp_path / "optimizer.pt"
    torch.save(content, path)
    with pytest.raises(ModelInputError, match="does not hold the state of this optimizer") as error:
        load_optimizer(path, adam(nn.Linear(3, 2)))
    assert str(path) in str(error.value)


@pytest.mark.parametrize("content", [torch.zeros(2), [1, 2], {"optimizer": {}}])
def test_a_foreign_file_is_refused_as_optimizer_state(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "optimizer.pt")
    with pytest.raises(ModelInputError, match=r"optimizer.pt is not a checkpoint of samehand$"):
        load_optimizer(tmp_path / "optimizer.pt", adam(nn.Linear(3, 2)))


def test_a_missing_optimizer_state_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelInputError, match="there is no"):
        load_optimizer(tmp_path / "optimizer.pt", adam(nn.Linear(3, 2)))


def test_a_checkpoint_in_the_first_format_gives_the_same_network(tmp_path: Path) -> None:
    """It named ResNet-18's layers by their place in a sequence."""
    theirs = nn.Sequential(*list(resnet18().children())[:-2])
    theirs.train()(torch.randn(4, 3, 40, 40))
    head = nn.Sequential(
        nn.Flatten(),
        nn.Dropout(0.1),
        nn.Linear(2048, 6),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Linear(6, 3),
    )
    state = {f"backbone.{name}": value for name, value in theirs.state_dict().items()}
    state |= {f"head.{name}": value for name, value in head.state_dict().items()}
    shape = SIZES | {"backbone_dropout": 0.1, "head_dropout": 0.2}
    content = {"format": "samehand checkpoint 1", "epoch": 7, "shape": shape, "network": state}
    torch.save(content, tmp_path / "epoch.pt")

    loaded = load_checkpoint(tmp_path / "epoch.pt")
    pixels = torch.randint(256, (2, 40, 40, 3), generator=torch.Generator().manual_seed(1)).byte()
    images = normalize(
        pixels.permute(0, 3, 1, 2) / 255, list(IMAGENET.mean), list(IMAGENET.deviation)
    )
    with torch.inference_mode():
        expected = head.eval()(theirs.eval()(images))
        torch.testing.assert_close(loaded.network.eval()(pixels), expected, rtol=1e-4, atol=1e-5)
    assert loaded.epoch == 7
    del content["network"]["head.2.bias"]  # type: ignore[attr-defined]
    torch.save(content, tmp_path / "epoch.pt")
    assert "is damaged" in refusal_of(tmp_path / "epoch.pt")


def test_a_frozen_backbone_is_stored_beside_its_checkpoints_and_must_match(tmp_path: Path) -> None:
    shape = NetworkShape(crop_size=32, hidden_size=6, embedding_size=3, frozen=True)
    network, other = (build_network(shape, "none", seed=seed) for seed in (1, 2))
    save_checkpoint(tmp_path / "epoch.pt", Checkpoint(network, epoch=1))
    assert "there is no checkpoint" in refusal_of_any(tmp_path / "epoch.pt")
    save_backbone(tmp_path / FROZEN, other)
    assert "is not the backbone of epoch.pt" in refusal_of_any(tmp_path / "epoch.pt")
    save_backbone(tmp_path / FROZEN, network)
    loaded = load_checkpoint(tmp_path / "epoch.pt").network.state_dict()
    assert all(torch.equal(value, loaded[name]) for name, value in network.state_dict().items())


def refusal_of_any(path: Path) -> str:
    with pytest.raises(ModelInputError) as refusal:
        load_checkpoint(path)
    return str(refusal.value)

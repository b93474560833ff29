"""Weights from packages, torch's cache and files are loaded or refused by name."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch
from efficientnet_lite_pytorch import EfficientNet
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision.models import ResNet, resnet18, resnet34

from model.errors import ModelInputError
from model.pretrained import PACKAGED, load_weights, read_weights

IMAGENET_FILE = "resnet18-f37072fd.pth"
NAME = "resnet18.tv_in1k"


@pytest.fixture(scope="module")
def torchvision_network() -> ResNet:
    """ResNet-18 with random weights, its batch statistics moved away from 0 and 1."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        whole = resnet18()
        whole.train()(torch.randn(4, 3, 40, 40))
    return whole.eval()


def network() -> nn.Module:
    return timm.create_model(NAME, num_classes=0, global_pool="")


def loaded(weights: str) -> nn.Module:
    backbone = network()
    load_weights(backbone, NAME, weights)
    return backbone.eval()


def saved(path: Path, content: object) -> str:
    torch.save(content, path)
    return str(path)


def state_of(whole: nn.Module, prefix: str = "") -> dict[str, Tensor]:
    return {f"{prefix}{name}": value for name, value in whole.state_dict().items()}


def test_torchvisions_weights_give_torchvisions_network(
    torchvision_network: ResNet, tmp_path: Path
) -> None:
    backbone = loaded(saved(tmp_path / "weights.pth", torchvision_network.state_dict()))
    theirs = nn.Sequential(*list(torchvision_network.children())[:-2])
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(backbone(images), theirs(images))


@pytest.mark.parametrize("kind", ["bare", "state_dict", "module", "both", "safetensors"])
def test_weights_are_read_from_every_kind_of_file(
    torchvision_network: ResNet, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / ("weights.safetensors" if kind == "safetensors" else "weights.pth")
    state = state_of(torchvision_network, "module." if kind in ("module", "both") else "")
    if kind == "safetensors":
        save_file(state, path)
    else:
        saved(path, {"state_dict": state} if kind in ("state_dict", "both") else state)
    found = loaded(str(path)).state_dict()
    expected = torchvision_network.state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in found.items())


@pytest.mark.parametrize("size", [0, 2])
def test_packaged_weights_give_the_original_network(size: int) -> None:
    name = f"tf_efficientnet_lite{size}"
    ours = timm.create_model(name, num_classes=0, global_pool="")
    load_weights(ours, name, "pretrained")
    theirs = EfficientNet.from_name(f"efficientnet-lite{size}").eval()
    side = {0: 224, 2: 260}[size]  # theirs pads for its training size only
    package = __import__(PACKAGED[name].module)
    file = getattr(package, PACKAGED[name].file_class).get_model_file_path()
    theirs.load_state_dict(torch.load(file, weights_only=True))
    images = torch.randn(2, 3, side, side)
    with torch.inference_mode():
        torch.testing.assert_close(
            ours.eval()(images), theirs.extract_features(images), rtol=1e-4, atol=1e-4
        )


def test_weights_of_a_deeper_network_are_refused_by_the_first_surplus_name(
    tmp_path: Path,
) -> None:
    path = saved(tmp_path / "weights.pth", resnet34().state_dict())
    assert f"{path} holds layer1.2.conv1.weight, which {NAME} does not have" in refusal_of(
        path, loaded
    )


def test_weights_that_are_not_finite_are_refused(
    torchvision_network: ResNet, tmp_path: Path
) -> None:
    state = state_of(torchvision_network) | {"bn1.weight": torch.full((64,), torch.nan)}
    path = saved(tmp_path / "weights.pth", state)
    assert f"bn1.weight in {path} holds NaN or infinite values" in refusal_of(path, loaded)


def test_a_web_page_saved_as_weights_is_recognised(tmp_path: Path) -> None:
    for name in ("weights.pth", "weights.safetensors"):
        (tmp_path / name).write_text("<!DOCTYPE html><html><body>404</body></html>")
        assert "it is a web page" in refusal_of(str(tmp_path / name))


def test_imagenet_weights_in_torchs_cache_need_no_network(
    torchvision_network: ResNet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    file = tmp_path / "resnet18.pth"
    saved(file, torchvision_network.state_dict())
    file.rename(tmp_path / "hub" / "checkpoints" / IMAGENET_FILE)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    found = loaded("pretrained").state_dict()
    assert torch.equal(found["conv1.weight"], torchvision_network.conv1.weight)


@pytest.mark.parametrize("cached", [None, "not weights"])
def test_unavailable_imagenet_weights_are_named(
    cached: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nothing listens there
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "hub" / "checkpoints"
    if cached:
        folder.mkdir(parents=True)
        (folder / IMAGENET_FILE).write_text(cached)
    message = refusal_of("pretrained", loaded)
    assert IMAGENET_FILE in message
    assert str(folder) in message
    assert "weights=none" in message


def read(weights: str) -> object:
    return read_weights(Path(weights))


def refusal_of(weights: str, read: Callable[[str], object] = read) -> str:
    with pytest.raises(ModelInputError) as refusal:
        read(weights)
    message = str(refusal.value)
    assert message.startswith("weights: ")
    assert "\n" not in message
    return message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert str(tmp_path / "none.pth") in refusal_of(str(tmp_path / "none.pth"))


@pytest.mark.parametrize("content", [b"", b"just text\n", b"PK\x03\x04 a broken archive"])
def test_a_file_that_torch_did_not_write_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    assert f"{path} is not a file of torch weights" in refusal_of(str(path))


@pytest.mark.parametrize(
    "content", [[torch.zeros(1)], torch.zeros(1), {3: torch.zeros(1)}, {"conv1.weight": 4}]
)
def test_a_file_without_named_weights_is_refused(tmp_path: Path, content: object) -> None:
    path = saved(tmp_path / "weights.pth", content)
    assert f"{path} holds no named weights" in refusal_of(path, loaded)


def test_the_first_weight_of_another_shape_is_named(tmp_path: Path) -> None:
    path = saved(tmp_path / "weights.pth", {"conv1.weight": torch.zeros(64, 3, 5, 5)})
    told = f"conv1.weight has the shape (64, 3, 5, 5) in {path}, but (64, 3, 7, 7) in {NAME}"
    assert told in refusal_of(path, loaded)


def test_the_first_missing_weight_is_named(tmp_path: Path) -> None:
    path = saved(tmp_path / "weights.pth", {"conv1.weight": torch.zeros(64, 3, 7, 7)})
    assert f"{path} lacks bn1.weight of {NAME}" in refusal_of(path, loaded)


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("in_torchs_format", [True, False])
def test_nothing_in_a_file_of_weights_is_executed(tmp_path: Path, in_torchs_format: bool) -> None:
    path, marker = tmp_path / "weights.pth", tmp_path / "marker"
    content = {"conv1.weight": Trap(marker)}
    if in_torchs_format:
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content))
    assert str(path) in refusal_of(str(path))
    assert not marker.exists()
    # Unpickling does trigger it.
    careless = torch.load(path, weights_only=False) if in_torchs_format else None
    assert careless or pickle.loads(path.read_bytes())
    assert marker.exists()

"""The network against torchvision's own layers, and its weights from good and bad files."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torchvision import transforms
from torchvision.models import ResNet, resnet18

from model.errors import ModelInputError
from model.network import NetworkShape, SiameseNetwork, build_network, resnet_weights

SMALL = NetworkShape(crop_size=33, hidden_size=8, embedding_size=4)
IMAGENET_FILE = "resnet18-f37072fd.pth"


@pytest.fixture(scope="module")
def torchvision_network() -> ResNet:
    """ResNet-18 with random weights, its batch statistics moved away from 0 and 1."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        whole = resnet18()
        whole.train()(torch.randn(4, 3, 40, 40))
    return whole.eval()


@pytest.fixture(scope="module")
def weights_file(torchvision_network: ResNet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / IMAGENET_FILE
    torch.save(torchvision_network.state_dict(), path)
    return path


def crops(count: int, size: int) -> Tensor:
    drawn = np.random.default_rng(size).integers(256, size=(count, size, size, 3), dtype=np.uint8)
    return torch.from_numpy(drawn)


def features(whole: ResNet, images: Tensor) -> Tensor:
    """What torchvision's network computes before its average pooling."""
    stem = whole.maxpool(whole.relu(whole.bn1(whole.conv1(images))))
    found: Tensor = whole.layer4(whole.layer3(whole.layer2(whole.layer1(stem))))
    return found


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    return all(
        torch.equal(ours, theirs)
        for ours, theirs in zip(one.parameters(), other.parameters(), strict=True)
    )


@pytest.mark.parametrize(
    ("size", "features_in"),
    [(32, 512), (33, 2048), (64, 2048), (97, 8192), (224, 25088)],
)
def test_crops_of_any_size_are_embedded(size: int, features_in: int) -> None:
    network = SiameseNetwork(NetworkShape(crop_size=size)).eval()
    with torch.inference_mode():
        embeddings = network(crops(2, size))
    assert embeddings.shape == (2, 64)
    assert embeddings.dtype == torch.float32
    assert network.head[2].in_features == features_in


def test_layers_and_their_sizes_are_the_references() -> None:
    network = SiameseNetwork(NetworkShape())
    kinds = [nn.Flatten, nn.Dropout, nn.Linear, nn.ReLU, nn.Dropout, nn.Linear]
    assert [type(layer) for layer in network.head] == kinds
    assert [layer.p for layer in network.head if isinstance(layer, nn.Dropout)] == [0.25, 0.30]
    shapes = [tuple(parameter.shape) for parameter in network.head.parameters()]
    assert shapes == [(256, 25088), (256,), (64, 256), (64,)]
    classifier = 512 * 1000 + 1000
    expected = sum(parameter.numel() for parameter in resnet18().parameters()) - classifier
    assert sum(parameter.numel() for parameter in network.backbone.parameters()) == expected


@pytest.mark.parametrize("batches_are_counted", [True, False])
def test_a_forward_pass_is_torchvisions_on_normalised_images(
    torchvision_network: ResNet, tmp_path: Path, batches_are_counted: bool
) -> None:
    """Files from before torch 0.4.1 do not count the batches that a normalisation has seen."""
    state = {
        name: value
        for name, value in torchvision_network.state_dict().items()
        if batches_are_counted or not name.endswith("num_batches_tracked")
    }
    torch.save(state, tmp_path / "weights.pth")
    network = build_network(SMALL, str(tmp_path / "weights.pth"), seed=1).eval()
    pixels = crops(3, 33)
    prepare = transforms.Compose(
        [
            transforms.ToTensor(),
            transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    images = torch.stack([prepare(Image.fromarray(crop)) for crop in pixels.numpy()])
    first_weight, first_bias, second_weight, second_bias = network.head.parameters()
    with torch.inference_mode():
        flat = features(torchvision_network, images).flatten(1)
        hidden = functional.linear(flat, first_weight, first_bias).clamp(min=0)
        expected = functional.linear(hidden, second_weight, second_bias)
        torch.testing.assert_close(network(pixels), expected, rtol=1e-4, atol=1e-5)
    assert hidden.eq(0).any()


def test_one_seed_makes_one_network_and_leaves_torchs_own_draws_alone(weights_file: Path) -> None:
    before = torch.random.get_rng_state()
    first, again = (build_network(SMALL, "none", seed=1) for _ in range(2))
    other = build_network(SMALL, "none", seed=2)
    loaded = build_network(SMALL, str(weights_file), seed=1)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert same_weights(first, again)
    assert not same_weights(first.backbone, other.backbone)
    assert not same_weights(first.head, other.head)
    assert not same_weights(first.backbone, loaded.backbone)
    assert same_weights(first.head, loaded.head)


def test_imagenet_weights_that_lie_where_torch_keeps_them_need_no_network(
    torchvision_network: ResNet,
    weights_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    (tmp_path / "hub" / "checkpoints" / IMAGENET_FILE).symlink_to(weights_file)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    found = build_network(SMALL, "imagenet", seed=1).backbone.state_dict()
    assert torch.equal(found["0.weight"], torchvision_network.conv1.weight)


@pytest.mark.parametrize("cached", [None, "not weights"])
def test_imagenet_weights_that_cannot_be_had_are_named(
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
    message = refusal_of("imagenet")
    assert IMAGENET_FILE in message
    assert str(folder) in message
    assert "weights=none" in message


def loaded(weights: str) -> SiameseNetwork:
    return build_network(SMALL, weights, seed=1)


def refusal_of(weights: str, read: Callable[[str], object] = resnet_weights) -> str:
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
    "content",
    [
        [torch.zeros(1)],
        torch.zeros(1),
        {3: torch.zeros(1)},
        {"conv1.weight": 4},
        {"conv1.weight": torch.zeros(64, 3, 5, 5)},
    ],
)
def test_tensors_that_are_not_those_of_resnet18_are_refused(
    tmp_path: Path, content: object
) -> None:
    path = tmp_path / "weights.pth"
    torch.save(content, path)
    assert f"{path} does not hold ResNet-18's weights" in refusal_of(str(path), loaded)


def test_a_layer_that_a_file_lacks_is_named(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"conv1.weight": torch.zeros(64, 3, 7, 7)}, path)
    assert f"{path} lacks bn1.weight of ResNet-18" in refusal_of(str(path), loaded)


class Trap:
    """Makes a folder when it is read back without care."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("in_torchs_format", [True, False])
def test_nothing_in_a_file_of_weights_is_run(tmp_path: Path, in_torchs_format: bool) -> None:
    path, marker = tmp_path / "weights.pth", tmp_path / "marker"
    content = {"conv1.weight": Trap(marker)}
    if in_torchs_format:
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content))
    assert str(path) in refusal_of(str(path))
    assert not marker.exists()
    # The trap does work: a careless reader springs it.
    careless = torch.load(path, weights_only=False) if in_torchs_format else None
    assert careless or pickle.loads(path.read_bytes())
    assert marker.exists()

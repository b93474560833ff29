"""The network against torchvision's layers, and its frozen parts."""

from dataclasses import replace
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
from model.network import NetworkShape, SiameseNetwork, build_network

SMALL = NetworkShape(crop_size=33, hidden_size=8, embedding_size=4)
FROZEN = NetworkShape(
    crop_size=64,
    hidden_size=8,
    embedding_size=4,
    backbone="tf_efficientnet_lite0",
    features="statistics",
    normalised=True,
    frozen=True,
)


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
    path = tmp_path_factory.mktemp("weights") / "resnet18.pth"
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
    (first, _) = (layer for layer in network.head.children() if isinstance(layer, nn.Linear))
    assert first.in_features == features_in


def test_layers_have_the_references_sizes() -> None:
    network = SiameseNetwork(NetworkShape())
    kinds = [nn.Flatten, nn.Dropout, nn.Linear, nn.ReLU, nn.Dropout, nn.Linear]
    layers = list(network.head.children())
    assert [type(layer) for layer in layers] == kinds
    assert [layer.p for layer in layers if isinstance(layer, nn.Dropout)] == [0.25, 0.30]
    shapes = [tuple(parameter.shape) for parameter in network.head.parameters()]
    assert shapes == [(256, 25088), (256,), (64, 256), (64,)]
    classifier = 512 * 1000 + 1000
    expected = sum(parameter.numel() for parameter in resnet18().parameters()) - classifier
    assert sum(parameter.numel() for parameter in network.backbone.parameters()) == expected


@pytest.mark.parametrize("batches_are_counted", [True, False])
def test_a_forward_pass_equals_torchvisions_on_normalised_images(
    torchvision_network: ResNet, tmp_path: Path, batches_are_counted: bool
) -> None:
    """Files from before torch 0.4.1 do not count the batches of a batch normalisation."""
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


def test_one_seed_makes_one_network_without_touching_torchs_global_generator(
    weights_file: Path,
) -> None:
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


def test_random_weights_are_initialised_as_in_torchvision() -> None:
    network = build_network(SMALL, "none", seed=1)
    theirs = resnet18()
    convolutions = zip(
        (layer for layer in network.backbone.modules() if isinstance(layer, nn.Conv2d)),
        (layer for layer in theirs.modules() if isinstance(layer, nn.Conv2d)),
        strict=True,
    )
    for ours, other in convolutions:
        assert ours.weight.std().item() == pytest.approx(other.weight.std().item(), rel=0.1)
    assert {1.0} == {
        value
        for layer in network.backbone.modules()
        if isinstance(layer, nn.BatchNorm2d)
        for value in layer.weight.tolist()
    }


def test_a_frozen_backbone_is_not_trained_and_keeps_its_statistics() -> None:
    network = build_network(FROZEN, "none", seed=1).train()
    assert not any(weight.requires_grad for weight in network.backbone.parameters())
    assert all(weight.requires_grad for weight in network.head.parameters())
    before = {name: value.clone() for name, value in network.backbone_state().items()}
    network(crops(4, 64))
    assert all(torch.equal(value, before[name]) for name, value in network.backbone_state().items())


def test_the_state_is_the_trained_part_plus_the_frozen_backbone() -> None:
    frozen, trained = build_network(FROZEN, "none", seed=1), build_network(SMALL, "none", seed=1)
    assert frozen.trained_state().keys() | frozen.backbone_state().keys() == set(
        frozen.state_dict()
    )
    assert not frozen.trained_state().keys() & frozen.backbone_state().keys()
    assert trained.trained_state().keys() == set(trained.state_dict())
    assert trained.backbone_state() == {}


def test_normalised_embeddings_have_length_one_and_depend_only_on_features() -> None:
    network = build_network(FROZEN, "none", seed=1).eval()
    with torch.inference_mode():
        embeddings = network(crops(3, 64))
        features = network.features(crops(3, 64))
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(3))
    torch.testing.assert_close(network.embed(features), embeddings)


def test_features_are_standardised_by_training_statistics() -> None:
    network = build_network(FROZEN, "none", seed=1).eval()
    with torch.inference_mode():
        features = network.features(crops(5, 64))
    network.fit_features(features.mean(dim=0), features.std(dim=0, correction=0))
    seen = network.standardise(features)
    varied = features.std(dim=0) > 1e-2
    torch.testing.assert_close(
        seen.mean(dim=0)[varied], torch.zeros(int(varied.sum())), atol=1e-3, rtol=0
    )
    torch.testing.assert_close(
        seen.std(dim=0, correction=0)[varied], torch.ones(int(varied.sum())), atol=1e-3, rtol=0
    )


def test_an_unknown_backbone_is_refused_with_suggestions() -> None:
    with pytest.raises(ModelInputError, match=r"'resnett18'; did you mean .*resnet18"):
        build_network(NetworkShape(backbone="resnett18"), "none", seed=1)


def test_maps_of_several_backbones_are_refused() -> None:
    with pytest.raises(ModelInputError, match=r"^features: "):
        build_network(NetworkShape(backbone="resnet18+resnet18"), "none", seed=1)


def test_an_image_and_its_mirror_image_have_the_same_embedding() -> None:
    network = build_network(replace(FROZEN, mirrored=True), "none", seed=1).eval()
    plain = build_network(FROZEN, "none", seed=1).eval()
    pixels = crops(3, 64)
    with torch.inference_mode():
        embeddings, of_mirror_images = network(pixels), network(pixels.flip(2))
        mean = plain(pixels) + plain(pixels.flip(2))
    torch.testing.assert_close(embeddings, of_mirror_images)
    torch.testing.assert_close(embeddings, functional.normalize(mean))


def test_the_squared_distance_is_the_mean_over_the_heads() -> None:
    network = build_network(replace(FROZEN, heads=3, head="residual"), "none", seed=1).eval()
    with torch.inference_mode():
        first, second = network(crops(2, 64))
    parts = zip(first.chunk(3), second.chunk(3), strict=True)
    each = [3 * (one - other).square().sum() for one, other in parts]  # heads of length 1
    torch.testing.assert_close((first - second).square().sum(), torch.stack(each).mean())

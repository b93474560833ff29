"""The licence note covers every way to start."""

import pytest

from model.licences import licence_note
from model.pretrained import PACKAGED
from model.shape import NetworkShape


@pytest.mark.parametrize("name", PACKAGED)
def test_every_packaged_backbone_has_its_licence(name: str) -> None:
    note = licence_note(NetworkShape(backbone=name), "pretrained")
    assert f"{name}: Apache 2.0" in note
    assert "ImageNet" in note


def test_each_backbone_has_its_licence_or_where_to_find_it() -> None:
    note = licence_note(NetworkShape(backbone="resnet18.tv_in1k + vit_tiny"), "pretrained")
    assert "resnet18.tv_in1k: BSD 3-Clause" in note
    assert "https://huggingface.co/timm/vit_tiny" in note


def test_the_note_names_a_file_of_weights_or_says_random() -> None:
    assert "mine.pth" in licence_note(NetworkShape(), "mine.pth")
    assert "random weights" in licence_note(NetworkShape(), "none")

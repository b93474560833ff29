"""Whose weights a network started from is told for every way to start."""

import pytest

from model.licences import licence_note
from model.pretrained import PACKAGED
from model.shape import NetworkShape


@pytest.mark.parametrize("name", PACKAGED)
def test_every_packaged_backbone_has_its_licence(name: str) -> None:
    note = licence_note(NetworkShape(backbone=name), "pretrained")
    assert f"{name}: Apache 2.0" in note
    assert "ImageNet" in note


def test_several_backbones_are_told_each_and_an_unknown_one_with_where_to_look() -> None:
    note = licence_note(NetworkShape(backbone="resnet18.tv_in1k + vit_tiny"), "pretrained")
    assert "resnet18.tv_in1k: BSD 3-Clause" in note
    assert "https://huggingface.co/timm/vit_tiny" in note


def test_weights_of_ones_own_are_named_and_random_ones_said_to_be_nobodys() -> None:
    assert "mine.pth" in licence_note(NetworkShape(), "mine.pth")
    assert "random weights" in licence_note(NetworkShape(), "none")

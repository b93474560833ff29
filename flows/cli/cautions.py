"""What makes a verdict on pictures doubtful, as codes for programs and in words for people."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from storage.database.handed_out import HandedOut, better_baseline, was_trained_on
from storage.datasets.decoding import open_image

BLANK = 4.0
"""A crop whose levels (0 to 255) deviate less than this from their mean shows almost nothing."""


@dataclass(frozen=True, slots=True)
class Caution:
    """A reason to doubt a verdict."""

    code: str
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture's name, the bytes of its file, and the crop (S, S, 3) that the network sees."""

    name: str
    content: bytes
    crop: npt.NDArray[np.uint8]


def cautions_about(pictures: Sequence[Picture], model: HandedOut, url: str) -> Iterator[Caution]:
    """Find what makes a model's verdict on pictures doubtful."""
    if len({each.content for each in pictures}) < len(pictures):
        yield Caution("same_file", "both are the same file; the network has nothing to compare")
    for each in pictures:
        with open_image(each.content) as image:
            width, height = image.size
        side = each.crop.shape[0]
        if min(width, height) < side:
            yield Caution(
                "too_small",
                f"{each.name}: {width} x {height} pixels; the network sees {side} x {side}, so use"
                " a larger picture",
            )
        if each.crop.reshape(-1, 3).std(axis=0).max() < BLANK:
            yield Caution("nearly_blank", f"{each.name}: is nearly blank where the network looks")
        if was_trained_on(url, model, hashlib.sha256(each.content).hexdigest()):
            yield Caution(
                "trained_on",
                f"{each.name}: model {model.id} was trained on this picture and knows it",
            )
    if baseline := better_baseline(url, model.id):
        yield Caution(
            "weak_model",
            f"model {model.id} was no better than its baseline ({baseline}); use another one",
        )

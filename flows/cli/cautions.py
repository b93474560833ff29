"""What makes a verdict on pictures doubtful, as codes for programs and in words for people."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from storage.database.handed_out import HandedOut, better_baseline, was_trained_on

BLANK = 4.0
"""A crop whose levels (0 to 255) deviate less than this from their mean shows almost nothing."""


@dataclass(frozen=True, slots=True)
class Caution:
    """A reason to doubt a verdict."""

    code: str
    text: str


def cautions_about(
    files: Sequence[Path], crops: npt.NDArray[np.uint8], model: HandedOut, url: str
) -> Iterator[Caution]:
    """Find what makes a model's verdict on pictures doubtful; `crops` (N, S, S, 3) are theirs."""
    contents = [file.read_bytes() for file in files]
    if len(set(contents)) < len(contents):
        yield Caution("same_file", "both are the same file; the network has nothing to compare")
    for file, crop, content in zip(files, crops, contents, strict=True):
        with Image.open(file) as image:
            width, height = image.size
        side = crop.shape[0]
        if min(width, height) < side:
            yield Caution(
                "too_small",
                f"{file}: {width} x {height} pixels; the network sees {side} x {side}, so use a"
                " larger picture",
            )
        if crop.reshape(-1, 3).std(axis=0).max() < BLANK:
            yield Caution("nearly_blank", f"{file}: is nearly blank where the network looks")
        if was_trained_on(url, model, hashlib.sha256(content).hexdigest()):
            yield Caution(
                "trained_on", f"{file}: model {model.id} was trained on this picture and knows it"
            )
    if baseline := better_baseline(url, model.id):
        yield Caution(
            "weak_model",
            f"model {model.id} was no better than its baseline ({baseline}); use another one",
        )

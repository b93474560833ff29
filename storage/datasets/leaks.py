"""Byte-identical files, which would falsify a score."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Original:
    """The SHA-256 of an image's original file, with its artist and split."""

    name: str
    artist: str
    split: str
    sha256: str


def leak_reasons(originals: Iterable[Original]) -> dict[str, str]:
    """Return why images must not be used, by name, if others have the same bytes.

    Under two artists one label is wrong, and in two splits the test would contain training data:
    all such images are refused. Of copies under one artist in one split, the first is used.
    """
    same_bytes: dict[str, list[Original]] = defaultdict(list)
    for original in originals:
        same_bytes[original.sha256].append(original)
    return {
        image.name: reason
        for twins in same_bytes.values()
        for image in twins
        if (reason := _reason(image, twins)) is not None
    }


def _reason(image: Original, twins: Sequence[Original]) -> str | None:
    """Say why `image`, one of `twins` with the same bytes, must not be used; None if it may."""
    for other in twins:
        if other.artist != image.artist:
            return f"same bytes as {other.name} by {other.artist}: a leak between artists"
    for other in twins:
        if other.split != image.split:
            return f"same bytes as {other.name} in {other.split}: a leak between splits"
    first = twins[0]
    return None if image is first else f"same bytes as {first.name}: a duplicate"

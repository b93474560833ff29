"""Copies of a picture, to the byte or nearly, which would falsify a score."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Original:
    """An image, with the SHA-256 of its original file, its artist, split and number of pixels."""

    name: str
    artist: str
    split: str
    sha256: str
    n_pixels: int = 0


def leak_reasons(
    originals: Iterable[Original], alike: Iterable[tuple[str, str]] = ()
) -> dict[str, str]:
    """Return why images must not be used, by name, if others show the same picture.

    They have the same bytes, or their names are among the pairs ``alike``. Under two artists one
    label is wrong, and in two splits the test would contain training data: all such images are
    refused. Of copies under one artist in one split the largest is used, or the first of these.
    """
    images = {original.name: original for original in originals}
    group = {name: name for name in images}
    first_with: dict[str, str] = {}
    same_bytes = ((first_with.setdefault(one.sha256, name), name) for name, one in images.items())
    for one, other in (*same_bytes, *alike):
        _join(group, one, other)
    twins: dict[str, list[Original]] = {}
    for name, image in images.items():
        twins.setdefault(_root(group, name), []).append(image)
    return {
        image.name: reason
        for each in twins.values()
        for image in each
        if (reason := _reason(image, each)) is not None
    }


def _reason(image: Original, twins: Sequence[Original]) -> str | None:
    """Say why `image`, one of `twins` that show the same, must not be used; None if it may."""
    for other in twins:
        if other.artist != image.artist:
            return f"{_same(image, other)} by {other.artist}: a leak between artists"
    for other in twins:
        if other.split != image.split:
            return f"{_same(image, other)} in {other.split}: a leak between splits"
    largest = max(twins, key=lambda twin: twin.n_pixels)
    return None if image is largest else f"{_same(image, largest)}: a duplicate"


def _same(image: Original, other: Original) -> str:
    same = "same bytes" if image.sha256 == other.sha256 else "same picture"
    return f"{same} as {other.name}"


def _root(group: Mapping[str, str], name: str) -> str:
    while group[name] != name:
        name = group[name]
    return name


def _join(group: dict[str, str], one: str, other: str) -> None:
    """Put both into the group of the one that comes first."""
    group[_root(group, other)] = _root(group, one)

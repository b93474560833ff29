"""Files that are the same to the byte, and so would make a score better or worse than it is."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Original:
    """An image's original file by its SHA-256, with the artist and split it stands under."""

    name: str
    artist: str
    split: str
    sha256: str


def leak_reasons(originals: Iterable[Original]) -> dict[str, str]:
    """Why an image must not be used, by name, for each whose bytes another one has too.

    Under two artists one label is wrong, and in two splits the test would ask what training told:
    all such images are refused, since nothing says which is right. Of the same bytes twice under
    one artist in one split the first is kept.
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
    """Why `image`, one of `twins` of the same bytes, must not be used; None if it may."""
    for other in twins:
        if other.artist != image.artist:
            return f"same bytes as {other.name} by {other.artist}: a leak between artists"
    for other in twins:
        if other.split != image.split:
            return f"same bytes as {other.name} in {other.split}: a leak between splits"
    first = twins[0]
    return None if image is first else f"same bytes as {first.name}: a duplicate"

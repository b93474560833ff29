"""Draw triplets: round robin over the artists, anew for every epoch."""

import hashlib
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from model.errors import ModelInputError

Integers = NDArray[np.integer]


@dataclass(frozen=True, slots=True)
class Triplets:
    """Row numbers of the images that make each triplet."""

    anchor_idx: NDArray[np.int32]  # (T,)
    positive_idx: NDArray[np.int32]  # (T,) another image by the anchor's artist
    negative_idx: NDArray[np.int32]  # (T,) an image by another artist

    def of_rows(self, rows: Integers) -> "Triplets":
        """The same triplets with each row number i replaced by ``rows[i]``."""
        of = rows.astype(np.int32)
        return Triplets(of[self.anchor_idx], of[self.positive_idx], of[self.negative_idx])


@dataclass(frozen=True, slots=True)
class MatchedTriplets:
    """Triplets whose negative shares the anchor's label."""

    kept: NDArray[np.bool_]  # (T,) which of the given triplets could be matched
    triplets: Triplets  # only those, in their order


@dataclass(frozen=True, slots=True)
class _Members:
    """The images of each artist; artists are numbered by first appearance."""

    rows: NDArray[np.int32]  # (N,) sorted by artist
    start: NDArray[np.intp]  # (A,) where an artist's rows begin
    count: NDArray[np.intp]  # (A,) how many there are

    def row(self, artist: Integers, place: Integers) -> NDArray[np.int32]:
        """Row number of the `place`-th image of each `artist`."""
        rows: NDArray[np.int32] = self.rows[self.start[artist] + place]
        return rows


def stream(seed: int, purpose: str, epoch: int = 0) -> np.random.Generator:
    """Return a generator that depends only on these three arguments.

    The purpose enters as a digest, because Python's own `hash` differs between processes.
    """
    digest = np.frombuffer(hashlib.sha256(purpose.encode()).digest(), dtype="<u4")
    key = (*digest.tolist(), epoch)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))


def draw_triplets(artists: Integers, count: int, rng: np.random.Generator) -> Triplets:
    """Draw `count` triplets from images by `artists` (N,).

    Triplet k has its anchor from artist k mod A, with artists numbered by first appearance. Anchor
    and positive are two different images of that artist, drawn uniformly. The negative's artist is
    drawn uniformly from the others, then its image uniformly from theirs. Raises `ModelInputError`
    unless there are at least two artists, each with at least two images.
    """
    members = _members(artists)
    own = np.arange(count) % len(members.count)
    other = _any_but(own, len(members.count), rng)
    anchor = rng.integers(members.count[own])
    positive = _any_but(anchor, members.count[own], rng)
    negative = rng.integers(members.count[other])
    return Triplets(
        members.row(own, anchor), members.row(own, positive), members.row(other, negative)
    )


def draw_shared_triplets(
    artists: Integers, count: int, size: int, rng: np.random.Generator
) -> Triplets:
    """Draw `count` triplets in batches of at most `size` that hold as many images as triplets.

    A batch holds two images, drawn uniformly, of each of its artists; artists take turns in a
    random order. Each image is the anchor of one triplet, with its artist's other image as
    positive. The negative is drawn uniformly from the batch's images by other artists. Raises
    `ModelInputError` as `draw_triplets` does.
    """
    members = _members(artists)
    turns = rng.permutation(len(members.count))
    batches, begun = [], 0
    for batch in batch_slices(count, size):
        n_pairs = max(2, -(-(batch.stop - batch.start) // 2))
        own = turns[np.arange(begun, begun + n_pairs) % len(turns)]
        begun += n_pairs
        batches.append(_share(members, own, rng, batch.stop - batch.start))
    return Triplets(*(np.concatenate(role) for role in zip(*batches, strict=True)))


def batch_slices(count: int, size: int) -> list[slice]:
    """Cut `count` items into nearly equal batches of at most `size`.

    A small last batch would give batch normalisation poor statistics.

    >>> batch_slices(10, 4)
    [slice(0, 4, None), slice(4, 7, None), slice(7, 10, None)]
    """
    n_batches = -(-count // size)
    ends = np.cumsum([count // n_batches + (k < count % n_batches) for k in range(n_batches)])
    return [slice(start, end) for start, end in pairwise([0, *ends.tolist()])]


def shuffled(triplets: Triplets, rng: np.random.Generator) -> Triplets:
    """Return the same triplets in random order."""
    order = rng.permutation(len(triplets.anchor_idx))
    return Triplets(
        triplets.anchor_idx[order], triplets.positive_idx[order], triplets.negative_idx[order]
    )


def match_negatives(
    triplets: Triplets, artists: Integers, labels: Integers, rng: np.random.Generator
) -> MatchedTriplets:
    """Redraw each negative from other artists' images that share the anchor's label.

    `artists` and `labels` (N,) describe the images; a label of -1 is blank. The draw is uniform.
    A triplet is left out if its anchor's label is blank or no other artist has an image with it.
    """
    # Sorted by label, then artist, an anchor's candidates are all rows with its label except the
    # consecutive ones by its own artist.
    rows = np.lexsort((artists, labels))
    artist = np.unique(artists, return_inverse=True)[1]
    label = np.unique(labels, return_inverse=True)[1]
    first, alike = _stretch(label, rows)
    own_first, own = _stretch(label * len(rows) + artist, rows)
    candidates = alike - own

    kept = ((labels != -1) & (candidates > 0))[triplets.anchor_idx]
    anchor_idx = triplets.anchor_idx[kept]
    place = first[anchor_idx] + rng.integers(candidates[anchor_idx])
    place += np.where(place >= own_first[anchor_idx], own[anchor_idx], 0)
    negative_idx = rows[place].astype(np.int32)
    return MatchedTriplets(kept, Triplets(anchor_idx, triplets.positive_idx[kept], negative_idx))


def _members(artists: Integers) -> _Members:
    _, appeared, artist, count = np.unique(
        artists, return_index=True, return_inverse=True, return_counts=True
    )
    if len(count) < 2:
        raise ModelInputError("triplets need at least two artists; add images by another artist")
    if count.min() < 2:
        alone = artists[appeared[count.argmin()]]
        raise ModelInputError(
            f"triplets need two images of every artist; artist number {alone} has one: leave it out"
        )
    by_appearance = np.argsort(appeared)
    number = np.argsort(by_appearance)  # the inverse: each artist's place by first appearance
    rows = np.argsort(number[artist], kind="stable").astype(np.int32)
    count = count[by_appearance]
    return _Members(rows, np.cumsum(count) - count, count)


def _share(
    members: _Members, own: Integers, rng: np.random.Generator, count: int
) -> tuple[NDArray[np.int32], ...]:
    """Draw `count` anchors, positives and negatives from two images by each artist in `own`."""
    first = rng.integers(members.count[own])
    second = _any_but(first, members.count[own], rng)
    rows = np.concatenate([members.row(own, first), members.row(own, second)])
    artist = np.tile(own, 2)
    by_artist = np.argsort(artist, kind="stable")
    begin, alike = _stretch(artist, by_artist)
    place = rng.integers(len(rows) - alike)
    place += np.where(place >= begin, alike, 0)
    negative = rows[by_artist[place]]
    return rows[:count], np.roll(rows, len(own))[:count], negative[:count]


def _any_but(taken: Integers, size: Integers | int, rng: np.random.Generator) -> Integers:
    """Draw uniformly from 0 ... size - 1 except `taken`, for each element of `taken` (T,)."""
    drawn = rng.integers(size - 1, size=len(taken))
    return drawn + (drawn >= taken)


def _stretch(group: Integers, rows: Integers) -> tuple[Integers, Integers]:
    """For each row: where its group begins in `rows`, which sort the groups, and its size."""
    first = np.searchsorted(group[rows], group)
    return first, np.searchsorted(group[rows], group, side="right") - first

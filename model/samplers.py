"""Make an epoch's batches. A new sampler is one class or function here.

What a sampler draws is stored in a file before training, so that a repeated epoch sees the same
batches.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from model.errors import ModelInputError
from model.recipe import Batching, Recipe
from model.triplets import (
    Triplets,
    batch_slices,
    draw_shared_triplets,
    draw_triplets,
    shuffled,
)

Rows = NDArray[np.int32]
Integers = NDArray[np.integer]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Rows of the images in each forward pass, M in all, and what is known about them.

    ``places`` (3, T) of the triplets' images among the M, or ``labels`` (M,) that number the
    artists, whichever the sampler gives. ``size`` is what progress counts.
    """

    passes: tuple[Rows, ...]
    size: int
    places: NDArray[np.int64] | None = None
    labels: NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class TripletBatches:
    """An epoch's triplets in nearly equal batches of at most ``batch_size``."""

    triplets: Triplets
    batch_size: int
    batching: Batching

    def __len__(self) -> int:
        """The number of triplets."""
        return len(self.triplets.anchor_idx)

    def __iter__(self) -> Iterator[Batch]:
        """The batches in order: a pass for each role, or each image once in one pass."""
        of = self.triplets
        roles = np.stack([of.anchor_idx, of.positive_idx, of.negative_idx])
        for chosen in batch_slices(len(self), self.batch_size):
            rows = roles[:, chosen]
            places = np.arange(rows.size)
            passes = tuple(rows)
            if self.batching != "roles":
                distinct, places = np.unique(rows, return_inverse=True)
                passes = (distinct,)
            yield Batch(passes, rows.shape[1], places.reshape(rows.shape))

    def of_rows(self, rows: NDArray[np.int64]) -> "TripletBatches":
        """The same batches with each row number i replaced by ``rows[i]``."""
        return replace(self, triplets=self.triplets.of_rows(rows))


@dataclass(frozen=True, slots=True, eq=False)
class ArtistBatches:
    """An epoch's batches by artist, one after the other."""

    rows: Rows  # (M,) of the images
    labels: NDArray[np.int64]  # (M,) a number for each artist
    ends: NDArray[np.int64]  # (S,) where each batch ends

    def __len__(self) -> int:
        """The number of images."""
        return len(self.rows)

    def __iter__(self) -> Iterator[Batch]:
        """The batches in order."""
        for start, end in pairwise([0, *self.ends.tolist()]):
            yield Batch((self.rows[start:end],), end - start, labels=self.labels[start:end])

    def of_rows(self, rows: NDArray[np.int64]) -> "ArtistBatches":
        """The same batches with each row number i replaced by ``rows[i]``."""
        return replace(self, rows=rows[self.rows].astype(np.int32))


Batches = TripletBatches | ArtistBatches


def draw_epoch(
    artists: Integers, recipe: Recipe, n_triplets: int, rng: np.random.Generator
) -> Triplets | ArtistBatches:
    """Draw one epoch from N images by ``artists`` (N,) with the recipe's sampler.

    The result is ``n_triplets`` triplets, or as many batches by artist as hold N images.
    """
    match recipe.sampler:
        case "triplets" if recipe.batching == "shared":
            return draw_shared_triplets(artists, n_triplets, recipe.batch_size, rng)
        case "triplets":
            return shuffled(draw_triplets(artists, n_triplets, rng), rng)
        case "artists":
            per_batch, images_each = recipe.artists_per_batch, recipe.images_per_batch_artist
            return draw_artist_batches(artists, per_batch, images_each, recipe.artist_power, rng)


def draw_artist_batches(
    artists: Integers, per_batch: int, images_each: int, power: float, rng: np.random.Generator
) -> ArtistBatches:
    """Draw batches of ``per_batch`` different artists with ``images_each`` of their images.

    There are as many batches as hold N images. An artist's chance is their number of images to the
    power ``power``: 0 treats all artists alike, 1 all images. If there are fewer artists or images
    than requested, a batch has them all. Raises ModelInputError unless there are at least two
    artists, one of them with two images.
    """
    names, artist, counts = np.unique(artists, return_inverse=True, return_counts=True)
    if len(names) < 2 or counts.max() < 2:
        raise ModelInputError(
            "batches need at least two artists, one with two images; add images by another artist"
        )
    by_artist = np.split(np.argsort(artist, kind="stable"), np.cumsum(counts)[:-1])
    together, chance = min(per_batch, len(names)), counts**power / np.sum(counts**power)
    batches = []
    for _ in range(max(1, -(-len(artists) // (together * images_each)))):
        chosen = rng.choice(len(names), together, replace=False, p=chance)
        drawn = [rng.permutation(by_artist[one])[:images_each] for one in chosen]
        batches.append((np.concatenate(drawn), np.repeat(chosen, [len(one) for one in drawn])))
    rows, labels = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    ends = np.cumsum([len(one) for one, _ in batches])
    return ArtistBatches(rows.astype(np.int32), labels.astype(np.int64), ends.astype(np.int64))

"""Which images are seen together: an epoch's batches. A new sampler is one class or function here.

What a sampler draws lies in a file between drawing and training, so that an epoch that is trained
again sees the same batches.
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
    """Rows of the images in each forward pass, M in all, and what is known of them.

    ``places`` (3, T) are those of each triplet's roles among the M, ``labels`` (M,) number the
    artists; None where the sampler says nothing of either. ``size`` is what progress counts.
    """

    passes: tuple[Rows, ...]
    size: int
    places: NDArray[np.int64] | None = None
    labels: NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class TripletBatches:
    """An epoch's triplets, cut to nearly equal batches of at most ``batch_size``."""

    triplets: Triplets
    batch_size: int
    batching: Batching

    def __len__(self) -> int:
        """How many triplets."""
        return len(self.triplets.anchor_idx)

    def __iter__(self) -> Iterator[Batch]:
        """The batches in their order."""
        roles = (
            self.triplets.anchor_idx,
            self.triplets.positive_idx,
            self.triplets.negative_idx,
        )
        for chosen in batch_slices(len(self), self.batch_size):
            yield _in_passes(np.stack([role[chosen] for role in roles]), self.batching)

    def of_rows(self, rows: NDArray[np.int64]) -> "TripletBatches":
        """The same batches of ``rows`` (N,), which are what the row numbers now stand for."""
        return replace(self, triplets=self.triplets.of_rows(rows))


@dataclass(frozen=True, slots=True, eq=False)
class ArtistBatches:
    """An epoch's images by artist: ``rows`` (M,) of all batches, one after the other, ``labels``
    (M,) that number the artists, and ``ends`` (S,) of the S batches."""

    rows: Rows
    labels: NDArray[np.int64]
    ends: NDArray[np.int64]

    def __len__(self) -> int:
        """How many images."""
        return len(self.rows)

    def __iter__(self) -> Iterator[Batch]:
        """The batches in their order."""
        for start, end in pairwise([0, *self.ends.tolist()]):
            yield Batch((self.rows[start:end],), end - start, labels=self.labels[start:end])

    def of_rows(self, rows: NDArray[np.int64]) -> "ArtistBatches":
        """The same batches of ``rows`` (N,), which are what the row numbers now stand for."""
        return replace(self, rows=rows[self.rows].astype(np.int32))


Batches = TripletBatches | ArtistBatches


def draw_epoch(
    artists: Integers, recipe: Recipe, n_triplets: int, rng: np.random.Generator
) -> Triplets | ArtistBatches:
    """Draw what one epoch sees of images by ``artists`` (N,), by the recipe's sampler.

    Triplets are ``n_triplets``; batches by artist are as many as hold N images.
    """
    match recipe.sampler:
        case "triplets" if recipe.batching == "shared":
            return draw_shared_triplets(artists, n_triplets, recipe.batch_size, rng)
        case "triplets":
            return shuffled(draw_triplets(artists, n_triplets, rng), rng)
        case "artists":
            return draw_artist_batches(
                artists,
                recipe.artists_per_batch,
                recipe.images_per_batch_artist,
                recipe.artist_power,
                rng,
            )


def draw_artist_batches(
    artists: Integers, per_batch: int, images_each: int, power: float, rng: np.random.Generator
) -> ArtistBatches:
    """Draw batches of ``per_batch`` different artists with ``images_each`` of their images.

    There are as many batches as hold N images. An artist is drawn by the number of their images to
    ``power``: 0 treats all alike, 1 all images. Where there are fewer artists or images than asked
    for, a batch has them all. Raises ModelInputError unless there are two artists, one of them with
    two images.
    """
    names, artist, counts = np.unique(artists, return_inverse=True, return_counts=True)
    if len(names) < 2 or counts.max() < 2:
        raise ModelInputError(
            "batches need two artists at least, one with two images; add images of another"
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


def _in_passes(rows: Rows, batching: Batching) -> Batch:
    count = rows.shape[1]
    if batching == "roles":
        return Batch(tuple(rows), count, np.arange(rows.size).reshape(rows.shape))
    distinct, places = np.unique(rows, return_inverse=True)
    return Batch((distinct,), count, places.reshape(rows.shape))

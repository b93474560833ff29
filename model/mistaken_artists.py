"""Find the artists that are taken for each other."""

from dataclasses import dataclass

import numpy as np

from model.distances import Integers, Pairs, predicted_same

Z = 1.959964  # of a 95 % interval


@dataclass(frozen=True, slots=True)
class MistakenArtists:
    """Two artists, and how many of their pairs are taken for one artist's."""

    first: int
    second: int
    accepted: int
    pairs: int
    nearest: float  # the smallest distance between two of their paintings


def mistaken_artists(
    pairs: Pairs, artists: Integers, threshold: float, count: int
) -> list[MistakenArtists]:
    """Return at most `count` pairs of artists with accepted pairs, the most mistaken first.

    `artists` (N,) number the images' artists. They are ordered by the lower bound of the share
    accepted (Wilson 1927, "Probable inference"), so that four pairs of four count less than 90 of
    100.

    >>> from model.distances import all_pairs
    >>> artists = np.array([0, 0, 1, 1, 2])
    >>> pairs = all_pairs(np.float32([[0], [4], [1], [5], [9]]), artists)
    >>> mistaken_artists(pairs, artists, threshold=1.0, count=5)
    [MistakenArtists(first=0, second=1, accepted=2, pairs=4, nearest=1.0)]
    """
    different = ~pairs.same_artist
    ends = np.stack([artists[pairs.first_idx[different]], artists[pairs.second_idx[different]]])
    known = int(artists.max()) + 1
    cell = ends.min(axis=0).astype(np.int64) * known + ends.max(axis=0)
    cells, place, total = np.unique(cell, return_inverse=True, return_counts=True)
    distance = pairs.distance[different]
    is_accepted = predicted_same(distance, threshold)
    accepted = np.bincount(place, is_accepted, len(cells)).astype(np.int64)
    nearest = np.full(len(cells), np.inf)
    np.minimum.at(nearest, place, distance)
    share = accepted / total
    spread = Z * np.sqrt(share * (1 - share) / total + (Z / (2 * total)) ** 2)
    low = (share + Z**2 / (2 * total) - spread) / (1 + Z**2 / total)
    order = np.argsort(-low, kind="stable")[:count]
    return [
        MistakenArtists(
            first=int(cells[each] // known),
            second=int(cells[each] % known),
            accepted=int(accepted[each]),
            pairs=int(total[each]),
            nearest=float(nearest[each]),
        )
        for each in order
        if accepted[each]
    ]

"""Weights of pairs and queries on a draw of artists.

`drawn` (B, A) says how often each of B draws took each of A artists; see `resampling`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.distances import Float32, Float64, Integers, Pairs


@dataclass(frozen=True, slots=True)
class Kinds:
    """Same-artist pairs, and different-artist pairs sorted by distance."""

    same_dist: Float32  # (S,)
    same_of: Integers  # (S,) their artist
    different_dist: Float32  # (D,) ascending
    cell: Integers  # (D,) their artists a and b as a A + b
    artists: int

    def same_weight(self, drawn: Float64) -> Float64:
        """Total weight of same-artist pairs on every draw: (B,)."""
        weight: Float64 = drawn @ np.bincount(self.same_of, minlength=self.artists)
        return weight

    def different_weight(self, drawn: Float64) -> Float64:
        """Total weight of different-artist pairs on every draw: (B,)."""
        return weigh(sum_by_artists(self.cell, None, self.artists), drawn)


def sort_pairs(pairs: Pairs, artist: Integers, artists: int) -> Kinds:
    """Split pairs by kind; `artist` (N,) numbers the images' artists 0 ... `artists` - 1."""
    same = pairs.same_artist
    cell = artist[pairs.first_idx[~same]] * artists + artist[pairs.second_idx[~same]]
    order = np.argsort(pairs.distance[~same])
    return Kinds(
        same_dist=pairs.distance[same],
        same_of=artist[pairs.first_idx[same]],
        different_dist=pairs.distance[~same][order],
        cell=cell[order],
        artists=artists,
    )


def sum_by_artists(cell: Integers, worth: NDArray[np.generic] | None, artists: int) -> Float64:
    """Sum of `worth` (ones if None) by pair of artists (A, A); `cell` is a A + b."""
    table = np.bincount(cell, worth, artists**2).reshape(artists, artists)
    return table.astype(np.float64)


def weigh(table: Float64, drawn: Float64) -> Float64:
    """Sum over a and b of m_a table[a, b] m_b, for each draw (B,)."""
    weighed: Float64 = np.einsum("ra,ra->r", drawn @ table, drawn)
    return weighed


def mean_by_artist(artist: Integers, scores: Float64, drawn: Float64) -> Float64:
    """Mean of `scores` (S,), each with its `artist`'s weight m_a, for each draw (B,)."""
    total = np.bincount(artist, scores, drawn.shape[1])
    return shares(drawn @ total, drawn @ np.bincount(artist, minlength=len(total)))


def shares(right: Float64, total: Float64) -> Float64:
    """Divide (B,) by (B,); NaN where the total is 0.

    >>> shares(np.array([1.0, 0.0]), np.array([2.0, 0.0])).tolist()
    [0.5, nan]
    """
    divided: Float64 = np.divide(right, total, out=np.full(len(total), np.nan), where=total > 0)
    return divided

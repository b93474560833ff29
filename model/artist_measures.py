"""How well each artist's images are told from those of others."""

from dataclasses import dataclass

import numpy as np

from model.distances import Integers, Pairs, TripletDistances
from model.intervals import Interval, percentile_interval
from model.triplets import Triplets


@dataclass(frozen=True, slots=True)
class ArtistResult:
    """The figures of one artist of a split; one is None if the artist has nothing to judge by.

    `nearest_artist` is the other artist whose image is most often the nearest, among the images by
    others, to one by this artist.
    """

    artist: int
    n_images: int
    triplet_accuracy: float | None  # of the triplets whose anchor is by the artist
    interval: Interval | None  # its 95 % interval, from resampling the artist's images
    roc_auc: float | None  # of the pairs of the artist's images
    nearest_artist: int | None


def measure_artists(
    pairs: Pairs,
    artists: Integers,
    triplets: Triplets,
    distances: TripletDistances,
    resamples: int,
    seed: int,
) -> tuple[ArtistResult, ...]:
    """Measure each artist of a split by all its ``pairs`` and its images' ``artists`` (N,).

    ``distances`` (T,) are those of the ``triplets``; artists are numbered from 0.
    """
    from sklearn.metrics import roc_auc_score

    rng, count = np.random.default_rng(seed), int(artists.max()) + 1
    correct = distances.positive_dist < distances.negative_dist
    right, judged = (
        np.bincount(triplets.anchor_idx, weight, len(artists)) for weight in (correct, None)
    )
    nearest = _nearest_other(pairs, artists)
    rows = np.concatenate([pairs.first_idx, pairs.second_idx])
    of_artist = artists[rows]
    # A pair by one artist would be there twice.
    kept = np.concatenate([np.ones(len(pairs.distance), bool), ~pairs.same_artist])
    order = np.argsort(of_artist[kept], kind="stable")
    distance, same = (
        np.concatenate([each, each])[kept][order] for each in (pairs.distance, pairs.same_artist)
    )
    ends = np.cumsum(np.bincount(of_artist[kept], minlength=count))
    results = []
    for artist, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
        images = np.flatnonzero(artists == artist)
        draws = rng.multinomial(len(images), np.full(len(images), 1 / len(images)), resamples)
        with np.errstate(invalid="ignore"):
            figures = (draws @ right[images]) / (draws @ judged[images])
        n_judged = judged[images].sum()
        truth = same[start:end]
        others = nearest[images]
        others = others[others >= 0]
        results.append(
            ArtistResult(
                artist,
                len(images),
                float(right[images].sum() / n_judged) if n_judged else None,
                percentile_interval(figures),
                float(roc_auc_score(truth, -distance[start:end]))
                if truth.any() and not truth.all()
                else None,
                int(np.bincount(others).argmax()) if len(others) else None,
            )
        )
    return tuple(results)


def _nearest_other(pairs: Pairs, artists: Integers) -> Integers:
    """Artist of the nearest image by another artist, for each image: (N,), -1 if there is none."""
    different = ~pairs.same_artist
    rows = np.concatenate([pairs.first_idx[different], pairs.second_idx[different]])
    others = np.concatenate([pairs.second_idx[different], pairs.first_idx[different]])
    distance = np.concatenate([pairs.distance[different]] * 2)
    order = np.lexsort((distance, rows))
    of_rows, first = np.unique(rows[order], return_index=True)
    nearest = np.full(len(artists), -1, np.int64)
    nearest[of_rows] = artists[others[order][first]]
    return nearest

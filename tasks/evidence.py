"""What the page of an evaluation shows: mistakes, both errors by threshold, and each artist."""

from collections.abc import Iterator, Sequence

from model.accepted import accepted_pairs
from model.artist_measures import ArtistMeasures
from model.calibration import probability
from model.distances import Pairs
from model.hardest import hardest_pairs
from model.mistaken_artists import mistaken_artists
from storage.datasets.dataset import SplitImages
from storage.pages.report_page import (
    ArtistRow,
    ErrorCurve,
    Evidence,
    MistakenRow,
    Painting,
    PaintingPair,
)
from tasks.models import StoredModel

PAIRS_SHOWN = 12
MISTAKEN_SHOWN = 25


def gather_evidence(
    model: StoredModel,
    images: SplitImages,
    pairs: Pairs,
    artists: Sequence[ArtistMeasures],
    prior: float,
) -> Evidence:
    """Gather what the page shows of all pairs of a split, and of its artists."""
    calibration = model.calibration
    band = calibration.band
    marks = (calibration.threshold, band.accept_within, band.reject_beyond)
    accepted = accepted_pairs(pairs, marks)
    return Evidence(
        curve=ErrorCurve(
            accepted.threshold.tolist(), accepted.same.tolist(), accepted.different.tolist()
        ),
        threshold=calibration.threshold,
        accept_within=band.accept_within,
        reject_beyond=band.reject_beyond,
        prior=prior,
        hardest=tuple(_hardest(model, images, pairs, prior)),
        artists=tuple(_artists(images, artists)),
        mistaken=tuple(_mistaken(model, images, pairs)),
    )


def _hardest(
    model: StoredModel, images: SplitImages, pairs: Pairs, prior: float
) -> Iterator[PaintingPair]:
    for each in hardest_pairs(pairs, model.calibration.threshold, PAIRS_SHOWN):
        first, second = (
            Painting(images.names[row], images.artist_names[row], images.titles[row])
            for row in (pairs.first_idx[each], pairs.second_idx[each])
        )
        distance = float(pairs.distance[each])
        likely = float(probability(distance, model.calibration, prior))
        yield PaintingPair(first, second, bool(pairs.same_artist[each]), distance, likely)


def _artists(images: SplitImages, measured: Sequence[ArtistMeasures]) -> Iterator[ArtistRow]:
    names = _names(images)
    for each in sorted(measured, key=lambda one: names[one.artist]):
        low, high = (each.interval.low, each.interval.high) if each.interval else (None, None)
        yield ArtistRow(
            names[each.artist],
            each.n_images,
            each.triplet_accuracy,
            low,
            high,
            each.roc_auc,
            names[each.nearest_wrong],
        )


def _mistaken(model: StoredModel, images: SplitImages, pairs: Pairs) -> Iterator[MistakenRow]:
    names, threshold = _names(images), model.calibration.threshold
    for each in mistaken_artists(pairs, images.artists, threshold, MISTAKEN_SHOWN):
        first, second = names[each.first], names[each.second]
        yield MistakenRow(first, second, each.accepted, each.pairs, each.nearest)


def _names(images: SplitImages) -> dict[int, str]:
    return dict(zip(images.artists.tolist(), images.artist_names, strict=True))

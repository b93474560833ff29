"""Questions of one artist, of one image, and of what changed from one evaluation to another."""

from typing import Any

import pandas as pd
from sqlalchemy import CTE, Select, and_, case, func, select
from sqlalchemy.orm import Session, aliased

from storage.database import views
from storage.database.evaluation_tables import Evaluation, PairPrediction
from storage.database.results import frame, threshold_of
from storage.database.tables import Artist, Image
from storage.errors import InputError

METRICS = (
    "triplet_accuracy",
    "triplet_loss",
    "roc_auc",
    "eer",
    "balanced_accuracy",
    "recall_at_1",
    "map_at_r",
    "matched_triplet_accuracy",
    "threshold",
    "n_images",
    "n_pairs",
    "n_triplets",
)
SHARED = ("pair_index", "image_a_id", "image_b_id")


def hardest_of_artist(session: Session, evaluation_id: int, name: str, limit: int) -> pd.DataFrame:
    """Return the artist's pairs furthest on the wrong side of the threshold, as `pair_results`.

    Raises `InputError` where the evaluation has no such artist, or judged none of their pairs.
    """
    of_artist = _images(evaluation_id).join(Artist, Artist.id == Image.artist_id)
    ids, splits = _found(session, of_artist.where(Artist.name == name))
    if not ids:
        raise InputError(f"evaluation {evaluation_id} has no image by {name!r}")
    side = views.pairs_by_image.c
    theirs = _pairs_of(evaluation_id, ids).where(side.wrong_by.is_not(None))
    chosen = theirs.order_by(side.wrong_by.desc(), side.pair_index).limit(limit).cte("chosen")
    query = _results_of(evaluation_id, chosen)
    hardest = frame(session, query.order_by(chosen.c.wrong_by.desc(), chosen.c.pair_index))
    return _some(hardest, f"evaluation {evaluation_id} judged no pair of {name!r}", splits)


def pairs_of_image(session: Session, evaluation_id: int, filename: str, limit: int) -> pd.DataFrame:
    """Return the pairs of an image, nearest first, as `pair_results`.

    Raises `InputError` where the evaluation has no such image, or no pair of it.
    """
    ids, splits = _found(session, _images(evaluation_id).where(Image.filename == filename))
    if not ids:
        raise InputError(f"evaluation {evaluation_id} has no image {filename!r}")
    side = views.pairs_by_image.c
    nearest = _pairs_of(evaluation_id, ids).order_by(side.distance, side.pair_index)
    chosen = nearest.limit(limit).cte("chosen")
    query = _results_of(evaluation_id, chosen)
    pairs = frame(session, query.order_by(chosen.c.distance, chosen.c.pair_index))
    return _some(pairs, f"evaluation {evaluation_id} has no pair of {filename!r}", splits)


def changes(session: Session, before: Evaluation, after: Evaluation) -> pd.DataFrame:
    """Return metric by metric what it was, what it is, and the difference.

    Where both judge the same pairs of the same images, a last row tells how many pairs are now
    taken for the other of "same artist" and "another".
    """
    rows: list[tuple[str, float | None, float | None, float | None]] = []
    for metric in METRICS:
        was, now = getattr(before, metric), getattr(after, metric)
        if was is not None or now is not None:
            rows.append((metric, was, now, None if None in (was, now) else now - was))
    if before.dataset_id == after.dataset_id and before.split == after.split:
        rows.append(("flipped_pairs", None, None, _count_flipped(session, before.id, after.id)))
    return pd.DataFrame(rows, columns=["metric", "before", "after", "difference"])


def _count_flipped(session: Session, before: int, after: int) -> int | None:
    """Count the pairs on which two evaluations decide otherwise; None where they share none."""
    one, other = aliased(PairPrediction), aliased(PairPrediction)
    same_then = one.distance <= threshold_of(before)
    same_now = other.distance <= threshold_of(after)
    shared = [getattr(one, name) == getattr(other, name) for name in SHARED]
    query = (
        select(func.sum(case((same_then != same_now, 1), else_=0)))
        .join(other, and_(*shared))
        .where(one.evaluation_id == before, other.evaluation_id == after)
    )
    flipped: int | None = session.scalar(query)
    return flipped


def _found(session: Session, images: Select[Any]) -> tuple[list[int], str]:
    """Return the numbers of the images, and the splits that they are in, for people to read."""
    found = session.execute(images).all()
    return [row.id for row in found], ", ".join(sorted({row.split for row in found}))


def _some(pairs: pd.DataFrame, none: str, splits: str) -> pd.DataFrame:
    """Return the pairs. Raises `InputError` where there are none."""
    if pairs.empty:
        raise InputError(f"{none}, of the split {splits}")
    return pairs


def _images(evaluation_id: int) -> Select[Any]:
    return (
        select(Image.id, Image.split)
        .join(Evaluation, Evaluation.dataset_id == Image.dataset_id)
        .where(Evaluation.id == evaluation_id)
    )


def _pairs_of(evaluation_id: int, image_ids: list[int]) -> Select[Any]:
    """Select each pair that has one of the images on either side."""
    side = views.pairs_by_image.c
    query = select(side.pair_index, side.distance, side.wrong_by).distinct()
    return query.where(side.evaluation_id == evaluation_id, side.image_id.in_(image_ids))


def _results_of(evaluation_id: int, chosen: CTE) -> Select[Any]:
    """Select the results of the chosen pairs: names are looked up for these alone."""
    row = views.pair_results.c
    there = and_(row.evaluation_id == evaluation_id, row.pair_index == chosen.c.pair_index)
    return select(views.pair_results).join(chosen, there)

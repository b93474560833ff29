"""Questions of one artist and of one image, whose pairs are found on either side."""

from typing import Any

import pandas as pd
from sqlalchemy import Select, case, select
from sqlalchemy.orm import Session

from storage.database import views
from storage.database.evaluation_tables import Evaluation, PairPrediction
from storage.database.tables import Artist, Image
from storage.errors import InputError


def hardest_of_artist(session: Session, evaluation_id: int, name: str, limit: int) -> pd.DataFrame:
    """Return the artist's pairs furthest on the wrong side of the threshold, as `pair_results`.

    Raises `InputError` where the evaluation has no such artist.
    """
    of_artist = _images(evaluation_id).join(Artist, Artist.id == Image.artist_id)
    ids = list(session.scalars(of_artist.where(Artist.name == name)))
    if not ids:
        raise InputError(f"evaluation {evaluation_id} has no image by {name!r}")
    row = views.pair_results.c
    beyond = row.distance - row.threshold
    hardness = case((row.same_artist, beyond), else_=-beyond)
    query = _results_of(evaluation_id, ids).where(row.same_artist.is_not(None))
    return _frame(session, query.order_by(hardness.desc(), row.pair_index).limit(limit))


def pairs_of_image(session: Session, evaluation_id: int, filename: str, limit: int) -> pd.DataFrame:
    """Return the pairs of an image, nearest first, as `pair_results`.

    Raises `InputError` where the evaluation has no such image.
    """
    ids = list(session.scalars(_images(evaluation_id).where(Image.filename == filename)))
    if not ids:
        raise InputError(f"evaluation {evaluation_id} has no image {filename!r}")
    row = views.pair_results.c
    query = _results_of(evaluation_id, ids)
    return _frame(session, query.order_by(row.distance, row.pair_index).limit(limit))


def _images(evaluation_id: int) -> Select[Any]:
    return (
        select(Image.id)
        .join(Evaluation, Evaluation.dataset_id == Image.dataset_id)
        .where(Evaluation.id == evaluation_id)
    )


def _results_of(evaluation_id: int, image_ids: list[int]) -> Select[Any]:
    """Select the results of pairs that have one of the images on either side."""
    pair, row = PairPrediction, views.pair_results.c
    either = pair.image_a_id.in_(image_ids) | pair.image_b_id.in_(image_ids)
    found = select(pair.pair_index).where(pair.evaluation_id == evaluation_id, either).cte("found")
    return (
        select(views.pair_results)
        .join(found, found.c.pair_index == row.pair_index)
        .where(row.evaluation_id == evaluation_id)
    )


def _frame(session: Session, query: Select[Any]) -> pd.DataFrame:
    return pd.read_sql(query, session.connection())

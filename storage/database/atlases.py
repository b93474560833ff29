"""Write an atlas, whole or not at all, and find the one to ask."""

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from storage.database import results, views
from storage.database.atlas_tables import Atlas, AtlasMeasure, Attribution, Neighbour

if TYPE_CHECKING:
    import pandas as pd

ROWS = 20_000  # inserted at once
Row = dict[str, Any]


def doubtful(session: Session, wanted: str, limit: int | None = None) -> "pd.DataFrame":
    """Return the doubtful pictures of an atlas, by its number or the last, likeliest other first.

    Raises `InputError` if there is no such atlas.
    """
    view = views.doubtful
    query = select(view).where(view.c.atlas_id == results.find_atlas(session, wanted).id)
    return results.frame(session, query.order_by(view.c.likely_probability.desc()).limit(limit))


def record_atlas(
    session: Session,
    atlas: Atlas,
    neighbours: Iterable[Row],
    attributions: Iterable[Row],
    measures: Iterable[Row],
) -> int:
    """Record a run's atlas in place of one that an earlier attempt left; return its id.

    Rows are columns without `atlas_id`.
    """
    session.execute(delete(Atlas).where(Atlas.run_id == atlas.run_id))
    session.add(atlas)
    session.flush()
    for table, rows in (
        (Neighbour, neighbours),
        (Attribution, attributions),
        (AtlasMeasure, measures),
    ):
        left = iter(rows)
        while chunk := [{"atlas_id": atlas.id, **row} for row in islice(left, ROWS)]:
            session.execute(insert(table), chunk)
    return atlas.id

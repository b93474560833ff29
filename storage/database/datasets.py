"""Record a prepared source: its artists, its images and its rejected images."""

from collections.abc import Hashable
from typing import Any

import pandas as pd
from sqlalchemy import bindparam, exists, insert, select, text
from sqlalchemy.orm import Session

from storage.catalogs.catalog import KNOWN_COLUMNS, NAMED_COLUMNS
from storage.database.base import UtcDateTime, utc_now
from storage.database.tables import Artist, Image, NearDuplicate, RejectedImage
from storage.datasets.dataset import CROPPED
from storage.errors import InputError

# SQLAlchemy has an INSERT with ON CONFLICT for each database; both spell it alike.
UPSERT = """
INSERT INTO datasets (source, content_hash, crops_hash, catalog_path, created_at)
VALUES (:source, :content_hash, :crops_hash, :catalog_path, :created_at)
ON CONFLICT (source, content_hash, crops_hash)
DO UPDATE SET catalog_path = coalesce(excluded.catalog_path, datasets.catalog_path)
RETURNING id
"""
DETAILS = (*KNOWN_COLUMNS, "sha256")
OURS = frozenset({*NAMED_COLUMNS, *DETAILS, CROPPED})


def record_dataset(
    session: Session,
    *,
    source: str,
    content_hash: str,
    crops_hash: str = "",
    catalog_path: str | None = None,
    images: pd.DataFrame,
    rejected: pd.DataFrame,
    near_duplicates: pd.DataFrame | None = None,
) -> int:
    """Record a prepared source and return its id; source, content and crops are its key.

    `images` has a row per image, excluded ones too, with columns `image_name`, `artist_name`
    and `split`, and perhaps `title`, `style`, `genre`, `date` and `sha256`; its other columns are
    recorded as `extra`. `rejected` has columns `image_name` and `reason`; `near_duplicates` has
    the columns of the table. A dataset recorded again keeps its id and images; a catalog and
    rejected images that are new are added. Raises `InputError` for an artist in two splits.
    """
    values = {
        "source": source,
        "content_hash": content_hash,
        "crops_hash": crops_hash,
        "catalog_path": catalog_path,
    }
    upsert = text(UPSERT).bindparams(bindparam("created_at", utc_now(), UtcDateTime))
    dataset_id = int(session.execute(upsert, values).scalar_one())
    if not session.scalar(select(exists().where(Image.dataset_id == dataset_id))):
        _insert_images(session, dataset_id, images)
    _insert_rejected(session, dataset_id, rejected)
    for pair in [] if near_duplicates is None else near_duplicates.to_dict("records"):
        columns = {str(name): value for name, value in pair.items()}
        session.merge(NearDuplicate(dataset_id=dataset_id, **columns))
    return dataset_id


def image_ids(session: Session, dataset_id: int) -> dict[str, int]:
    """Return the id of every image of a dataset by its file name."""
    found = session.execute(select(Image.filename, Image.id).where(Image.dataset_id == dataset_id))
    return {filename: image_id for filename, image_id in found}


def artist_ids_of(session: Session, dataset_id: int) -> dict[str, int]:
    """Return the id of every artist of a dataset by their name."""
    found = session.execute(select(Artist.name, Artist.id).where(Artist.dataset_id == dataset_id))
    return {name: artist_id for name, artist_id in found}


def artist_splits(images: pd.DataFrame) -> dict[str, str]:
    """Return the split of every artist: that of their used images, `excluded` if there are none.

    Raises `InputError` if an artist is in two splits: measures on artists seen in training say
    nothing about unseen ones.
    """
    named = images.dropna(subset="artist_name")
    used = named[named["split"] != "excluded"].drop_duplicates(["artist_name", "split"])
    crossing = used.loc[used["artist_name"].duplicated(), "artist_name"]
    if not crossing.empty:
        raise InputError(f"artist {crossing.iloc[0]!r} is in two splits; keep each artist in one")
    splits = dict.fromkeys(named["artist_name"], "excluded")
    return splits | dict(zip(used["artist_name"], used["split"], strict=True))


def _insert_images(session: Session, dataset_id: int, images: pd.DataFrame) -> None:
    """Insert all artists, then all images with their artists' ids."""
    splits = artist_splits(images).items()
    artists = [{"dataset_id": dataset_id, "name": name, "split": split} for name, split in splits]
    if artists:
        session.execute(insert(Artist), artists)
    artist_ids = artist_ids_of(session, dataset_id)
    rows = [
        {
            "dataset_id": dataset_id,
            "artist_id": artist_ids.get(row["artist_name"]),
            "filename": row["image_name"],
            "split": row["split"],
            **{detail: row.get(detail) for detail in DETAILS},
            "extra": _extra(row),
        }
        for row in _texts(images)
    ]
    if rows:
        session.execute(insert(Image), rows)


def _extra(row: dict[Hashable, Any]) -> dict[Hashable, Any] | None:
    """Return what the source's own columns say of an image; None if nothing."""
    return {name: value for name, value in row.items() if name not in OURS and value} or None


def _insert_rejected(session: Session, dataset_id: int, rejected: pd.DataFrame) -> None:
    """Insert the rejected images that are not recorded yet."""
    of_dataset = RejectedImage.dataset_id == dataset_id
    known = set(session.scalars(select(RejectedImage.filename).where(of_dataset)))
    rows = [
        {"dataset_id": dataset_id, "filename": row["image_name"], "reason": row["reason"]}
        for row in _texts(rejected)
        if row["image_name"] not in known
    ]
    if rows:
        session.execute(insert(RejectedImage), rows)


def _texts(frame: pd.DataFrame) -> list[dict[Hashable, Any]]:
    """Return the rows as dictionaries of text, with None for missing values."""
    texts = frame.astype("str").astype(object)
    return texts.where(frame.notna(), None).to_dict("records")

"""The tables of atlases: a collection embedded by a model, and what was asked of it."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from storage.database.base import Base, shares, utc_now


class Atlas(Base):
    """A collection embedded by a model; its run's folder has the embeddings."""

    __tablename__ = "atlases"
    __table_args__ = (UniqueConstraint("run_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"))
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id", ondelete="CASCADE"))
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id", ondelete="RESTRICT"))
    n_images: Mapped[int]
    n_artists: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class Neighbour(Base):
    """One of the nearest pictures to a picture of an atlas; rank 1 is the nearest."""

    __tablename__ = "neighbours"
    __table_args__ = (CheckConstraint("distance >= 0", name="distance"),)

    atlas_id: Mapped[int] = mapped_column(
        ForeignKey("atlases.id", ondelete="CASCADE"), primary_key=True
    )
    image_id: Mapped[int] = mapped_column(
        ForeignKey("images.id", ondelete="RESTRICT"), primary_key=True
    )
    rank: Mapped[int] = mapped_column(primary_key=True)
    neighbour_id: Mapped[int] = mapped_column(ForeignKey("images.id", ondelete="RESTRICT"))
    distance: Mapped[float]


class Attribution(Base):
    """How probable an artist is for a picture of an atlas, the picture itself left out.

    Ranks count from 1; the most probable artists are there, and the picture's own. Rank 0 is "none
    of these", whose artist is NULL.
    """

    __tablename__ = "attributions"
    __table_args__ = (
        *shares("probability"),
        Index("ix_attributions_artist_id", "artist_id"),
    )

    atlas_id: Mapped[int] = mapped_column(
        ForeignKey("atlases.id", ondelete="CASCADE"), primary_key=True
    )
    image_id: Mapped[int] = mapped_column(
        ForeignKey("images.id", ondelete="RESTRICT"), primary_key=True
    )
    rank: Mapped[int] = mapped_column(primary_key=True)
    artist_id: Mapped[int | None] = mapped_column(ForeignKey("artists.id", ondelete="RESTRICT"))
    probability: Mapped[float]


class AtlasMeasure(Base):
    """How well an atlas attributes its own pictures, with the 95 % interval."""

    __tablename__ = "atlas_measures"

    atlas_id: Mapped[int] = mapped_column(
        ForeignKey("atlases.id", ondelete="CASCADE"), primary_key=True
    )
    metric: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[float]
    low: Mapped[float | None]
    high: Mapped[float | None]

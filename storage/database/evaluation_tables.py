"""The tables of what models achieve: evaluations with their baselines and pairs."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Double, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from storage.database.base import Base, EvaluationStatus, Scope, Split, shares, utc_now

NETWORK = "network"
"""What the network is called among the contenders of its evaluation."""
HARDEST_KEPT = 1_000
"""How many pairs by one artist, and how many by two, are stored as an evaluation's hardest."""
COMPARED = (
    "triplet_accuracy, triplet_accuracy_low, triplet_accuracy_high, "
    "roc_auc, roc_auc_low, roc_auc_high, matched_triplet_accuracy"
)
"""The shares that an evaluation and its baselines have in common."""


class Evaluation(Base):
    """An evaluation of a model on a split of a dataset, or a scoring of pairs (`split` NULL).

    Metrics are NULL until the status is `complete`. `threshold` is the one applied; if it is NULL,
    the model's own was. Columns that end in `_low` and `_high` bound a 95 % interval.
    """

    __tablename__ = "evaluations"
    __table_args__ = (
        CheckConstraint("threshold >= 0", name="threshold"),
        CheckConstraint("prior > 0 AND prior < 1", name="prior"),
        *shares(f"{COMPARED}, eer, balanced_accuracy, recall_at_1, map_at_r"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"))
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id", ondelete="CASCADE"))
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id", ondelete="RESTRICT"))
    split: Mapped[Split | None]
    status: Mapped[EvaluationStatus] = mapped_column(default="writing")
    triplet_accuracy: Mapped[float | None]
    triplet_accuracy_low: Mapped[float | None]
    triplet_accuracy_high: Mapped[float | None]
    triplet_loss: Mapped[float | None]
    roc_auc: Mapped[float | None]
    roc_auc_low: Mapped[float | None]
    roc_auc_high: Mapped[float | None]
    eer: Mapped[float | None]
    balanced_accuracy: Mapped[float | None]
    recall_at_1: Mapped[float | None]
    map_at_r: Mapped[float | None]
    matched_on: Mapped[str | None]
    matched_triplet_accuracy: Mapped[float | None]
    matched_n_triplets: Mapped[int | None]
    threshold: Mapped[float | None]
    prior: Mapped[float] = mapped_column(default=0.5, server_default="0.5")  # of one artist
    n_images: Mapped[int | None]
    n_pairs: Mapped[int | None]
    n_triplets: Mapped[int | None]
    true_accepts: Mapped[int | None]  # pairs by one artist, predicted same
    false_rejects: Mapped[int | None]  # pairs by one artist, predicted different
    true_rejects: Mapped[int | None]  # pairs by two artists, predicted different
    false_accepts: Mapped[int | None]  # pairs by two artists, predicted same
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    pruned_at: Mapped[datetime | None]  # when its pairs were removed; its metrics stay


class Baseline(Base):
    """What a simpler method achieves on the triplets and pairs of an evaluation."""

    __tablename__ = "baselines"
    __table_args__ = (
        UniqueConstraint("evaluation_id", "name"),
        *shares(COMPARED),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    evaluation_id: Mapped[int] = mapped_column(ForeignKey("evaluations.id", ondelete="CASCADE"))
    name: Mapped[str]
    triplet_accuracy: Mapped[float | None]
    triplet_accuracy_low: Mapped[float | None]
    triplet_accuracy_high: Mapped[float | None]
    roc_auc: Mapped[float | None]
    roc_auc_low: Mapped[float | None]
    roc_auc_high: Mapped[float | None]
    matched_triplet_accuracy: Mapped[float | None]


class Measure(Base):
    """A metric of the network or of a baseline, with its 95 % interval if it has one.

    It covers all pairs or triplets of the evaluation, or only matched ones: their images share a
    value of the evaluation's `matched_on`.
    """

    __tablename__ = "measures"

    evaluation_id: Mapped[int] = mapped_column(
        ForeignKey("evaluations.id", ondelete="CASCADE"), primary_key=True
    )
    contender: Mapped[str] = mapped_column(primary_key=True)  # NETWORK or a baseline's name
    scope: Mapped[Scope] = mapped_column(primary_key=True)
    metric: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[float]
    low: Mapped[float | None]
    high: Mapped[float | None]


class Reliability(Base):
    """Pairs of an evaluation with like probabilities, and how many of them are by one artist.

    Tenth 0 has probabilities up to 0.1. The shares give both kinds of pairs equal total weight.
    """

    __tablename__ = "reliability"
    __table_args__ = (*shares("probability, same_share"),)

    evaluation_id: Mapped[int] = mapped_column(
        ForeignKey("evaluations.id", ondelete="CASCADE"), primary_key=True
    )
    tenth: Mapped[int] = mapped_column(primary_key=True)
    probability: Mapped[float]
    same_share: Mapped[float]
    n_pairs: Mapped[int] = mapped_column(BigInteger)


class ArtistResult(Base):
    """The figures of one artist of an evaluation; NULL if there is nothing to judge by.

    `nearest_artist_id` is the other artist whose image is most often the nearest one by others.
    """

    __tablename__ = "artist_results"
    __table_args__ = (*shares("triplet_accuracy, roc_auc"),)

    evaluation_id: Mapped[int] = mapped_column(
        ForeignKey("evaluations.id", ondelete="CASCADE"), primary_key=True
    )
    artist_id: Mapped[int] = mapped_column(
        ForeignKey("artists.id", ondelete="RESTRICT"), primary_key=True
    )
    n_images: Mapped[int]
    triplet_accuracy: Mapped[float | None]
    triplet_accuracy_low: Mapped[float | None]
    triplet_accuracy_high: Mapped[float | None]
    roc_auc: Mapped[float | None]
    nearest_artist_id: Mapped[int | None] = mapped_column(
        ForeignKey("artists.id", ondelete="RESTRICT")
    )


class PairPrediction(Base):
    """The distance of one pair of images; `same_artist` is the truth, NULL where unknown."""

    __tablename__ = "pair_predictions"
    __table_args__ = (
        # The upper bound excludes infinity, and NaN, which PostgreSQL sorts above every number.
        CheckConstraint("distance >= 0 AND distance < 1e300", name="distance"),
        # On SQLite the table is its own key, without a second copy as an index; see PairImage.
        # On PostgreSQL each evaluation is a partition, whose indexes find the pairs of an image.
        Index("ix_pair_predictions_image_a_id", "image_a_id").ddl_if(dialect="postgresql"),
        Index("ix_pair_predictions_image_b_id", "image_b_id").ddl_if(dialect="postgresql"),
        {"sqlite_with_rowid": False, "postgresql_partition_by": "LIST (evaluation_id)"},
    )

    evaluation_id: Mapped[int] = mapped_column(
        ForeignKey("evaluations.id", ondelete="CASCADE"), primary_key=True
    )
    pair_index: Mapped[int] = mapped_column(primary_key=True)
    image_a_id: Mapped[int] = mapped_column(ForeignKey("images.id", ondelete="RESTRICT"))
    image_b_id: Mapped[int] = mapped_column(ForeignKey("images.id", ondelete="RESTRICT"))
    distance: Mapped[float] = mapped_column(Double)  # plain, as there are millions
    same_artist: Mapped[bool | None]


class HardestPair(Base):
    """A pair among the furthest by one artist, or among the closest by two.

    Stored when an evaluation is completed, so that nobody has to read all pairs for its mistakes.
    """

    __tablename__ = "hardest_pairs"

    evaluation_id: Mapped[int] = mapped_column(
        ForeignKey("evaluations.id", ondelete="CASCADE"), primary_key=True
    )
    pair_index: Mapped[int] = mapped_column(primary_key=True)


class PairImage(Base):
    """An image in a pair, by which the pairs of an image or artist are found on SQLite.

    Filled in its own order once an evaluation is complete, which takes a fraction of the time of
    indexes that grow with every pair. PostgreSQL has such indexes, and no such table.
    """

    __tablename__ = "pair_images"
    __table_args__ = {"sqlite_with_rowid": False, "info": {"only_on": "sqlite"}}  # noqa: RUF012

    evaluation_id: Mapped[int] = mapped_column(
        ForeignKey("evaluations.id", ondelete="CASCADE"), primary_key=True
    )
    image_id: Mapped[int] = mapped_column(primary_key=True)
    pair_index: Mapped[int] = mapped_column(primary_key=True)

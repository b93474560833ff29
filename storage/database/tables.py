"""The tables of datasets, runs, epochs, models and sweeps, one class each.

Functions take and return rows as instances of these classes: `Run(flow_name=..., preset=...)`.
Every metric and every pair leads back to a run, and a run to all that is needed to repeat it.
"""

from datetime import datetime
from socket import gethostname
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from storage.database.base import Base, RunStatus, Split, shares, utc_now


class Dataset(Base):
    """A prepared source, cropped by certain rules; `crops_hash` is empty if it has no crops."""

    __tablename__ = "datasets"
    __table_args__ = (UniqueConstraint("source", "content_hash", "crops_hash"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str]
    content_hash: Mapped[str]
    crops_hash: Mapped[str] = mapped_column(server_default="")
    catalog_path: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class Artist(Base):
    """An artist of a dataset; all of their images that are used are in one split."""

    __tablename__ = "artists"
    __table_args__ = (UniqueConstraint("dataset_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id", ondelete="CASCADE"))
    name: Mapped[str]
    split: Mapped[Split]


class Image(Base):
    """An image of a dataset; `artist_id` is NULL if the artist is unknown.

    `extra` are the catalog's own columns, by their names; NULL if none has a value.
    """

    __tablename__ = "images"
    __table_args__ = (UniqueConstraint("dataset_id", "filename"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id", ondelete="CASCADE"))
    artist_id: Mapped[int | None] = mapped_column(ForeignKey("artists.id", ondelete="CASCADE"))
    filename: Mapped[str]
    split: Mapped[Split]
    title: Mapped[str | None]
    style: Mapped[str | None]
    genre: Mapped[str | None]
    date: Mapped[str | None]
    sha256: Mapped[str | None]
    extra: Mapped[dict[str, Any] | None]


class RejectedImage(Base):
    """An image that could not be used, and why."""

    __tablename__ = "rejected_images"
    __table_args__ = (UniqueConstraint("dataset_id", "filename"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id", ondelete="CASCADE"))
    filename: Mapped[str]
    reason: Mapped[str]


class NearDuplicate(Base):
    """Two images of a source that show the same picture; see `storage.datasets.near_duplicates`.

    `filename` is not used, or neither of the two; `rejected_images` says why.
    """

    __tablename__ = "near_duplicates"
    __table_args__ = (*shares("similarity"),)

    dataset_id: Mapped[int] = mapped_column(
        ForeignKey("datasets.id", ondelete="CASCADE"), primary_key=True
    )
    filename: Mapped[str] = mapped_column(primary_key=True)
    duplicate_of: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]  # copy or mirrored
    similarity: Mapped[float]


class Run(Base):
    """A run of a flow: its settings, what it ran on, how it ended."""

    __tablename__ = "runs"

    id: Mapped[int] = mapped_column(primary_key=True)
    flow_name: Mapped[str]
    prefect_flow_run_id: Mapped[str | None]
    status: Mapped[RunStatus] = mapped_column(default="running")
    error: Mapped[str | None]
    source: Mapped[str]
    preset: Mapped[str]
    settings: Mapped[dict[str, Any]]
    seed: Mapped[int] = mapped_column(BigInteger)
    device: Mapped[str]
    code_version: Mapped[str]
    library_versions: Mapped[dict[str, Any]]
    directory: Mapped[str]
    workspace: Mapped[str | None]  # the identity of the SAMEHAND_HOME that `directory` is in
    dataset_id: Mapped[int | None] = mapped_column(ForeignKey("datasets.id", ondelete="RESTRICT"))
    # The stored model that the run evaluates; models have runs too, hence use_alter.
    model_id: Mapped[int | None] = mapped_column(
        ForeignKey("models.id", ondelete="SET NULL", use_alter=True)
    )
    started_at: Mapped[datetime] = mapped_column(default=utc_now)
    finished_at: Mapped[datetime | None]


class RunProcess(Base):
    """A process that worked on a run: the first one, and one more each time the run resumes."""

    __tablename__ = "run_processes"

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"))
    prefect_flow_run_id: Mapped[str | None]
    started_at: Mapped[datetime] = mapped_column(default=utc_now)
    host: Mapped[str] = mapped_column(default=gethostname)
    device: Mapped[str]
    precision: Mapped[str]
    code_version: Mapped[str]
    library_versions: Mapped[dict[str, Any]]


class Lease(Base):
    """A lock on something in a workspace whose files cannot be locked; see `leases`."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(primary_key=True)
    holder: Mapped[str]
    renewed_at: Mapped[datetime]  # by the clock of the database


class Epoch(Base):
    """The figures of one epoch of a training run."""

    __tablename__ = "epochs"
    __table_args__ = (
        CheckConstraint("epoch >= 0", name="epoch"),
        *shares("train_accuracy, validation_accuracy, validation_roc_auc, test_accuracy"),
    )

    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    epoch: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    train_loss: Mapped[float | None]
    train_accuracy: Mapped[float | None]
    validation_loss: Mapped[float | None]
    validation_accuracy: Mapped[float | None]
    validation_roc_auc: Mapped[float | None]
    test_loss: Mapped[float | None]
    test_accuracy: Mapped[float | None]
    seconds: Mapped[float | None]
    images_per_second: Mapped[float | None]


class Model(Base):
    """A kept checkpoint, with threshold and calibration from its validation pairs.

    The log-likelihood ratio of "same artist" is
    `calibration_slope * (calibration_midpoint - distance)`. Up to `accept_within` the verdict is
    "same", beyond `reject_beyond` it is "different"; between them nothing can be told.

    Models of one `purpose`, by default the source that they were trained on, compete for being its
    champion. `refusal` says why the model did not become champion, if it was compared.
    """

    __tablename__ = "models"
    __table_args__ = (
        UniqueConstraint("run_id", "epoch"),
        CheckConstraint("epoch >= 0", name="epoch"),
        CheckConstraint("threshold >= 0", name="threshold"),
        CheckConstraint("accept_within <= reject_beyond", name="band"),
        *shares("validation_roc_auc, validation_accuracy"),
        Index(
            "ix_models_champion",  # among the rows that are true: one champion of each purpose
            "purpose",
            unique=True,
            sqlite_where=text("is_champion"),
            postgresql_where=text("is_champion"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"))
    epoch: Mapped[int]
    path: Mapped[str]
    sha256: Mapped[str]
    settings: Mapped[dict[str, Any] | None]
    threshold: Mapped[float]
    calibration_slope: Mapped[float]
    calibration_midpoint: Mapped[float]
    accept_within: Mapped[float]
    reject_beyond: Mapped[float]
    validation_roc_auc: Mapped[float]
    validation_accuracy: Mapped[float]
    has_collapsed: Mapped[bool] = mapped_column(default=False, server_default=false())
    purpose: Mapped[str] = mapped_column(default="", server_default="")
    is_champion: Mapped[bool] = mapped_column(default=False)
    refusal: Mapped[str | None]


class Promotion(Base):
    """How a model became the champion of a purpose: when, by whom, why, and over which model.

    `difference` is the ROC AUC of the model minus the former champion's, with its 95 % interval,
    on the former champion's validation images; NULL if they were not compared.
    """

    __tablename__ = "promotions"

    id: Mapped[int] = mapped_column(primary_key=True)
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id", ondelete="CASCADE"))
    purpose: Mapped[str]
    promoted_at: Mapped[datetime] = mapped_column(default=utc_now)
    promoted_by: Mapped[str]
    reason: Mapped[str]
    former_model_id: Mapped[int | None] = mapped_column(
        ForeignKey("models.id", ondelete="SET NULL")
    )
    difference: Mapped[float | None]
    low: Mapped[float | None]
    high: Mapped[float | None]


class SweepTraining(Base):
    """One training of a sweep: a recipe on a fold of the artists, from a seed.

    Its training run and its evaluation are NULL until they exist, and after they are deleted.
    """

    __tablename__ = "sweeps"
    __table_args__ = (CheckConstraint("fold >= 0", name="fold"),)

    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    recipe: Mapped[str] = mapped_column(primary_key=True)
    fold: Mapped[int] = mapped_column(primary_key=True)
    seed: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    training_run_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id", ondelete="SET NULL"))
    evaluation_id: Mapped[int | None] = mapped_column(
        ForeignKey("evaluations.id", ondelete="SET NULL")
    )


class SweepDifference(Base):
    """How much better a recipe is than a rival on the same folds, with its 95 % interval."""

    __tablename__ = "sweep_differences"

    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    recipe: Mapped[str] = mapped_column(primary_key=True)
    rival: Mapped[str] = mapped_column(primary_key=True)
    metric: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[float]
    low: Mapped[float]
    high: Mapped[float]

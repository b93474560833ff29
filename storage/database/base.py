"""What all tables share: the declarative base, the column types, the shapes of checks."""

import math
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from sqlalchemy import JSON, CheckConstraint, DateTime, Dialect, Double, Enum, MetaData
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

Split = Literal["train", "validation", "test", "excluded"]
RunStatus = Literal["running", "complete", "failed", "cancelled", "crashed"]
EvaluationStatus = Literal["writing", "complete", "failed"]
Scope = Literal["all", "matched"]


class UtcDateTime(TypeDecorator[datetime]):
    """A moment, stored in UTC and read back aware; SQLite by itself would forget the time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC; a moment without time zone raises `ValueError`, as it names no moment."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the moment in UTC, whatever time zone the server's session is set to."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Figure(TypeDecorator[float]):
    """A number of double precision, NULL where it is undefined (NaN): so for both databases."""

    impl = Double()
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Dialect) -> float | None:
        """Take any real number, NumPy's scalars too; NaN becomes NULL."""
        return None if value is None or math.isnan(value) else float(value)


def utc_now() -> datetime:
    """Return the present moment, aware and in UTC."""
    return datetime.now(UTC)


def one_of(choices: Any, name: str) -> Enum:
    """Return the type of a text column that holds one of a `Literal`'s words, checked in SQL."""
    return Enum(*get_args(choices), name=name, native_enum=False, create_constraint=True)


def shares(*columns: str) -> tuple[CheckConstraint, ...]:
    """Return one check per column: between 0 and 1, or NULL."""
    return tuple(CheckConstraint(f"{column} BETWEEN 0 AND 1", name=column) for column in columns)


class Base(DeclarativeBase):
    """The base of all tables; constraints get the same names in every database."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own class attribute, read once
        datetime: UtcDateTime(),
        float: Figure(),
        dict[str, Any]: JSON(none_as_null=True),
        Split: one_of(Split, "split"),
        RunStatus: one_of(RunStatus, "status"),
        EvaluationStatus: one_of(EvaluationStatus, "status"),
        Scope: one_of(Scope, "scope"),
    }

"""What all tables share: the declarative base, column types and checks."""

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
    """A moment with its time zone, stored in UTC; SQLite itself would forget the time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC. Raises `ValueError` for a moment without a time zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the moment in UTC, whatever the time zone of the server's session."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Figure(TypeDecorator[float]):
    """A double precision number; an undefined one (NaN) is NULL in both databases."""

    impl = Double()
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Dialect) -> float | None:
        """Accept any real number, NumPy scalars too."""
        return None if value is None or math.isnan(value) else float(value)


def utc_now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


def one_of(choices: Any, name: str) -> Enum:
    """Return the type of a text column that SQL checks to hold one of a `Literal`'s words."""
    return Enum(*get_args(choices), name=name, native_enum=False, create_constraint=True)


def shares(columns: str) -> list[CheckConstraint]:
    """Return one check for each of the columns, whose names commas separate: from 0 to 1."""
    names = columns.split(", ")
    return [CheckConstraint(f"{name} BETWEEN 0 AND 1", name=name) for name in names]


class Base(DeclarativeBase):
    """The base of all tables, which names constraints alike in both databases."""

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

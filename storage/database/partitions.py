"""On PostgreSQL the pairs of each evaluation are a partition of all pairs, and in parts themselves.

A part is a table of four million consecutive indices. It is loaded, indexed and only then attached:
bare rows go in fifteen times as fast as rows whose every image is looked up, keys, indexes and
checks are made once for all rows, and those of one part while another is loaded. Dropping pairs is
dropping files, whatever their number.

Each function is meant for PostgreSQL; on SQLite, which has no partitions, none is called.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

LOADING_MEMORY = "64MB"  # for sorting the keys of an index; four times as much is a third slower
PATIENCE = "500ms"  # how long anybody may wait for us where we wait for others
PART = 4_000_000
LAST_PART = 15
"""All indices from there on are one part: indices that leave gaps shall not make many tables."""


def parts_of(pair_index: NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
    """Return the number of the part that each index (n,) belongs to."""
    numbers: NDArray[np.integer[Any]] = np.clip(pair_index // PART, 0, LAST_PART)
    return numbers


def partition_of(evaluation_id: int, part: int | None = None) -> str:
    """Return the name of the table that holds an evaluation's pairs, or a part of them."""
    whole = f"pair_predictions_{int(evaluation_id)}"
    return whole if part is None else f"{whole}_{int(part)}"


def parts_there(connection: Connection, evaluation_id: int) -> list[int]:
    """Return the numbers of the parts that are there of an evaluation, in their order."""
    whole = partition_of(evaluation_id)
    found = connection.execute(
        text(
            "SELECT relname FROM pg_class WHERE pg_table_is_visible(oid) AND relkind = 'r'"
            " AND relname ~ :names"
        ),
        {"names": f"^{whole}_[0-9]+$"},
    )
    return sorted(int(name.removeprefix(f"{whole}_")) for name in found.scalars())


def make_part(connection: Connection, evaluation_id: int, part: int) -> bool:
    """Create the table of a part; returns False where it was there before."""
    table = partition_of(evaluation_id, part)
    if _exists(connection, table):
        return False
    low, high = _bounds(part)
    above = "" if high is None else f" AND pair_index < {high}"
    for statement in (
        # What attaching would else read all rows for.
        f"CREATE TABLE {table} (LIKE pair_predictions INCLUDING CONSTRAINTS, CHECK ("
        f"evaluation_id = {int(evaluation_id)} AND pair_index >= {low}{above}))",
        f"ALTER TABLE {table} ALTER evaluation_id SET DEFAULT {int(evaluation_id)}",
    ):
        connection.execute(text(statement))
    return True


def index_part(connection: Connection, evaluation_id: int, part: int) -> None:
    """Make the key and the indexes of a part, unless it has them."""
    table = partition_of(evaluation_id, part)
    query = text("SELECT relhasindex FROM pg_class WHERE oid = to_regclass(:table)")
    if connection.execute(query, {"table": table}).scalar_one():
        return
    for statement in (
        f"SET LOCAL maintenance_work_mem = '{LOADING_MEMORY}'",
        "SET LOCAL max_parallel_maintenance_workers = 0",  # other parts take the other cores
        f"ALTER TABLE {table} ADD PRIMARY KEY (evaluation_id, pair_index)",
        f"CREATE INDEX ON {table} (image_a_id)",
        f"CREATE INDEX ON {table} (image_b_id)",
        f"ANALYZE {table}",
    ):
        connection.execute(text(statement))


def attach_part(connection: Connection, evaluation_id: int, part: int) -> None:
    """Check the pairs of a part that has its indexes, and put it among all pairs, once.

    Attaching checks every image against the table of images. From then until the transaction ends,
    images and evaluations can be read but not written; it should therefore end soon.
    """
    table = partition_of(evaluation_id, part)
    if _is_attached(connection, table):
        return
    make_partition(connection, evaluation_id)
    low, high = _bounds(part)
    connection.execute(
        text(
            f"ALTER TABLE {partition_of(evaluation_id)} ATTACH PARTITION {table}"
            f" FOR VALUES FROM ({low}) TO ({'MAXVALUE' if high is None else high})"
        )
    )


def attach_parts(connection: Connection, evaluation_id: int) -> None:
    """Index and attach those parts of an evaluation that are not yet."""
    parts = parts_there(connection, evaluation_id)
    for part in parts:
        index_part(connection, evaluation_id, part)
    for part in parts:
        attach_part(connection, evaluation_id, part)


def begin_writing(connection: Connection) -> None:
    """Wait for whoever attaches pairs before touching any, not in the middle of it."""
    connection.execute(text("LOCK TABLE evaluations IN ROW EXCLUSIVE MODE"))


def make_partition(connection: Connection, evaluation_id: int) -> None:
    """Make the partition of an evaluation, empty, unless it is there.

    Tables are locked in the order in which recording locks them, so that nobody waits in a circle.
    """
    whole = partition_of(evaluation_id)
    connection.execute(text("LOCK TABLE images, evaluations IN SHARE ROW EXCLUSIVE MODE"))
    if _is_attached(connection, whole):
        return
    for statement in (
        f"DROP TABLE IF EXISTS {whole}",  # that a samehand left which had no parts
        f"CREATE TABLE {whole} (LIKE pair_predictions INCLUDING CONSTRAINTS)"
        " PARTITION BY RANGE (pair_index)",
        f"ALTER TABLE pair_predictions ATTACH PARTITION {whole}"
        f" FOR VALUES IN ({int(evaluation_id)})",
    ):
        connection.execute(text(statement))


def discard_parts(connection: Connection, evaluation_id: int) -> None:
    """Remove the pairs of an evaluation that was not completed.

    An empty table stays behind where others read pairs all the time.
    """
    for part in parts_there(connection, evaluation_id):
        table = partition_of(evaluation_id, part)
        if not _is_attached(connection, table):
            connection.execute(text(f"DROP TABLE {table}"))
    try:
        with connection.begin_nested():
            drop_partition(connection, evaluation_id)
    except OperationalError:
        empty_partition(connection, evaluation_id)
    connection.execute(text("SET LOCAL lock_timeout TO DEFAULT"))


def empty_partition(connection: Connection, evaluation_id: int) -> None:
    """Remove an evaluation's pairs, in no time; only who reads these very pairs is waited for."""
    table = partition_of(evaluation_id)
    if _exists(connection, table):
        connection.execute(text(f"SET LOCAL lock_timeout = '{PATIENCE}'"))
        connection.execute(text(f"TRUNCATE {table}"))


def drop_partition(connection: Connection, evaluation_id: int) -> None:
    """Drop the tables of an evaluation, which takes a moment in which nobody reads pairs."""
    connection.execute(text(f"SET LOCAL lock_timeout = '{PATIENCE}'"))
    connection.execute(text(f"DROP TABLE IF EXISTS {partition_of(evaluation_id)}"))


def _is_attached(connection: Connection, table: str) -> bool:
    query = text("SELECT relispartition FROM pg_class WHERE oid = to_regclass(:table)")
    return bool(connection.execute(query, {"table": table}).scalar())


def _exists(connection: Connection, table: str) -> bool:
    found = connection.execute(text("SELECT to_regclass(:table)"), {"table": table})
    return found.scalar_one() is not None


def _bounds(part: int) -> tuple[int, int | None]:
    """Return the first index of a part, and the first that is beyond it, None where none is."""
    return part * PART, None if part == LAST_PART else (part + 1) * PART

"""The tables of pairs on PostgreSQL: a partition for each evaluation, which consists of parts.

A part is a table of four million consecutive indices. It is loaded, indexed and only then attached:
bare rows load fifteen times as fast as rows whose every image is looked up; keys, indexes and
checks are made once for all rows, and for one part while another is loaded. Dropping pairs drops
files, however many pairs they hold.
"""

from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from storage.database.pair_rows import bounds_of

LOADING_MEMORY = "64MB"  # for sorting the keys of an index; four times as much is a third slower
PATIENCE = "500ms"  # how long others may wait for us while we wait for others


def partition_of(evaluation_id: int, part: int | None = None) -> str:
    """Return the name of the table that holds an evaluation's pairs, or a part of them."""
    whole = f"pair_predictions_{int(evaluation_id)}"
    return whole if part is None else f"{whole}_{int(part)}"


def parts_there(connection: Connection, evaluation_id: int) -> list[int]:
    """Return the numbers of an evaluation's parts that exist, in order."""
    whole = partition_of(evaluation_id)
    query = (
        "SELECT relname FROM pg_class WHERE pg_table_is_visible(oid) AND relkind = 'r'"
        " AND relname ~ :names"
    )
    found = connection.scalars(text(query), {"names": f"^{whole}_[0-9]+$"})
    return sorted(int(name.removeprefix(f"{whole}_")) for name in found)


def make_part(connection: Connection, evaluation_id: int, part: int) -> bool:
    """Create the table of a part; return False if it exists."""
    table = partition_of(evaluation_id, part)
    if _exists(connection, table):
        return False
    low, high = bounds_of(part)
    above = "" if high is None else f" AND pair_index < {high}"
    _execute(
        connection,
        # With this check, attaching need not read all rows.
        f"CREATE TABLE {table} (LIKE pair_predictions INCLUDING CONSTRAINTS, CHECK ("
        f"evaluation_id = {int(evaluation_id)} AND pair_index >= {low}{above}))",
        f"ALTER TABLE {table} ALTER evaluation_id SET DEFAULT {int(evaluation_id)}",
    )
    return True


def begin_part(connection: Connection, evaluation_id: int, part: int) -> bool:
    """Wait for whoever stores a part; return False if it is stored, else remove what is there."""
    table = partition_of(evaluation_id, part)
    connection.execute(
        text("SELECT pg_advisory_xact_lock(:evaluation, :part)"),
        {"evaluation": evaluation_id, "part": part},
    )
    if _is_attached(connection, table):
        return False
    _execute(connection, f"DROP TABLE IF EXISTS {table}")
    return True


def index_part(connection: Connection, evaluation_id: int, part: int) -> None:
    """Make the key and the indexes of a part, unless it has them."""
    table = partition_of(evaluation_id, part)
    query = text("SELECT relhasindex FROM pg_class WHERE oid = to_regclass(:table)")
    if connection.scalar(query, {"table": table}):
        return
    _execute(
        connection,
        f"SET LOCAL maintenance_work_mem = '{LOADING_MEMORY}'",
        "SET LOCAL max_parallel_maintenance_workers = 0",  # other parts take the other cores
        f"ALTER TABLE {table} ADD PRIMARY KEY (evaluation_id, pair_index)",
        f"CREATE INDEX ON {table} (image_a_id)",
        f"CREATE INDEX ON {table} (image_b_id)",
        f"ANALYZE {table}",
    )


def attach_part(connection: Connection, evaluation_id: int, part: int) -> None:
    """Check the pairs of an indexed part and make it part of `pair_predictions`, once.

    Attaching checks every image against the table of images. From then until the transaction ends,
    others can read images and evaluations but not write them, so end it soon.
    """
    table, whole = partition_of(evaluation_id, part), partition_of(evaluation_id)
    if _is_attached(connection, table):
        return
    # In the order in which recording locks them, so that nobody waits in a circle.
    _execute(connection, "LOCK TABLE images, evaluations IN SHARE ROW EXCLUSIVE MODE")
    if not _is_attached(connection, whole):
        _execute(
            connection,
            f"CREATE TABLE {whole} (LIKE pair_predictions INCLUDING CONSTRAINTS)"
            " PARTITION BY RANGE (pair_index)",
            f"ALTER TABLE pair_predictions ATTACH PARTITION {whole}"
            f" FOR VALUES IN ({int(evaluation_id)})",
        )
    low, high = bounds_of(part)
    bounds = f"FROM ({low}) TO ({'MAXVALUE' if high is None else high})"
    _execute(connection, f"ALTER TABLE {whole} ATTACH PARTITION {table} FOR VALUES {bounds}")


def attach_parts(connection: Connection, evaluation_id: int) -> None:
    """Index and attach the parts of an evaluation that are not attached yet."""
    parts = parts_there(connection, evaluation_id)
    for part in parts:
        index_part(connection, evaluation_id, part)
    for part in parts:
        attach_part(connection, evaluation_id, part)


def discard_parts(connection: Connection, evaluation_id: int) -> None:
    """Remove the pairs of an evaluation that was not completed.

    If others read pairs all the time, an empty table stays behind.
    """
    for part in parts_there(connection, evaluation_id):
        table = partition_of(evaluation_id, part)
        if not _is_attached(connection, table):
            _execute(connection, f"DROP TABLE {table}")
    try:
        with connection.begin_nested():
            drop_partition(connection, evaluation_id)
    except OperationalError:
        empty_partition(connection, evaluation_id)
    _execute(connection, "SET LOCAL lock_timeout TO DEFAULT")


def empty_partition(connection: Connection, evaluation_id: int) -> None:
    """Remove an evaluation's pairs in no time, waiting only for those who read these very pairs."""
    table = partition_of(evaluation_id)
    if _exists(connection, table):
        _execute(connection, f"SET LOCAL lock_timeout = '{PATIENCE}'", f"TRUNCATE {table}")


def drop_partition(connection: Connection, evaluation_id: int) -> None:
    """Drop the tables of an evaluation, which takes a moment when nobody reads pairs."""
    table = partition_of(evaluation_id)
    _execute(connection, f"SET LOCAL lock_timeout = '{PATIENCE}'", f"DROP TABLE IF EXISTS {table}")


def _execute(connection: Connection, *statements: str) -> None:
    for statement in statements:
        connection.execute(text(statement))


def _is_attached(connection: Connection, table: str) -> bool:
    query = text("SELECT relispartition FROM pg_class WHERE oid = to_regclass(:table)")
    return bool(connection.scalar(query, {"table": table}))


def _exists(connection: Connection, table: str) -> bool:
    return connection.scalar(text("SELECT to_regclass(:table)"), {"table": table}) is not None

"""On PostgreSQL the pairs of each evaluation are a table of their own, a partition of all pairs.

They are loaded before the table is attached: bare rows go in fifteen times as fast as rows whose
every image is looked up, and keys and indexes are made, and checked, once for all of them. Until
then nobody can see them. Dropping them is dropping files, whatever their number.

Each function is meant for PostgreSQL; on SQLite, which has no partitions, none is called.
"""

from sqlalchemy import Connection, text

LOADING_MEMORY = "64MB"  # for sorting the keys of an index; four times as much is a third slower
PATIENCE = "500ms"  # how long anybody may wait for us where we wait for others


def partition_of(evaluation_id: int) -> str:
    """Return the name of the table that holds an evaluation's pairs."""
    return f"pair_predictions_{int(evaluation_id)}"


def make_partition(connection: Connection, evaluation_id: int) -> bool:
    """Create the table for an evaluation's pairs; returns False where it was there before."""
    table = partition_of(evaluation_id)
    if exists(connection, table):
        return False
    connection.execute(
        text(
            f"CREATE TABLE {table} (LIKE pair_predictions INCLUDING CONSTRAINTS, "
            f"CHECK (evaluation_id = {int(evaluation_id)}))"
        )
    )
    return True


def attach_partition(connection: Connection, evaluation_id: int) -> None:
    """Check an evaluation's pairs, index them, and let them be seen with all others.

    Attaching checks every image against the table of images. From then until the transaction ends,
    images and evaluations can be read but not written; it should therefore end soon. Tables are
    locked in the order in which recording locks them, so that nobody waits in a circle.
    """
    table = partition_of(evaluation_id)
    if not exists(connection, table):
        return
    for statement in (
        f"SET LOCAL maintenance_work_mem = '{LOADING_MEMORY}'",
        f"ALTER TABLE {table} ADD PRIMARY KEY (evaluation_id, pair_index)",
        f"CREATE INDEX ON {table} (image_a_id)",
        f"CREATE INDEX ON {table} (image_b_id)",
        "LOCK TABLE images, evaluations IN SHARE ROW EXCLUSIVE MODE",
        f"ANALYZE {table}",
        f"ALTER TABLE pair_predictions ATTACH PARTITION {table} "
        f"FOR VALUES IN ({int(evaluation_id)})",
    ):
        connection.execute(text(statement))


def discard_partition(connection: Connection, evaluation_id: int) -> None:
    """Drop the table of an evaluation that was never attached, if there is one."""
    connection.execute(text(f"DROP TABLE IF EXISTS {partition_of(evaluation_id)}"))


def empty_partition(connection: Connection, evaluation_id: int) -> None:
    """Remove an evaluation's pairs, in no time; only who reads these very pairs is waited for."""
    table = partition_of(evaluation_id)
    if exists(connection, table):
        connection.execute(text(f"SET LOCAL lock_timeout = '{PATIENCE}'"))
        connection.execute(text(f"TRUNCATE {table}"))


def drop_partition(connection: Connection, evaluation_id: int) -> None:
    """Drop the empty table of an evaluation, which takes a moment in which nobody reads pairs."""
    connection.execute(text(f"SET LOCAL lock_timeout = '{PATIENCE}'"))
    connection.execute(text(f"DROP TABLE IF EXISTS {partition_of(evaluation_id)}"))


def exists(connection: Connection, table: str) -> bool:
    """Return whether there is such a table."""
    found = connection.execute(text("SELECT to_regclass(:table)"), {"table": table})
    return found.scalar_one() is not None

"""The schema of an open database: whose it is, its revision, its upgrade to ours."""

from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text
from sqlalchemy.engine.reflection import ObjectKind

from storage.database.revisions import MIGRATIONS, VERSION_TABLE, newest_revision
from storage.database.views import ADDED, SCHEMA
from storage.errors import InputError

# Alembic takes a quarter of a second to import, which a database that is current need not wait for.
if TYPE_CHECKING:
    from alembic.config import Config

FIRST = "0001"  # what databases had that were made before revisions were counted
LATER = {"model_id", "wrong_by", "validation_roc_auc", *ADDED}  # columns after the first revision
LOCK = {
    "sqlite": "BEGIN IMMEDIATE",
    # Any number of our own; PostgreSQL lets go of it when the transaction ends.
    "postgresql": "SELECT pg_advisory_xact_lock(7265737473)",
}


def is_current(connection: Connection, shown: str) -> bool:
    """Say whether the database, to be called `shown`, is ours and needs no upgrade.

    Raises `InputError` where it is another program's, or a newer samehand's.
    """
    revision = _revision(connection, shown)
    if revision == newest_revision():
        return True
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(_configuration())
    if revision not in {None, *(script.revision for script in scripts.walk_revisions())}:
        raise InputError(
            f"database {shown} was made by a newer samehand (its schema is {revision}, this one "
            f"knows up to {newest_revision()}); install the newer one"
        )
    return False


def upgrade(connection: Connection, shown: str) -> None:
    """Run the revisions that are missing, in the connection's transaction, one process at a time.

    Tables made before revisions were counted are taken for the first one.
    """
    connection.execute(text(LOCK[connection.dialect.name]))
    if is_current(connection, shown):
        return  # another process was quicker
    from alembic import command

    configuration = _configuration()
    configuration.attributes["connection"] = connection
    if _revision(connection, shown) is None and inspect(connection).has_table("runs"):
        command.stamp(configuration, FIRST)
    command.upgrade(configuration, "head")


def _configuration() -> "Config":
    from alembic.config import Config

    configuration = Config()
    configuration.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    configuration.set_main_option("path_separator", "os")
    return configuration


def _revision(connection: Connection, shown: str) -> str | None:
    """Return the revision of the database, None where it counts none; refuse another program's.

    Looks into our tables alone: those that hold an evaluation's pairs may be locked, and be many.
    """
    inspector = inspect(connection)
    names = {*inspector.get_table_names(), *inspector.get_view_names()}
    ours = {table.name: set(table.columns.keys()) for table in SCHEMA}
    there = sorted(names & ours.keys())
    if names and not there:
        raise InputError(
            f"database {shown} belongs to another program "
            f"(it has table {min(names)}); give samehand one of its own"
        )
    if VERSION_TABLE in names:
        revision: str | None = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))
        return revision
    if not there:
        return None  # another process may make them by now; without names all would be looked into
    columns = inspector.get_multi_columns(kind=ObjectKind.ANY, filter_names=there)
    for (_, table), rows in columns.items():
        if missing := ours[table] - LATER - {column["name"] for column in rows}:
            raise InputError(
                f"database {shown} is another program's or an older "
                f"samehand's ({table} has no column {min(missing)}); name a new one"
            )
    return None

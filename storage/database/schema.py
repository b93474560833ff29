"""The schema of an open database: create it, recognise its revision, upgrade it."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from storage.database.base import Base
from storage.database.dialects import dialect_of
from storage.database.revisions import MIGRATIONS, VERSION_TABLE, revisions
from storage.database.views import VIEWS
from storage.errors import InputError

UNRELEASED = {None, *(f"000{number}" for number in range(1, 9))}
"""Revisions from before the first release; the first databases had none."""


def is_current(connection: Connection, shown: str, migrations: Path = MIGRATIONS) -> bool:
    """Say whether the database has our newest schema; if not, it is empty or can be upgraded.

    Raises `InputError` if it belongs to another program, or to another version of samehand that
    this one cannot upgrade. `shown` is what messages call the database.
    """
    inspector, known = inspect(connection), revisions(migrations)
    revision = None
    if is_counted := inspector.has_table(VERSION_TABLE):
        revision = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))
        if revision in known:
            return bool(revision == known[-1])
    tables = {*inspector.get_table_names()}
    if not tables or (VERSION_TABLE in tables and not is_counted):
        return False  # empty, or another process has just created it
    if not {"runs", "pair_predictions"} <= tables:
        raise InputError(
            f"database {shown} belongs to another program "
            f"(it has table {min(tables)}); give samehand one of its own"
        )
    if revision in UNRELEASED:
        raise InputError(
            f"database {shown} was made by a samehand from before its first release, which cannot"
            " be upgraded; name a new database"
        )
    raise InputError(
        f"database {shown} was made by a newer samehand (its schema is {revision}, this one "
        f"knows up to {known[-1]}); install the newer one"
    )


def bring_up_to_date(connection: Connection, shown: str, migrations: Path = MIGRATIONS) -> None:
    """Create or upgrade tables and views in the connection's transaction, if that is needed."""
    if is_current(connection, shown, migrations):
        return  # another process was quicker
    if inspect(connection).has_table(VERSION_TABLE):
        _upgrade(connection, migrations)
    else:
        _create(connection, revisions(migrations)[-1])


def _create(connection: Connection, revision: str) -> None:
    """Create everything as the newest revision has it."""
    # Not `create_all`: once that has added a foreign key on PostgreSQL, SQLite never gets it.
    for table in Base.metadata.sorted_tables:
        if table.info.get("only_on") in {None, connection.dialect.name}:
            table.create(connection, checkfirst=False)
    dialect_of(connection).create_more(connection)
    _create_views(connection)
    # As Alembic would, whose import takes a quarter of a second.
    for statement in (
        f"CREATE TABLE {VERSION_TABLE} (version_num VARCHAR(32) NOT NULL PRIMARY KEY)",
        f"INSERT INTO {VERSION_TABLE} VALUES ('{revision}')",
    ):
        connection.exec_driver_sql(statement)


def _upgrade(connection: Connection, migrations: Path) -> None:
    """Run the missing revisions on the tables, and create the views anew."""
    from alembic import command
    from alembic.config import Config

    configuration = Config()
    configuration.set_main_option("script_location", str(migrations).replace("%", "%%"))
    configuration.set_main_option("path_separator", "os")
    configuration.attributes["connection"] = connection
    for view in VIEWS:
        connection.exec_driver_sql(f"DROP VIEW IF EXISTS {view.name}")
    command.upgrade(configuration, "head")
    _create_views(connection)


def _create_views(connection: Connection) -> None:
    dialect = connection.dialect
    for view in VIEWS:
        query = view.info[dialect.name].compile(
            dialect=dialect, compile_kwargs={"literal_binds": True}
        )
        connection.exec_driver_sql(f"CREATE VIEW {view.name} AS {query}")

"""A source cropped by other rules is another dataset: what was judged keeps its own crops.

Revision ID: 0005
"""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Let the hash of the crops be part of the key; it is empty where none are kept."""
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        for statement in ON_POSTGRESQL:
            connection.exec_driver_sql(statement)
        return
    # SQLite changes no key: the table is made anew, and for that long no view may ask for it.
    views = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'view'")
    definitions = {name: sql for name, sql in views}
    for statement in (
        *(f"DROP VIEW {name}" for name in definitions),
        *ON_SQLITE,
        *definitions.values(),
    ):
        connection.exec_driver_sql(statement)


ON_POSTGRESQL = (
    "UPDATE datasets SET crops_hash = '' WHERE crops_hash IS NULL",
    "ALTER TABLE datasets ALTER crops_hash SET NOT NULL",
    "ALTER TABLE datasets ALTER crops_hash SET DEFAULT ''",
    "ALTER TABLE datasets DROP CONSTRAINT uq_datasets_source_content_hash",
    "ALTER TABLE datasets ADD CONSTRAINT uq_datasets_source_content_hash_crops_hash"
    " UNIQUE (source, content_hash, crops_hash)",
)
ON_SQLITE = (
    """
CREATE TABLE new_datasets (
    id INTEGER NOT NULL,
    source VARCHAR NOT NULL,
    content_hash VARCHAR NOT NULL,
    crops_hash VARCHAR DEFAULT '' NOT NULL,
    catalog_path VARCHAR,
    created_at DATETIME NOT NULL,
    CONSTRAINT pk_datasets PRIMARY KEY (id),
    CONSTRAINT uq_datasets_source_content_hash_crops_hash
        UNIQUE (source, content_hash, crops_hash)
)""",
    "INSERT INTO new_datasets SELECT id, source, content_hash, coalesce(crops_hash, ''),"
    " catalog_path, created_at FROM datasets",
    "DROP TABLE datasets",
    "ALTER TABLE new_datasets RENAME TO datasets",
)

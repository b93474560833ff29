"""On PostgreSQL the pairs of each evaluation become a partition; SQLite stays as it is.

The pairs that are there are not moved: their table becomes the partition of all evaluations that
have none of their own.

Revision ID: 0002
"""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Put a partitioned table around the one that is there."""
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    definition = connection.exec_driver_sql(
        "SELECT pg_get_viewdef('pair_results'::regclass)"
    ).scalar_one()
    for statement in (
        "DROP VIEW pair_results",
        "ALTER TABLE pair_predictions RENAME TO pair_predictions_default",
        *(
            f"ALTER TABLE pair_predictions_default RENAME CONSTRAINT {name}_pair_predictions{rest} "
            f"TO {name}_pair_predictions_default{rest}"
            for name, rest in (
                ("pk", ""),
                ("fk", "_evaluation_id"),
                ("fk", "_image_a_id"),
                ("fk", "_image_b_id"),
            )
        ),
        PARTITIONED,
        "CREATE INDEX ix_pair_predictions_image_a_id ON pair_predictions (image_a_id)",
        "CREATE INDEX ix_pair_predictions_image_b_id ON pair_predictions (image_b_id)",
        "ALTER TABLE pair_predictions ATTACH PARTITION pair_predictions_default DEFAULT",
        f"CREATE VIEW pair_results AS {definition}",
    ):
        connection.exec_driver_sql(statement)


PARTITIONED = """
CREATE TABLE pair_predictions (
    evaluation_id INTEGER NOT NULL,
    pair_index INTEGER NOT NULL,
    image_a_id INTEGER NOT NULL,
    image_b_id INTEGER NOT NULL,
    distance DOUBLE PRECISION NOT NULL,
    same_artist BOOLEAN,
    CONSTRAINT pk_pair_predictions PRIMARY KEY (evaluation_id, pair_index),
    CONSTRAINT ck_pair_predictions_distance CHECK (distance >= 0 AND distance < 1e300),
    CONSTRAINT fk_pair_predictions_evaluation_id FOREIGN KEY (evaluation_id)
        REFERENCES evaluations (id) ON DELETE CASCADE,
    CONSTRAINT fk_pair_predictions_image_a_id FOREIGN KEY (image_a_id)
        REFERENCES images (id) ON DELETE RESTRICT,
    CONSTRAINT fk_pair_predictions_image_b_id FOREIGN KEY (image_b_id)
        REFERENCES images (id) ON DELETE RESTRICT
) PARTITION BY LIST (evaluation_id)
"""

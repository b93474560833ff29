"""Which pairs an image is in: a table on SQLite, on PostgreSQL a view of what its indexes know.

Revision ID: 0006
"""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Create it, and on SQLite fill it for the evaluations that are complete."""
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(VIEW)
        return
    connection.exec_driver_sql(TABLE)
    complete = "evaluation_id IN (SELECT id FROM evaluations WHERE status = 'complete')"
    filled = SIDES.format(condition=complete)
    connection.exec_driver_sql(f"INSERT INTO pair_images {filled} ORDER BY 1, 2, 3")


SIDES = """
SELECT evaluation_id, image_a_id AS image_id, pair_index FROM pair_predictions WHERE {condition}
UNION ALL SELECT evaluation_id, image_b_id, pair_index FROM pair_predictions
WHERE {condition} AND image_b_id <> image_a_id
"""
# Without any condition, which would keep PostgreSQL from using the indexes in a join: a pair of an
# image with itself is there twice.
VIEW = """
CREATE VIEW pair_images AS
SELECT evaluation_id, image_a_id AS image_id, pair_index FROM pair_predictions
UNION ALL SELECT evaluation_id, image_b_id, pair_index FROM pair_predictions
"""
TABLE = """
CREATE TABLE pair_images (
    evaluation_id INTEGER NOT NULL,
    image_id INTEGER NOT NULL,
    pair_index INTEGER NOT NULL,
    CONSTRAINT pk_pair_images PRIMARY KEY (evaluation_id, image_id, pair_index),
    CONSTRAINT fk_pair_images_evaluation_id FOREIGN KEY(evaluation_id)
        REFERENCES evaluations (id) ON DELETE CASCADE
) WITHOUT ROWID
"""

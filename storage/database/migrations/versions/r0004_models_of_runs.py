"""The stored model by which a run judges or scores, so that one that goes on keeps to it.

Revision ID: 0004
"""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column; runs that were, used the model of their evaluations."""
    for statement in (
        "ALTER TABLE runs ADD COLUMN model_id INTEGER"
        " CONSTRAINT fk_runs_model_id REFERENCES models (id) ON DELETE SET NULL",
        "UPDATE runs SET model_id = (SELECT max(model_id) FROM evaluations WHERE run_id = runs.id)"
        " WHERE flow_name IN ('evaluate-flow', 'score-flow')",
    ):
        op.get_bind().exec_driver_sql(statement)

"""A view of where each evaluation comes from, and a column for pairs that were pruned.

Revision ID: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column and the view."""
    op.add_column("evaluations", sa.Column("pruned_at", sa.DateTime(timezone=True)))
    op.get_bind().exec_driver_sql(PROVENANCE)


PROVENANCE = """
CREATE VIEW provenance AS
SELECT evaluations.id AS evaluation_id, evaluations.split, evaluations.created_at AS evaluated_at,
    runs.id AS run_id, runs.flow_name, runs.prefect_flow_run_id, runs.code_version, runs.settings,
    runs.seed, runs.device, runs.library_versions, datasets.source, datasets.content_hash AS
    data_hash, datasets.crops_hash, models.id AS model_id, models.sha256 AS checkpoint_hash,
    models.path AS checkpoint_path, training.id AS training_run_id, training.prefect_flow_run_id
    AS training_flow_run_id, training.code_version AS training_code_version, training.settings AS
    training_settings, training.seed AS training_seed, training.device AS training_device,
    training.library_versions AS training_library_versions, trained_on.content_hash AS
    training_data_hash, trained_on.crops_hash AS training_crops_hash
FROM evaluations JOIN runs ON runs.id = evaluations.run_id JOIN datasets ON datasets.id =
    evaluations.dataset_id JOIN models ON models.id = evaluations.model_id JOIN runs AS training
    ON training.id = models.run_id LEFT OUTER JOIN datasets AS trained_on ON trained_on.id =
    training.dataset_id
"""

"""Measures of evaluations with their intervals, sweeps, and the ROC AUC of every epoch.

Revision ID: 0008
"""

from alembic import op

revision = "0008"
down_revision = "0007"

DOUBLE = {"sqlite": "DOUBLE", "postgresql": "DOUBLE PRECISION"}


def upgrade() -> None:
    """Create them, empty: what was judged before has no measures."""
    connection = op.get_bind()
    for statement in (EPOCHS, MEASURES, SWEEPS, DIFFERENCES):
        connection.exec_driver_sql(statement.format(double=DOUBLE[connection.dialect.name]))


EPOCHS = """
ALTER TABLE epochs ADD COLUMN validation_roc_auc {double}
    CONSTRAINT ck_epochs_validation_roc_auc CHECK (validation_roc_auc BETWEEN 0 AND 1)
"""
MEASURES = """
CREATE TABLE measures (
    evaluation_id INTEGER NOT NULL,
    contender VARCHAR NOT NULL,
    scope VARCHAR(7) NOT NULL,
    metric VARCHAR NOT NULL,
    value {double} NOT NULL,
    low {double},
    high {double},
    CONSTRAINT pk_measures PRIMARY KEY (evaluation_id, contender, scope, metric),
    CONSTRAINT ck_measures_scope CHECK (scope IN ('all', 'matched')),
    CONSTRAINT fk_measures_evaluation_id FOREIGN KEY(evaluation_id)
        REFERENCES evaluations (id) ON DELETE CASCADE
)
"""
SWEEPS = """
CREATE TABLE sweeps (
    run_id INTEGER NOT NULL,
    recipe VARCHAR NOT NULL,
    fold INTEGER NOT NULL,
    seed BIGINT NOT NULL,
    training_run_id INTEGER,
    evaluation_id INTEGER,
    CONSTRAINT pk_sweeps PRIMARY KEY (run_id, recipe, fold, seed),
    CONSTRAINT ck_sweeps_fold CHECK (fold >= 0),
    CONSTRAINT fk_sweeps_run_id FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE,
    CONSTRAINT fk_sweeps_training_run_id FOREIGN KEY(training_run_id)
        REFERENCES runs (id) ON DELETE SET NULL,
    CONSTRAINT fk_sweeps_evaluation_id FOREIGN KEY(evaluation_id)
        REFERENCES evaluations (id) ON DELETE SET NULL
)
"""
DIFFERENCES = """
CREATE TABLE sweep_differences (
    run_id INTEGER NOT NULL,
    recipe VARCHAR NOT NULL,
    rival VARCHAR NOT NULL,
    metric VARCHAR NOT NULL,
    value {double} NOT NULL,
    low {double} NOT NULL,
    high {double} NOT NULL,
    CONSTRAINT pk_sweep_differences PRIMARY KEY (run_id, recipe, rival, metric),
    CONSTRAINT fk_sweep_differences_run_id FOREIGN KEY(run_id) REFERENCES runs (id)
        ON DELETE CASCADE
)
"""

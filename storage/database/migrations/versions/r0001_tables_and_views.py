"""The tables and views as they were before their changes were numbered.

Revision ID: 0001
"""

from alembic import op

revision = "0001"
down_revision = None

TYPES = {
    "sqlite": {
        "serial": "INTEGER",
        "double": "DOUBLE",
        "moment": "DATETIME",
        "without_rowid": " WITHOUT ROWID",
    },
    "postgresql": {
        "serial": "SERIAL",
        "double": "DOUBLE PRECISION",
        "moment": "TIMESTAMP WITH TIME ZONE",
        "without_rowid": "",
    },
}


def upgrade() -> None:
    """Create all."""
    connection = op.get_bind()
    tables = TABLES.format(**TYPES[connection.dialect.name])
    for statement in (*tables.split(";"), *VIEWS):
        connection.exec_driver_sql(statement)


TABLES = """
CREATE TABLE datasets (
    id {serial} NOT NULL,
    source VARCHAR NOT NULL,
    content_hash VARCHAR NOT NULL,
    crops_hash VARCHAR,
    catalog_path VARCHAR,
    created_at {moment} NOT NULL,
    CONSTRAINT pk_datasets PRIMARY KEY (id),
    CONSTRAINT uq_datasets_source_content_hash UNIQUE (source, content_hash)
);

CREATE TABLE artists (
    id {serial} NOT NULL,
    dataset_id INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    split VARCHAR(10) NOT NULL,
    CONSTRAINT pk_artists PRIMARY KEY (id),
    CONSTRAINT uq_artists_dataset_id_name UNIQUE (dataset_id, name),
    CONSTRAINT fk_artists_dataset_id FOREIGN KEY(dataset_id)
        REFERENCES datasets (id) ON DELETE CASCADE,
    CONSTRAINT ck_artists_split CHECK (split IN ('train', 'validation', 'test', 'excluded'))
);

CREATE TABLE rejected_images (
    id {serial} NOT NULL,
    dataset_id INTEGER NOT NULL,
    filename VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    CONSTRAINT pk_rejected_images PRIMARY KEY (id),
    CONSTRAINT uq_rejected_images_dataset_id_filename UNIQUE (dataset_id, filename),
    CONSTRAINT fk_rejected_images_dataset_id FOREIGN KEY(dataset_id)
        REFERENCES datasets (id) ON DELETE CASCADE
);

CREATE TABLE runs (
    id {serial} NOT NULL,
    flow_name VARCHAR NOT NULL,
    prefect_flow_run_id VARCHAR,
    status VARCHAR(9) NOT NULL,
    error VARCHAR,
    source VARCHAR NOT NULL,
    preset VARCHAR NOT NULL,
    settings JSON NOT NULL,
    seed BIGINT NOT NULL,
    device VARCHAR NOT NULL,
    code_version VARCHAR NOT NULL,
    library_versions JSON NOT NULL,
    directory VARCHAR NOT NULL,
    dataset_id INTEGER,
    started_at {moment} NOT NULL,
    finished_at {moment},
    CONSTRAINT pk_runs PRIMARY KEY (id),
    CONSTRAINT ck_runs_status
        CHECK (status IN ('running', 'complete', 'failed', 'cancelled', 'crashed')),
    CONSTRAINT fk_runs_dataset_id FOREIGN KEY(dataset_id)
        REFERENCES datasets (id) ON DELETE RESTRICT
);

CREATE TABLE images (
    id {serial} NOT NULL,
    dataset_id INTEGER NOT NULL,
    artist_id INTEGER,
    filename VARCHAR NOT NULL,
    split VARCHAR(10) NOT NULL,
    title VARCHAR,
    style VARCHAR,
    genre VARCHAR,
    date VARCHAR,
    sha256 VARCHAR,
    CONSTRAINT pk_images PRIMARY KEY (id),
    CONSTRAINT uq_images_dataset_id_filename UNIQUE (dataset_id, filename),
    CONSTRAINT fk_images_dataset_id FOREIGN KEY(dataset_id)
        REFERENCES datasets (id) ON DELETE CASCADE,
    CONSTRAINT fk_images_artist_id FOREIGN KEY(artist_id) REFERENCES artists (id) ON DELETE CASCADE,
    CONSTRAINT ck_images_split CHECK (split IN ('train', 'validation', 'test', 'excluded'))
);

CREATE TABLE epochs (
    run_id INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    train_loss {double},
    train_accuracy {double},
    validation_loss {double},
    validation_accuracy {double},
    test_loss {double},
    test_accuracy {double},
    seconds {double},
    images_per_second {double},
    CONSTRAINT pk_epochs PRIMARY KEY (run_id, epoch),
    CONSTRAINT ck_epochs_epoch CHECK (epoch >= 0),
    CONSTRAINT ck_epochs_train_accuracy CHECK (train_accuracy BETWEEN 0 AND 1),
    CONSTRAINT ck_epochs_validation_accuracy CHECK (validation_accuracy BETWEEN 0 AND 1),
    CONSTRAINT ck_epochs_test_accuracy CHECK (test_accuracy BETWEEN 0 AND 1),
    CONSTRAINT fk_epochs_run_id FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
);

CREATE TABLE models (
    id {serial} NOT NULL,
    run_id INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    path VARCHAR NOT NULL,
    sha256 VARCHAR NOT NULL,
    settings JSON,
    threshold {double} NOT NULL,
    calibration_slope {double} NOT NULL,
    validation_roc_auc {double} NOT NULL,
    validation_accuracy {double} NOT NULL,
    is_champion BOOLEAN NOT NULL,
    CONSTRAINT pk_models PRIMARY KEY (id),
    CONSTRAINT uq_models_run_id_epoch UNIQUE (run_id, epoch),
    CONSTRAINT ck_models_epoch CHECK (epoch >= 0),
    CONSTRAINT ck_models_threshold CHECK (threshold >= 0),
    CONSTRAINT ck_models_validation_roc_auc CHECK (validation_roc_auc BETWEEN 0 AND 1),
    CONSTRAINT ck_models_validation_accuracy CHECK (validation_accuracy BETWEEN 0 AND 1),
    CONSTRAINT fk_models_run_id FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
);

CREATE UNIQUE INDEX ix_models_champion ON models (is_champion) WHERE is_champion;

CREATE TABLE evaluations (
    id {serial} NOT NULL,
    run_id INTEGER NOT NULL,
    model_id INTEGER NOT NULL,
    dataset_id INTEGER NOT NULL,
    split VARCHAR(10),
    status VARCHAR(8) NOT NULL,
    triplet_accuracy {double},
    triplet_accuracy_low {double},
    triplet_accuracy_high {double},
    triplet_loss {double},
    roc_auc {double},
    roc_auc_low {double},
    roc_auc_high {double},
    eer {double},
    balanced_accuracy {double},
    recall_at_1 {double},
    map_at_r {double},
    matched_on VARCHAR,
    matched_triplet_accuracy {double},
    matched_n_triplets INTEGER,
    threshold {double},
    n_images INTEGER,
    n_pairs INTEGER,
    n_triplets INTEGER,
    created_at {moment} NOT NULL,
    CONSTRAINT pk_evaluations PRIMARY KEY (id),
    CONSTRAINT ck_evaluations_threshold CHECK (threshold >= 0),
    CONSTRAINT ck_evaluations_triplet_accuracy CHECK (triplet_accuracy BETWEEN 0 AND 1),
    CONSTRAINT ck_evaluations_triplet_accuracy_low CHECK (triplet_accuracy_low BETWEEN 0 AND 1),
    CONSTRAINT ck_evaluations_triplet_accuracy_high CHECK (triplet_accuracy_high BETWEEN 0 AND 1),
    CONSTRAINT ck_evaluations_roc_auc CHECK (roc_auc BETWEEN 0 AND 1),
    CONSTRAINT ck_evaluations_roc_auc_low CHECK (roc_auc_low BETWEEN 0 AND 1),
    CONSTRAINT ck_evaluations_roc_auc_high CHECK (roc_auc_high BETWEEN 0 AND 1),
    CONSTRAINT ck_evaluations_eer CHECK (eer BETWEEN 0 AND 1),
    CONSTRAINT ck_evaluations_balanced_accuracy CHECK (balanced_accuracy BETWEEN 0 AND 1),
    CONSTRAINT ck_evaluations_recall_at_1 CHECK (recall_at_1 BETWEEN 0 AND 1),
    CONSTRAINT ck_evaluations_map_at_r CHECK (map_at_r BETWEEN 0 AND 1),
    CONSTRAINT ck_evaluations_matched_triplet_accuracy
        CHECK (matched_triplet_accuracy BETWEEN 0 AND 1),
    CONSTRAINT fk_evaluations_run_id FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE,
    CONSTRAINT fk_evaluations_model_id FOREIGN KEY(model_id)
        REFERENCES models (id) ON DELETE CASCADE,
    CONSTRAINT fk_evaluations_dataset_id FOREIGN KEY(dataset_id)
        REFERENCES datasets (id) ON DELETE RESTRICT,
    CONSTRAINT ck_evaluations_split CHECK (split IN ('train', 'validation', 'test', 'excluded')),
    CONSTRAINT ck_evaluations_status CHECK (status IN ('writing', 'complete', 'failed'))
);

CREATE TABLE baselines (
    id {serial} NOT NULL,
    evaluation_id INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    triplet_accuracy {double},
    triplet_accuracy_low {double},
    triplet_accuracy_high {double},
    roc_auc {double},
    roc_auc_low {double},
    roc_auc_high {double},
    matched_triplet_accuracy {double},
    CONSTRAINT pk_baselines PRIMARY KEY (id),
    CONSTRAINT uq_baselines_evaluation_id_name UNIQUE (evaluation_id, name),
    CONSTRAINT ck_baselines_triplet_accuracy CHECK (triplet_accuracy BETWEEN 0 AND 1),
    CONSTRAINT ck_baselines_triplet_accuracy_low CHECK (triplet_accuracy_low BETWEEN 0 AND 1),
    CONSTRAINT ck_baselines_triplet_accuracy_high CHECK (triplet_accuracy_high BETWEEN 0 AND 1),
    CONSTRAINT ck_baselines_roc_auc CHECK (roc_auc BETWEEN 0 AND 1),
    CONSTRAINT ck_baselines_roc_auc_low CHECK (roc_auc_low BETWEEN 0 AND 1),
    CONSTRAINT ck_baselines_roc_auc_high CHECK (roc_auc_high BETWEEN 0 AND 1),
    CONSTRAINT ck_baselines_matched_triplet_accuracy
        CHECK (matched_triplet_accuracy BETWEEN 0 AND 1),
    CONSTRAINT fk_baselines_evaluation_id FOREIGN KEY(evaluation_id)
        REFERENCES evaluations (id) ON DELETE CASCADE
);

CREATE TABLE pair_predictions (
    evaluation_id INTEGER NOT NULL,
    pair_index INTEGER NOT NULL,
    image_a_id INTEGER NOT NULL,
    image_b_id INTEGER NOT NULL,
    distance {double} NOT NULL,
    same_artist BOOLEAN,
    CONSTRAINT pk_pair_predictions PRIMARY KEY (evaluation_id, pair_index),
    CONSTRAINT ck_pair_predictions_distance CHECK (distance >= 0 AND distance < 1e300),
    CONSTRAINT fk_pair_predictions_evaluation_id FOREIGN KEY(evaluation_id)
        REFERENCES evaluations (id) ON DELETE CASCADE,
    CONSTRAINT fk_pair_predictions_image_a_id FOREIGN KEY(image_a_id)
        REFERENCES images (id) ON DELETE RESTRICT,
    CONSTRAINT fk_pair_predictions_image_b_id FOREIGN KEY(image_b_id)
        REFERENCES images (id) ON DELETE RESTRICT
){without_rowid}
"""

VIEWS = (
    """
CREATE VIEW pair_results AS SELECT pair_predictions.evaluation_id, pair_predictions.pair_index,
    image_a.filename AS filename_a, image_b.filename AS filename_b, artist_a.name AS artist_a,
    artist_b.name AS artist_b, pair_predictions.distance, coalesce(evaluations.threshold,
    models.threshold) AS threshold, 0.5 * (1 + tanh(0.5 * models.calibration_slope *
    (coalesce(evaluations.threshold, models.threshold) - pair_predictions.distance))) AS
    probability, pair_predictions.distance <= coalesce(evaluations.threshold, models.threshold) AS
    predicted_same, pair_predictions.same_artist, (pair_predictions.distance <=
    coalesce(evaluations.threshold, models.threshold)) = pair_predictions.same_artist AS correct
FROM pair_predictions JOIN evaluations ON evaluations.id = pair_predictions.evaluation_id JOIN
    models ON models.id = evaluations.model_id JOIN images AS image_a ON image_a.id =
    pair_predictions.image_a_id JOIN images AS image_b ON image_b.id = pair_predictions.image_b_id
    LEFT OUTER JOIN artists AS artist_a ON artist_a.id = image_a.artist_id LEFT OUTER JOIN artists
    AS artist_b ON artist_b.id = image_b.artist_id
WHERE evaluations.status = 'complete'
""",
    """
CREATE VIEW leaderboard AS SELECT models.id AS model_id, models.run_id, runs.preset,
    datasets.source, models.epoch, models.is_champion, complete.id AS evaluation_id,
    complete.triplet_accuracy, complete.triplet_accuracy_low, complete.triplet_accuracy_high,
    complete.roc_auc, complete.roc_auc_low, complete.roc_auc_high, complete.eer,
    complete.balanced_accuracy, complete.recall_at_1, complete.map_at_r,
    complete.matched_triplet_accuracy, complete.created_at AS evaluated_at
FROM models JOIN runs ON runs.id = models.run_id LEFT OUTER JOIN datasets ON datasets.id =
    runs.dataset_id LEFT OUTER JOIN (SELECT evaluations.id AS id, evaluations.run_id AS run_id,
    evaluations.model_id AS model_id, evaluations.dataset_id AS dataset_id, evaluations.split AS
    split, evaluations.status AS status, evaluations.triplet_accuracy AS triplet_accuracy,
    evaluations.triplet_accuracy_low AS triplet_accuracy_low, evaluations.triplet_accuracy_high AS
    triplet_accuracy_high, evaluations.triplet_loss AS triplet_loss, evaluations.roc_auc AS
    roc_auc, evaluations.roc_auc_low AS roc_auc_low, evaluations.roc_auc_high AS roc_auc_high,
    evaluations.eer AS eer, evaluations.balanced_accuracy AS balanced_accuracy,
    evaluations.recall_at_1 AS recall_at_1, evaluations.map_at_r AS map_at_r,
    evaluations.matched_on AS matched_on, evaluations.matched_triplet_accuracy AS
    matched_triplet_accuracy, evaluations.matched_n_triplets AS matched_n_triplets,
    evaluations.threshold AS threshold, evaluations.n_images AS n_images, evaluations.n_pairs AS
    n_pairs, evaluations.n_triplets AS n_triplets, evaluations.created_at AS created_at,
    row_number() OVER (PARTITION BY evaluations.model_id ORDER BY evaluations.created_at DESC,
    evaluations.id DESC) AS rank
FROM evaluations
WHERE evaluations.status = 'complete' AND evaluations.split = 'test') AS complete ON
    complete.model_id = models.id AND complete.rank = 1 ORDER BY complete.roc_auc DESC NULLS LAST,
    models.id
""",
)

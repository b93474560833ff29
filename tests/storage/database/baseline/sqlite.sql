CREATE TABLE datasets (
	id INTEGER NOT NULL,
	source VARCHAR NOT NULL,
	content_hash VARCHAR NOT NULL,
	crops_hash VARCHAR DEFAULT '' NOT NULL,
	catalog_path VARCHAR,
	created_at DATETIME NOT NULL,
	CONSTRAINT pk_datasets PRIMARY KEY (id),
	CONSTRAINT uq_datasets_source_content_hash_crops_hash UNIQUE (source, content_hash, crops_hash)
);
CREATE TABLE leases (
	name VARCHAR NOT NULL,
	holder VARCHAR NOT NULL,
	renewed_at DATETIME NOT NULL,
	CONSTRAINT pk_leases PRIMARY KEY (name)
);
CREATE TABLE artists (
	id INTEGER NOT NULL,
	dataset_id INTEGER NOT NULL,
	name VARCHAR NOT NULL,
	split VARCHAR(10) NOT NULL,
	CONSTRAINT pk_artists PRIMARY KEY (id),
	CONSTRAINT uq_artists_dataset_id_name UNIQUE (dataset_id, name),
	CONSTRAINT fk_artists_dataset_id FOREIGN KEY(dataset_id) REFERENCES datasets (id) ON DELETE CASCADE,
	CONSTRAINT ck_artists_split CHECK (split IN ('train', 'validation', 'test', 'excluded'))
);
CREATE TABLE near_duplicates (
	dataset_id INTEGER NOT NULL,
	filename VARCHAR NOT NULL,
	duplicate_of VARCHAR NOT NULL,
	kind VARCHAR NOT NULL,
	similarity DOUBLE NOT NULL,
	CONSTRAINT pk_near_duplicates PRIMARY KEY (dataset_id, filename, duplicate_of),
	CONSTRAINT ck_near_duplicates_similarity CHECK (similarity BETWEEN 0 AND 1),
	CONSTRAINT fk_near_duplicates_dataset_id FOREIGN KEY(dataset_id) REFERENCES datasets (id) ON DELETE CASCADE
);
CREATE TABLE rejected_images (
	id INTEGER NOT NULL,
	dataset_id INTEGER NOT NULL,
	filename VARCHAR NOT NULL,
	reason VARCHAR NOT NULL,
	CONSTRAINT pk_rejected_images PRIMARY KEY (id),
	CONSTRAINT uq_rejected_images_dataset_id_filename UNIQUE (dataset_id, filename),
	CONSTRAINT fk_rejected_images_dataset_id FOREIGN KEY(dataset_id) REFERENCES datasets (id) ON DELETE CASCADE
);
CREATE TABLE runs (
	id INTEGER NOT NULL,
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
	workspace VARCHAR,
	dataset_id INTEGER,
	model_id INTEGER,
	started_at DATETIME NOT NULL,
	finished_at DATETIME,
	CONSTRAINT pk_runs PRIMARY KEY (id),
	CONSTRAINT ck_runs_status CHECK (status IN ('running', 'complete', 'failed', 'cancelled', 'crashed')),
	CONSTRAINT fk_runs_dataset_id FOREIGN KEY(dataset_id) REFERENCES datasets (id) ON DELETE RESTRICT,
	CONSTRAINT fk_runs_model_id FOREIGN KEY(model_id) REFERENCES models (id) ON DELETE SET NULL
);
CREATE TABLE epochs (
	run_id INTEGER NOT NULL,
	epoch INTEGER NOT NULL,
	train_loss DOUBLE,
	train_accuracy DOUBLE,
	validation_loss DOUBLE,
	validation_accuracy DOUBLE,
	validation_roc_auc DOUBLE,
	test_loss DOUBLE,
	test_accuracy DOUBLE,
	seconds DOUBLE,
	images_per_second DOUBLE,
	CONSTRAINT pk_epochs PRIMARY KEY (run_id, epoch),
	CONSTRAINT ck_epochs_epoch CHECK (epoch >= 0),
	CONSTRAINT ck_epochs_train_accuracy CHECK (train_accuracy BETWEEN 0 AND 1),
	CONSTRAINT ck_epochs_validation_accuracy CHECK (validation_accuracy BETWEEN 0 AND 1),
	CONSTRAINT ck_epochs_validation_roc_auc CHECK (validation_roc_auc BETWEEN 0 AND 1),
	CONSTRAINT ck_epochs_test_accuracy CHECK (test_accuracy BETWEEN 0 AND 1),
	CONSTRAINT fk_epochs_run_id FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
);
CREATE TABLE images (
	id INTEGER NOT NULL,
	dataset_id INTEGER NOT NULL,
	artist_id INTEGER,
	filename VARCHAR NOT NULL,
	split VARCHAR(10) NOT NULL,
	title VARCHAR,
	style VARCHAR,
	genre VARCHAR,
	date VARCHAR,
	sha256 VARCHAR,
	extra JSON,
	CONSTRAINT pk_images PRIMARY KEY (id),
	CONSTRAINT uq_images_dataset_id_filename UNIQUE (dataset_id, filename),
	CONSTRAINT fk_images_dataset_id FOREIGN KEY(dataset_id) REFERENCES datasets (id) ON DELETE CASCADE,
	CONSTRAINT fk_images_artist_id FOREIGN KEY(artist_id) REFERENCES artists (id) ON DELETE CASCADE,
	CONSTRAINT ck_images_split CHECK (split IN ('train', 'validation', 'test', 'excluded'))
);
CREATE TABLE models (
	id INTEGER NOT NULL,
	run_id INTEGER NOT NULL,
	epoch INTEGER NOT NULL,
	path VARCHAR NOT NULL,
	sha256 VARCHAR NOT NULL,
	settings JSON,
	threshold DOUBLE NOT NULL,
	calibration_slope DOUBLE NOT NULL,
	calibration_midpoint DOUBLE NOT NULL,
	accept_within DOUBLE NOT NULL,
	reject_beyond DOUBLE NOT NULL,
	validation_roc_auc DOUBLE NOT NULL,
	validation_accuracy DOUBLE NOT NULL,
	has_collapsed BOOLEAN DEFAULT 0 NOT NULL,
	purpose VARCHAR DEFAULT '' NOT NULL,
	is_champion BOOLEAN NOT NULL,
	refusal VARCHAR,
	CONSTRAINT pk_models PRIMARY KEY (id),
	CONSTRAINT uq_models_run_id_epoch UNIQUE (run_id, epoch),
	CONSTRAINT ck_models_epoch CHECK (epoch >= 0),
	CONSTRAINT ck_models_threshold CHECK (threshold >= 0),
	CONSTRAINT ck_models_band CHECK (accept_within <= reject_beyond),
	CONSTRAINT ck_models_validation_roc_auc CHECK (validation_roc_auc BETWEEN 0 AND 1),
	CONSTRAINT ck_models_validation_accuracy CHECK (validation_accuracy BETWEEN 0 AND 1),
	CONSTRAINT fk_models_run_id FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX ix_models_champion ON models (purpose) WHERE is_champion;
CREATE TABLE run_processes (
	id INTEGER NOT NULL,
	run_id INTEGER NOT NULL,
	prefect_flow_run_id VARCHAR,
	started_at DATETIME NOT NULL,
	host VARCHAR NOT NULL,
	device VARCHAR NOT NULL,
	precision VARCHAR NOT NULL,
	code_version VARCHAR NOT NULL,
	library_versions JSON NOT NULL,
	CONSTRAINT pk_run_processes PRIMARY KEY (id),
	CONSTRAINT fk_run_processes_run_id FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
);
CREATE TABLE sweep_differences (
	run_id INTEGER NOT NULL,
	recipe VARCHAR NOT NULL,
	rival VARCHAR NOT NULL,
	metric VARCHAR NOT NULL,
	value DOUBLE NOT NULL,
	low DOUBLE NOT NULL,
	high DOUBLE NOT NULL,
	CONSTRAINT pk_sweep_differences PRIMARY KEY (run_id, recipe, rival, metric),
	CONSTRAINT fk_sweep_differences_run_id FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
);
CREATE TABLE atlases (
	id INTEGER NOT NULL,
	run_id INTEGER NOT NULL,
	model_id INTEGER NOT NULL,
	dataset_id INTEGER NOT NULL,
	n_images INTEGER NOT NULL,
	n_artists INTEGER NOT NULL,
	created_at DATETIME NOT NULL,
	CONSTRAINT pk_atlases PRIMARY KEY (id),
	CONSTRAINT uq_atlases_run_id UNIQUE (run_id),
	CONSTRAINT fk_atlases_run_id FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE,
	CONSTRAINT fk_atlases_model_id FOREIGN KEY(model_id) REFERENCES models (id) ON DELETE CASCADE,
	CONSTRAINT fk_atlases_dataset_id FOREIGN KEY(dataset_id) REFERENCES datasets (id) ON DELETE RESTRICT
);
CREATE TABLE evaluations (
	id INTEGER NOT NULL,
	run_id INTEGER NOT NULL,
	model_id INTEGER NOT NULL,
	dataset_id INTEGER NOT NULL,
	split VARCHAR(10),
	status VARCHAR(8) NOT NULL,
	triplet_accuracy DOUBLE,
	triplet_accuracy_low DOUBLE,
	triplet_accuracy_high DOUBLE,
	triplet_loss DOUBLE,
	roc_auc DOUBLE,
	roc_auc_low DOUBLE,
	roc_auc_high DOUBLE,
	eer DOUBLE,
	balanced_accuracy DOUBLE,
	recall_at_1 DOUBLE,
	map_at_r DOUBLE,
	matched_on VARCHAR,
	matched_triplet_accuracy DOUBLE,
	matched_n_triplets INTEGER,
	threshold DOUBLE,
	prior DOUBLE DEFAULT '0.5' NOT NULL,
	n_images INTEGER,
	n_pairs INTEGER,
	n_triplets INTEGER,
	true_accepts INTEGER,
	false_rejects INTEGER,
	true_rejects INTEGER,
	false_accepts INTEGER,
	created_at DATETIME NOT NULL,
	pruned_at DATETIME,
	CONSTRAINT pk_evaluations PRIMARY KEY (id),
	CONSTRAINT ck_evaluations_threshold CHECK (threshold >= 0),
	CONSTRAINT ck_evaluations_prior CHECK (prior > 0 AND prior < 1),
	CONSTRAINT ck_evaluations_triplet_accuracy CHECK (triplet_accuracy BETWEEN 0 AND 1),
	CONSTRAINT ck_evaluations_triplet_accuracy_low CHECK (triplet_accuracy_low BETWEEN 0 AND 1),
	CONSTRAINT ck_evaluations_triplet_accuracy_high CHECK (triplet_accuracy_high BETWEEN 0 AND 1),
	CONSTRAINT ck_evaluations_roc_auc CHECK (roc_auc BETWEEN 0 AND 1),
	CONSTRAINT ck_evaluations_roc_auc_low CHECK (roc_auc_low BETWEEN 0 AND 1),
	CONSTRAINT ck_evaluations_roc_auc_high CHECK (roc_auc_high BETWEEN 0 AND 1),
	CONSTRAINT ck_evaluations_matched_triplet_accuracy CHECK (matched_triplet_accuracy BETWEEN 0 AND 1),
	CONSTRAINT ck_evaluations_eer CHECK (eer BETWEEN 0 AND 1),
	CONSTRAINT ck_evaluations_balanced_accuracy CHECK (balanced_accuracy BETWEEN 0 AND 1),
	CONSTRAINT ck_evaluations_recall_at_1 CHECK (recall_at_1 BETWEEN 0 AND 1),
	CONSTRAINT ck_evaluations_map_at_r CHECK (map_at_r BETWEEN 0 AND 1),
	CONSTRAINT fk_evaluations_run_id FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE,
	CONSTRAINT fk_evaluations_model_id FOREIGN KEY(model_id) REFERENCES models (id) ON DELETE CASCADE,
	CONSTRAINT fk_evaluations_dataset_id FOREIGN KEY(dataset_id) REFERENCES datasets (id) ON DELETE RESTRICT,
	CONSTRAINT ck_evaluations_split CHECK (split IN ('train', 'validation', 'test', 'excluded')),
	CONSTRAINT ck_evaluations_status CHECK (status IN ('writing', 'complete', 'failed'))
);
CREATE TABLE promotions (
	id INTEGER NOT NULL,
	model_id INTEGER NOT NULL,
	purpose VARCHAR NOT NULL,
	promoted_at DATETIME NOT NULL,
	promoted_by VARCHAR NOT NULL,
	reason VARCHAR NOT NULL,
	former_model_id INTEGER,
	difference DOUBLE,
	low DOUBLE,
	high DOUBLE,
	CONSTRAINT pk_promotions PRIMARY KEY (id),
	CONSTRAINT fk_promotions_model_id FOREIGN KEY(model_id) REFERENCES models (id) ON DELETE CASCADE,
	CONSTRAINT fk_promotions_former_model_id FOREIGN KEY(former_model_id) REFERENCES models (id) ON DELETE SET NULL
);
CREATE TABLE artist_results (
	evaluation_id INTEGER NOT NULL,
	artist_id INTEGER NOT NULL,
	n_images INTEGER NOT NULL,
	triplet_accuracy DOUBLE,
	triplet_accuracy_low DOUBLE,
	triplet_accuracy_high DOUBLE,
	roc_auc DOUBLE,
	nearest_artist_id INTEGER,
	CONSTRAINT pk_artist_results PRIMARY KEY (evaluation_id, artist_id),
	CONSTRAINT ck_artist_results_triplet_accuracy CHECK (triplet_accuracy BETWEEN 0 AND 1),
	CONSTRAINT ck_artist_results_roc_auc CHECK (roc_auc BETWEEN 0 AND 1),
	CONSTRAINT fk_artist_results_evaluation_id FOREIGN KEY(evaluation_id) REFERENCES evaluations (id) ON DELETE CASCADE,
	CONSTRAINT fk_artist_results_artist_id FOREIGN KEY(artist_id) REFERENCES artists (id) ON DELETE RESTRICT,
	CONSTRAINT fk_artist_results_nearest_artist_id FOREIGN KEY(nearest_artist_id) REFERENCES artists (id) ON DELETE RESTRICT
);
CREATE TABLE atlas_measures (
	atlas_id INTEGER NOT NULL,
	metric VARCHAR NOT NULL,
	value DOUBLE NOT NULL,
	low DOUBLE,
	high DOUBLE,
	CONSTRAINT pk_atlas_measures PRIMARY KEY (atlas_id, metric),
	CONSTRAINT fk_atlas_measures_atlas_id FOREIGN KEY(atlas_id) REFERENCES atlases (id) ON DELETE CASCADE
);
CREATE TABLE attributions (
	atlas_id INTEGER NOT NULL,
	image_id INTEGER NOT NULL,
	rank INTEGER NOT NULL,
	artist_id INTEGER,
	probability DOUBLE NOT NULL,
	CONSTRAINT pk_attributions PRIMARY KEY (atlas_id, image_id, rank),
	CONSTRAINT ck_attributions_probability CHECK (probability BETWEEN 0 AND 1),
	CONSTRAINT fk_attributions_atlas_id FOREIGN KEY(atlas_id) REFERENCES atlases (id) ON DELETE CASCADE,
	CONSTRAINT fk_attributions_image_id FOREIGN KEY(image_id) REFERENCES images (id) ON DELETE RESTRICT,
	CONSTRAINT fk_attributions_artist_id FOREIGN KEY(artist_id) REFERENCES artists (id) ON DELETE RESTRICT
);
CREATE INDEX ix_attributions_artist_id ON attributions (artist_id);
CREATE TABLE baselines (
	id INTEGER NOT NULL,
	evaluation_id INTEGER NOT NULL,
	name VARCHAR NOT NULL,
	triplet_accuracy DOUBLE,
	triplet_accuracy_low DOUBLE,
	triplet_accuracy_high DOUBLE,
	roc_auc DOUBLE,
	roc_auc_low DOUBLE,
	roc_auc_high DOUBLE,
	matched_triplet_accuracy DOUBLE,
	CONSTRAINT pk_baselines PRIMARY KEY (id),
	CONSTRAINT uq_baselines_evaluation_id_name UNIQUE (evaluation_id, name),
	CONSTRAINT ck_baselines_triplet_accuracy CHECK (triplet_accuracy BETWEEN 0 AND 1),
	CONSTRAINT ck_baselines_triplet_accuracy_low CHECK (triplet_accuracy_low BETWEEN 0 AND 1),
	CONSTRAINT ck_baselines_triplet_accuracy_high CHECK (triplet_accuracy_high BETWEEN 0 AND 1),
	CONSTRAINT ck_baselines_roc_auc CHECK (roc_auc BETWEEN 0 AND 1),
	CONSTRAINT ck_baselines_roc_auc_low CHECK (roc_auc_low BETWEEN 0 AND 1),
	CONSTRAINT ck_baselines_roc_auc_high CHECK (roc_auc_high BETWEEN 0 AND 1),
	CONSTRAINT ck_baselines_matched_triplet_accuracy CHECK (matched_triplet_accuracy BETWEEN 0 AND 1),
	CONSTRAINT fk_baselines_evaluation_id FOREIGN KEY(evaluation_id) REFERENCES evaluations (id) ON DELETE CASCADE
);
CREATE TABLE hardest_pairs (
	evaluation_id INTEGER NOT NULL,
	pair_index INTEGER NOT NULL,
	CONSTRAINT pk_hardest_pairs PRIMARY KEY (evaluation_id, pair_index),
	CONSTRAINT fk_hardest_pairs_evaluation_id FOREIGN KEY(evaluation_id) REFERENCES evaluations (id) ON DELETE CASCADE
);
CREATE TABLE measures (
	evaluation_id INTEGER NOT NULL,
	contender VARCHAR NOT NULL,
	scope VARCHAR(7) NOT NULL,
	metric VARCHAR NOT NULL,
	value DOUBLE NOT NULL,
	low DOUBLE,
	high DOUBLE,
	CONSTRAINT pk_measures PRIMARY KEY (evaluation_id, contender, scope, metric),
	CONSTRAINT fk_measures_evaluation_id FOREIGN KEY(evaluation_id) REFERENCES evaluations (id) ON DELETE CASCADE,
	CONSTRAINT ck_measures_scope CHECK (scope IN ('all', 'matched'))
);
CREATE TABLE neighbours (
	atlas_id INTEGER NOT NULL,
	image_id INTEGER NOT NULL,
	rank INTEGER NOT NULL,
	neighbour_id INTEGER NOT NULL,
	distance DOUBLE NOT NULL,
	CONSTRAINT pk_neighbours PRIMARY KEY (atlas_id, image_id, rank),
	CONSTRAINT ck_neighbours_distance CHECK (distance >= 0),
	CONSTRAINT fk_neighbours_atlas_id FOREIGN KEY(atlas_id) REFERENCES atlases (id) ON DELETE CASCADE,
	CONSTRAINT fk_neighbours_image_id FOREIGN KEY(image_id) REFERENCES images (id) ON DELETE RESTRICT,
	CONSTRAINT fk_neighbours_neighbour_id FOREIGN KEY(neighbour_id) REFERENCES images (id) ON DELETE RESTRICT
);
CREATE TABLE pair_images (
	evaluation_id INTEGER NOT NULL,
	image_id INTEGER NOT NULL,
	pair_index INTEGER NOT NULL,
	CONSTRAINT pk_pair_images PRIMARY KEY (evaluation_id, image_id, pair_index),
	CONSTRAINT fk_pair_images_evaluation_id FOREIGN KEY(evaluation_id) REFERENCES evaluations (id) ON DELETE CASCADE
)
 WITHOUT ROWID;
CREATE TABLE pair_predictions (
	evaluation_id INTEGER NOT NULL,
	pair_index INTEGER NOT NULL,
	image_a_id INTEGER NOT NULL,
	image_b_id INTEGER NOT NULL,
	distance DOUBLE NOT NULL,
	same_artist BOOLEAN,
	CONSTRAINT pk_pair_predictions PRIMARY KEY (evaluation_id, pair_index),
	CONSTRAINT ck_pair_predictions_distance CHECK (distance >= 0 AND distance < 1e300),
	CONSTRAINT fk_pair_predictions_evaluation_id FOREIGN KEY(evaluation_id) REFERENCES evaluations (id) ON DELETE CASCADE,
	CONSTRAINT fk_pair_predictions_image_a_id FOREIGN KEY(image_a_id) REFERENCES images (id) ON DELETE RESTRICT,
	CONSTRAINT fk_pair_predictions_image_b_id FOREIGN KEY(image_b_id) REFERENCES images (id) ON DELETE RESTRICT
)
 WITHOUT ROWID;
CREATE TABLE reliability (
	evaluation_id INTEGER NOT NULL,
	tenth INTEGER NOT NULL,
	probability DOUBLE NOT NULL,
	same_share DOUBLE NOT NULL,
	n_pairs BIGINT NOT NULL,
	CONSTRAINT pk_reliability PRIMARY KEY (evaluation_id, tenth),
	CONSTRAINT ck_reliability_probability CHECK (probability BETWEEN 0 AND 1),
	CONSTRAINT ck_reliability_same_share CHECK (same_share BETWEEN 0 AND 1),
	CONSTRAINT fk_reliability_evaluation_id FOREIGN KEY(evaluation_id) REFERENCES evaluations (id) ON DELETE CASCADE
);
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
	CONSTRAINT fk_sweeps_training_run_id FOREIGN KEY(training_run_id) REFERENCES runs (id) ON DELETE SET NULL,
	CONSTRAINT fk_sweeps_evaluation_id FOREIGN KEY(evaluation_id) REFERENCES evaluations (id) ON DELETE SET NULL
);
CREATE VIEW pair_results AS SELECT pair_predictions.evaluation_id, pair_predictions.pair_index, image_a.filename AS filename_a, image_b.filename AS filename_b, artist_a.name AS artist_a, artist_b.name AS artist_b, pair_predictions.distance, coalesce(evaluations.threshold, models.threshold) AS threshold, models.calibration_slope * (models.calibration_midpoint - pair_predictions.distance) AS log_likelihood_ratio, 0.5 * (1 + tanh(0.5 * (models.calibration_slope * (models.calibration_midpoint - pair_predictions.distance) + ln(evaluations.prior / ((1.0 - evaluations.prior) + 0.0))))) AS probability, CASE WHEN (pair_predictions.distance <= models.accept_within) THEN 'same' WHEN (pair_predictions.distance > models.reject_beyond) THEN 'different' ELSE 'cannot tell' END AS verdict, pair_predictions.distance <= coalesce(evaluations.threshold, models.threshold) AS predicted_same, pair_predictions.same_artist, (pair_predictions.distance <= coalesce(evaluations.threshold, models.threshold)) = pair_predictions.same_artist AS correct, CASE WHEN (pair_predictions.same_artist IS NULL) THEN NULL WHEN pair_predictions.same_artist THEN pair_predictions.distance - coalesce(evaluations.threshold, models.threshold) ELSE coalesce(evaluations.threshold, models.threshold) - pair_predictions.distance END AS wrong_by
FROM pair_predictions JOIN evaluations ON evaluations.id = pair_predictions.evaluation_id JOIN models ON models.id = evaluations.model_id JOIN images AS image_a ON image_a.id = pair_predictions.image_a_id JOIN images AS image_b ON image_b.id = pair_predictions.image_b_id LEFT OUTER JOIN artists AS artist_a ON artist_a.id = image_a.artist_id LEFT OUTER JOIN artists AS artist_b ON artist_b.id = image_b.artist_id
WHERE evaluations.status = 'complete';
CREATE VIEW pairs_by_image AS SELECT sides.evaluation_id, sides.image_id, sides.other_id, sides.pair_index, sides.distance, sides.same_artist, CASE WHEN (sides.same_artist IS NULL) THEN NULL WHEN sides.same_artist THEN sides.distance - coalesce(evaluations.threshold, models.threshold) ELSE coalesce(evaluations.threshold, models.threshold) - sides.distance END AS wrong_by
FROM (SELECT pair_predictions.evaluation_id AS evaluation_id, pair_images.image_id AS image_id, CASE WHEN (pair_predictions.image_a_id = pair_images.image_id) THEN pair_predictions.image_b_id ELSE pair_predictions.image_a_id END AS other_id, pair_predictions.pair_index AS pair_index, pair_predictions.distance AS distance, pair_predictions.same_artist AS same_artist
FROM pair_images JOIN pair_predictions ON pair_predictions.evaluation_id = pair_images.evaluation_id AND pair_predictions.pair_index = pair_images.pair_index) AS sides JOIN evaluations ON evaluations.id = sides.evaluation_id JOIN models ON models.id = evaluations.model_id
WHERE evaluations.status = 'complete';
CREATE VIEW leaderboard AS SELECT CASE WHEN (complete.roc_auc IS NOT NULL) THEN row_number() OVER (PARTITION BY datasets.source, datasets.content_hash ORDER BY complete.roc_auc DESC NULLS LAST, models.id) END AS rank, models.id AS model_id, models.run_id, runs.preset, trained_on.source AS trained_on, datasets.source, datasets.content_hash AS data_hash, complete.n_images, (SELECT count(*) AS count_1
FROM artists
WHERE artists.dataset_id = complete.dataset_id AND artists.split = 'test') AS n_artists, models.epoch, models.purpose, models.is_champion, models.has_collapsed, complete.id AS evaluation_id, complete.triplet_accuracy, complete.triplet_accuracy_low, complete.triplet_accuracy_high, complete.roc_auc, complete.roc_auc_low, complete.roc_auc_high, complete.eer, complete.balanced_accuracy, complete.recall_at_1, complete.map_at_r, complete.matched_triplet_accuracy, complete.created_at AS evaluated_at
FROM models JOIN runs ON runs.id = models.run_id LEFT OUTER JOIN datasets AS trained_on ON trained_on.id = runs.dataset_id LEFT OUTER JOIN (SELECT evaluations.id AS id, evaluations.run_id AS run_id, evaluations.model_id AS model_id, evaluations.dataset_id AS dataset_id, evaluations.split AS split, evaluations.status AS status, evaluations.triplet_accuracy AS triplet_accuracy, evaluations.triplet_accuracy_low AS triplet_accuracy_low, evaluations.triplet_accuracy_high AS triplet_accuracy_high, evaluations.triplet_loss AS triplet_loss, evaluations.roc_auc AS roc_auc, evaluations.roc_auc_low AS roc_auc_low, evaluations.roc_auc_high AS roc_auc_high, evaluations.eer AS eer, evaluations.balanced_accuracy AS balanced_accuracy, evaluations.recall_at_1 AS recall_at_1, evaluations.map_at_r AS map_at_r, evaluations.matched_on AS matched_on, evaluations.matched_triplet_accuracy AS matched_triplet_accuracy, evaluations.matched_n_triplets AS matched_n_triplets, evaluations.threshold AS threshold, evaluations.prior AS prior, evaluations.n_images AS n_images, evaluations.n_pairs AS n_pairs, evaluations.n_triplets AS n_triplets, evaluations.true_accepts AS true_accepts, evaluations.false_rejects AS false_rejects, evaluations.true_rejects AS true_rejects, evaluations.false_accepts AS false_accepts, evaluations.created_at AS created_at, evaluations.pruned_at AS pruned_at, row_number() OVER (PARTITION BY evaluations.model_id ORDER BY evaluations.created_at DESC, evaluations.id DESC) AS age
FROM evaluations
WHERE evaluations.status = 'complete' AND evaluations.split = 'test') AS complete ON complete.model_id = models.id AND complete.age = 1 LEFT OUTER JOIN datasets ON datasets.id = complete.dataset_id ORDER BY datasets.source NULLS LAST, datasets.content_hash, complete.roc_auc DESC NULLS LAST, models.id;
CREATE VIEW provenance AS SELECT evaluations.id AS evaluation_id, evaluations.split, evaluations.created_at AS evaluated_at, runs.id AS run_id, runs.flow_name, runs.prefect_flow_run_id, runs.code_version, runs.settings, runs.seed, runs.device, runs.library_versions, datasets.source, datasets.content_hash AS data_hash, datasets.crops_hash, models.id AS model_id, models.sha256 AS checkpoint_hash, models.path AS checkpoint_path, training.id AS training_run_id, training.prefect_flow_run_id AS training_flow_run_id, training.code_version AS training_code_version, training.settings AS training_settings, training.seed AS training_seed, training.device AS training_device, training.library_versions AS training_library_versions, trained_on.content_hash AS training_data_hash, trained_on.crops_hash AS training_crops_hash
FROM evaluations JOIN runs ON runs.id = evaluations.run_id JOIN datasets ON datasets.id = evaluations.dataset_id JOIN models ON models.id = evaluations.model_id JOIN runs AS training ON training.id = models.run_id LEFT OUTER JOIN datasets AS trained_on ON trained_on.id = training.dataset_id;
CREATE VIEW doubtful AS SELECT likely.atlas_id, images.filename, artist.name AS artist, own.probability AS probability, other.name AS likely_artist, likely.probability AS likely_probability
FROM attributions AS likely JOIN images ON images.id = likely.image_id JOIN artists AS artist ON artist.id = images.artist_id JOIN artists AS other ON other.id = likely.artist_id JOIN attributions AS own ON own.atlas_id = likely.atlas_id AND own.image_id = likely.image_id AND own.artist_id = images.artist_id
WHERE likely.rank = 1 AND likely.artist_id != images.artist_id AND likely.probability > 0.5;
CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY);
INSERT INTO alembic_version VALUES ('r0001_baseline');

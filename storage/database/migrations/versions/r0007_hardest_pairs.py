"""What is asked of a whole evaluation is noted when it is written: its verdicts, its hardest pairs.

Revision ID: 0007
"""

from alembic import op

revision = "0007"
down_revision = "0006"

VERDICTS = ("true_accepts", "false_rejects", "true_rejects", "false_accepts")


def upgrade() -> None:
    """Create it, and note it of the evaluations that are complete and still have their pairs."""
    connection = op.get_bind()
    is_sqlite = connection.dialect.name == "sqlite"
    for statement in (
        *(f"ALTER TABLE evaluations ADD COLUMN {name} INTEGER" for name in VERDICTS),
        HARDEST,
        # On PostgreSQL it can get a last column without being dropped: others' views may use it.
        "DROP VIEW pair_results" if is_sqlite else "DROP VIEW pair_images",
        PAIR_RESULTS if is_sqlite else PAIR_RESULTS.replace("CREATE", "CREATE OR REPLACE", 1),
        PAIRS_BY_IMAGE.format(sides=ON_SQLITE if is_sqlite else ON_POSTGRESQL),
        COUNTED,
    ):
        connection.exec_driver_sql(statement)
    judged = "SELECT id FROM evaluations WHERE true_accepts IS NOT NULL"
    for evaluation_id in connection.exec_driver_sql(judged).scalars().all():
        for kind in (FURTHEST_OF_ONE, CLOSEST_OF_TWO):
            connection.exec_driver_sql(kind.format(evaluation_id))


HARDEST = """
CREATE TABLE hardest_pairs (
    evaluation_id INTEGER NOT NULL,
    pair_index INTEGER NOT NULL,
    CONSTRAINT pk_hardest_pairs PRIMARY KEY (evaluation_id, pair_index),
    CONSTRAINT fk_hardest_pairs_evaluation_id FOREIGN KEY(evaluation_id)
        REFERENCES evaluations (id) ON DELETE CASCADE
)
"""
PAIR_RESULTS = """
CREATE VIEW pair_results AS SELECT pair_predictions.evaluation_id, pair_predictions.pair_index,
    image_a.filename AS filename_a, image_b.filename AS filename_b, artist_a.name AS artist_a,
    artist_b.name AS artist_b, pair_predictions.distance, coalesce(evaluations.threshold,
    models.threshold) AS threshold, 0.5 * (1 + tanh(0.5 * models.calibration_slope *
    (coalesce(evaluations.threshold, models.threshold) - pair_predictions.distance))) AS
    probability, pair_predictions.distance <= coalesce(evaluations.threshold, models.threshold) AS
    predicted_same, pair_predictions.same_artist, (pair_predictions.distance <=
    coalesce(evaluations.threshold, models.threshold)) = pair_predictions.same_artist AS correct,
    CASE WHEN (pair_predictions.same_artist IS NULL) THEN NULL WHEN pair_predictions.same_artist
    THEN pair_predictions.distance - coalesce(evaluations.threshold, models.threshold) ELSE
    coalesce(evaluations.threshold, models.threshold) - pair_predictions.distance END AS wrong_by
FROM pair_predictions JOIN evaluations ON evaluations.id = pair_predictions.evaluation_id JOIN
    models ON models.id = evaluations.model_id JOIN images AS image_a ON image_a.id =
    pair_predictions.image_a_id JOIN images AS image_b ON image_b.id = pair_predictions.image_b_id
    LEFT OUTER JOIN artists AS artist_a ON artist_a.id = image_a.artist_id LEFT OUTER JOIN artists
    AS artist_b ON artist_b.id = image_b.artist_id
WHERE evaluations.status = 'complete'
"""
PAIRS_BY_IMAGE = """
CREATE VIEW pairs_by_image AS SELECT sides.evaluation_id, sides.image_id, sides.other_id,
    sides.pair_index, sides.distance, sides.same_artist, CASE WHEN (sides.same_artist IS NULL) THEN
    NULL WHEN sides.same_artist THEN sides.distance - coalesce(evaluations.threshold,
    models.threshold) ELSE coalesce(evaluations.threshold, models.threshold) - sides.distance END
    AS wrong_by
FROM ({sides}) AS sides JOIN evaluations ON evaluations.id = sides.evaluation_id JOIN models ON
    models.id = evaluations.model_id
WHERE evaluations.status = 'complete'
"""
ON_SQLITE = """SELECT pair_predictions.evaluation_id AS evaluation_id, pair_images.image_id AS
    image_id, CASE WHEN (pair_predictions.image_a_id = pair_images.image_id) THEN
    pair_predictions.image_b_id ELSE pair_predictions.image_a_id END AS other_id,
    pair_predictions.pair_index AS pair_index, pair_predictions.distance AS distance,
    pair_predictions.same_artist AS same_artist
FROM pair_images JOIN pair_predictions ON pair_predictions.evaluation_id =
    pair_images.evaluation_id AND pair_predictions.pair_index = pair_images.pair_index"""
SIDE = """SELECT pair_predictions.evaluation_id AS evaluation_id, pair_predictions.{one} AS
    image_id, pair_predictions.{other} AS other_id, pair_predictions.pair_index AS pair_index,
    pair_predictions.distance AS distance, pair_predictions.same_artist AS same_artist
FROM pair_predictions"""
ON_POSTGRESQL = " UNION ALL ".join(
    SIDE.format(one=one, other=other)
    for one, other in (("image_a_id", "image_b_id"), ("image_b_id", "image_a_id"))
)
COUNTED = """
UPDATE evaluations SET true_accepts = counted.same_near, false_rejects = same - same_near,
    true_rejects = n - same - near + same_near, false_accepts = near - same_near
FROM (
    SELECT evaluation_id, count(*) AS n, count(*) FILTER (WHERE same_artist) AS same,
        count(*) FILTER (WHERE distance <= applied) AS near,
        count(*) FILTER (WHERE same_artist AND distance <= applied) AS same_near
    FROM pair_predictions JOIN (
        SELECT evaluations.id, coalesce(evaluations.threshold, models.threshold) AS applied
        FROM evaluations JOIN models ON models.id = evaluations.model_id
        WHERE evaluations.status = 'complete' AND pruned_at IS NULL
    ) AS judged ON judged.id = evaluation_id
    WHERE same_artist IS NOT NULL GROUP BY evaluation_id
) AS counted
WHERE counted.evaluation_id = evaluations.id
"""
FURTHEST_OF_ONE = """
INSERT INTO hardest_pairs SELECT evaluation_id, pair_index FROM pair_predictions
WHERE evaluation_id = {} AND same_artist ORDER BY distance DESC, pair_index LIMIT 1000
"""
CLOSEST_OF_TWO = """
INSERT INTO hardest_pairs SELECT evaluation_id, pair_index FROM pair_predictions
WHERE evaluation_id = {} AND NOT same_artist ORDER BY distance, pair_index LIMIT 1000
"""

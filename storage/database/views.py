"""The views for people: `pair_results`, `pairs_by_image`, `leaderboard`, `provenance`, `doubtful`.

Each is also described as a table, so that queries can select from it.
"""

from typing import Any

from sqlalchemy import (
    Case,
    Column,
    ColumnElement,
    FromClause,
    MetaData,
    Select,
    Table,
    and_,
    case,
    func,
    null,
    select,
)
from sqlalchemy.orm import aliased

from storage.database import postgres, sqlite
from storage.database.atlas_tables import Attribution
from storage.database.evaluation_tables import Evaluation, PairPrediction
from storage.database.tables import Artist, Dataset, Image, Model, Run

LIKELIER = 0.5


def _pair_results() -> Select[*tuple[Any, ...]]:
    """Select the pairs of complete evaluations with names, probability and verdict.

    The probability is the logistic 1 / (1 + exp(-x)) of the log-likelihood ratio plus the prior's
    logit, written as (1 + tanh(x / 2)) / 2, which never overflows.
    """
    image_a, image_b = aliased(Image, name="image_a"), aliased(Image, name="image_b")
    artist_a, artist_b = aliased(Artist, name="artist_a"), aliased(Artist, name="artist_b")
    distance, same_artist = PairPrediction.distance, PairPrediction.same_artist
    threshold = func.coalesce(Evaluation.threshold, Model.threshold)
    ratio = Model.calibration_slope * (Model.calibration_midpoint - distance)
    logit = ratio + func.ln(Evaluation.prior / (1 - Evaluation.prior))
    probability = 0.5 * (1 + func.tanh(0.5 * logit))
    verdict = case(
        (distance <= Model.accept_within, "same"),
        (distance > Model.reject_beyond, "different"),
        else_="cannot tell",
    )
    predicted_same = distance <= threshold
    return (
        select(
            PairPrediction.evaluation_id,
            PairPrediction.pair_index,
            image_a.filename.label("filename_a"),
            image_b.filename.label("filename_b"),
            artist_a.name.label("artist_a"),
            artist_b.name.label("artist_b"),
            distance,
            threshold.label("threshold"),
            ratio.label("log_likelihood_ratio"),
            probability.label("probability"),
            verdict.label("verdict"),
            predicted_same.label("predicted_same"),
            same_artist,
            (predicted_same == same_artist).label("correct"),
            _wrong_by(same_artist, distance, threshold).label("wrong_by"),
        )
        .join(Evaluation, Evaluation.id == PairPrediction.evaluation_id)
        .join(Model, Model.id == Evaluation.model_id)
        .join(image_a, image_a.id == PairPrediction.image_a_id)
        .join(image_b, image_b.id == PairPrediction.image_b_id)
        .outerjoin(artist_a, artist_a.id == image_a.artist_id)
        .outerjoin(artist_b, artist_b.id == image_b.artist_id)
        .where(Evaluation.status == "complete")
    )


def _wrong_by(same_artist: Any, distance: Any, threshold: ColumnElement[Any]) -> Case[Any]:
    """How far a pair lies on the wrong side of the threshold, NULL if the truth is unknown."""
    return case(
        (same_artist.is_(None), null()),
        (same_artist, distance - threshold),
        else_=threshold - distance,
    )


def _pairs_by_image(sides: FromClause) -> Select[*tuple[Any, ...]]:
    """Select the pairs of complete evaluations once for each of their images."""
    threshold = func.coalesce(Evaluation.threshold, Model.threshold)
    wrong_by = _wrong_by(sides.c.same_artist, sides.c.distance, threshold)
    return (
        select(*sides.c, wrong_by.label("wrong_by"))
        .join(Evaluation, Evaluation.id == sides.c.evaluation_id)
        .join(Model, Model.id == Evaluation.model_id)
        .where(Evaluation.status == "complete")
    )


def _leaderboard() -> Select[*tuple[Any, ...]]:
    """Select one row per model with its run and its latest complete test evaluation.

    The source is the one that was measured, with its test images and artists. `rank` compares
    models that were measured on the same paintings, however they were cropped.
    """
    newest_first = func.row_number().over(
        partition_by=Evaluation.model_id,
        order_by=[Evaluation.created_at.desc(), Evaluation.id.desc()],
    )
    complete = (
        select(Evaluation, newest_first.label("age"))
        .where(Evaluation.status == "complete", Evaluation.split == "test")
        .subquery("complete")
    )
    n_artists = (
        select(func.count())
        .where(Artist.dataset_id == complete.c.dataset_id, Artist.split == "test")
        .scalar_subquery()
    )
    best_first = (complete.c.roc_auc.desc().nulls_last(), Model.id)
    trained_on = aliased(Dataset, name="trained_on")
    rank = func.row_number().over(
        partition_by=[Dataset.source, Dataset.content_hash], order_by=best_first
    )
    return (
        select(
            case((complete.c.roc_auc.is_not(None), rank)).label("rank"),
            Model.id.label("model_id"),
            Model.run_id,
            Run.preset,
            trained_on.source.label("trained_on"),
            Dataset.source,
            Dataset.content_hash.label("data_hash"),
            complete.c.n_images,
            n_artists.label("n_artists"),
            Model.epoch,
            Model.purpose,
            Model.is_champion,
            Model.has_collapsed,
            complete.c.id.label("evaluation_id"),
            complete.c.triplet_accuracy,
            complete.c.triplet_accuracy_low,
            complete.c.triplet_accuracy_high,
            complete.c.roc_auc,
            complete.c.roc_auc_low,
            complete.c.roc_auc_high,
            complete.c.eer,
            complete.c.balanced_accuracy,
            complete.c.recall_at_1,
            complete.c.map_at_r,
            complete.c.matched_triplet_accuracy,
            complete.c.created_at.label("evaluated_at"),
        )
        .join(Run, Run.id == Model.run_id)
        .outerjoin(trained_on, trained_on.id == Run.dataset_id)
        .outerjoin(complete, and_(complete.c.model_id == Model.id, complete.c.age == 1))
        .outerjoin(Dataset, Dataset.id == complete.c.dataset_id)
        .order_by(Dataset.source.nulls_last(), Dataset.content_hash, *best_first)
    )


def _provenance() -> Select[*tuple[Any, ...]]:
    """Select what is needed to repeat each evaluation, and the training of its model."""
    training, trained_on = aliased(Run, name="training"), aliased(Dataset, name="trained_on")
    return (
        select(
            Evaluation.id.label("evaluation_id"),
            Evaluation.split,
            Evaluation.created_at.label("evaluated_at"),
            Run.id.label("run_id"),
            Run.flow_name,
            Run.prefect_flow_run_id,
            Run.code_version,
            Run.settings,
            Run.seed,
            Run.device,
            Run.library_versions,
            Dataset.source,
            Dataset.content_hash.label("data_hash"),
            Dataset.crops_hash,
            Model.id.label("model_id"),
            Model.sha256.label("checkpoint_hash"),
            Model.path.label("checkpoint_path"),
            training.id.label("training_run_id"),
            training.prefect_flow_run_id.label("training_flow_run_id"),
            training.code_version.label("training_code_version"),
            training.settings.label("training_settings"),
            training.seed.label("training_seed"),
            training.device.label("training_device"),
            training.library_versions.label("training_library_versions"),
            trained_on.content_hash.label("training_data_hash"),
            trained_on.crops_hash.label("training_crops_hash"),
        )
        .join(Run, Run.id == Evaluation.run_id)
        .join(Dataset, Dataset.id == Evaluation.dataset_id)
        .join(Model, Model.id == Evaluation.model_id)
        .join(training, training.id == Model.run_id)
        .outerjoin(trained_on, trained_on.id == training.dataset_id)
    )


def _doubtful() -> Select[*tuple[Any, ...]]:
    """Select pictures for which an artist other than their own is likelier than all else together.

    "None of these" counts as something else.
    """
    own, likely = aliased(Attribution, name="own"), aliased(Attribution, name="likely")
    artist, other = aliased(Artist, name="artist"), aliased(Artist, name="other")
    return (
        select(
            likely.atlas_id,
            Image.filename,
            artist.name.label("artist"),
            own.probability.label("probability"),
            other.name.label("likely_artist"),
            likely.probability.label("likely_probability"),
        )
        .join(Image, Image.id == likely.image_id)
        .join(artist, artist.id == Image.artist_id)
        .join(other, other.id == likely.artist_id)
        .join(
            own,
            and_(
                own.atlas_id == likely.atlas_id,
                own.image_id == likely.image_id,
                own.artist_id == Image.artist_id,
            ),
        )
        .where(likely.rank == 1, likely.artist_id != Image.artist_id, likely.probability > LIKELIER)
    )


def _as_table(
    name: str, query: Select[*tuple[Any, ...]], on_sqlite: Select[*tuple[Any, ...]] | None = None
) -> Table:
    """Describe a view as a table, with the query of each database in its `info`."""
    columns = [Column(column.name, column.type) for column in query.selected_columns]
    queries = {"postgresql": query, "sqlite": query if on_sqlite is None else on_sqlite}
    return Table(name, MetaData(), *columns, info=queries)


pair_results: Table = _as_table("pair_results", _pair_results())
pairs_by_image: Table = _as_table(
    "pairs_by_image", _pairs_by_image(postgres.sides()), _pairs_by_image(sqlite.sides())
)
leaderboard: Table = _as_table("leaderboard", _leaderboard())
provenance: Table = _as_table("provenance", _provenance())
doubtful: Table = _as_table("doubtful", _doubtful())
VIEWS = (pair_results, pairs_by_image, leaderboard, provenance, doubtful)

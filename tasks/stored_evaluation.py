"""What an evaluation leaves in the results database: its metrics and every pairwise prediction."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np
from prefect import get_run_logger

from model.artist_measures import ArtistMeasures
from model.evaluation import Discrimination, Verification
from model.hardest import hardest_of_each_kind
from model.measures import Measure
from model.metrics import Pairs, Predictions, Reliability
from storage.database import records, results
from storage.database.datasets import artist_ids_of, image_ids
from storage.database.evaluation_tables import HARDEST_KEPT, NETWORK, Baseline, Evaluation
from storage.database.evaluation_tables import ArtistResult as ArtistRow
from storage.database.evaluation_tables import Measure as MeasureRow
from storage.database.evaluation_tables import Reliability as ReliabilityRow
from storage.database.pair_parts import store_pairs
from storage.database.pair_rows import PairColumns
from storage.database.session import transaction
from storage.datasets.dataset import SplitImages
from tasks.models import StoredModel
from tasks.support.run import OpenRun


@dataclass(frozen=True, slots=True)
class NetworkResult:
    """How well a model's network tells artists apart, and the column its negatives matched on."""

    discrimination: Discrimination
    verification: Verification
    matched_on: str | None


@dataclass(frozen=True, slots=True)
class JudgedBaseline:
    """How well a simpler way of embedding tells artists apart."""

    name: str
    result: Discrimination


def store_evaluation(
    run: OpenRun,
    model: StoredModel,
    dataset_id: int,
    images: SplitImages,
    pairs: Pairs,
    network: NetworkResult,
    baselines: Sequence[JudgedBaseline],
) -> int:
    """Store an evaluation of the test split with all its pairs; it is seen once all are in.

    Several transactions let evaluations be stored at the same time. A resumed run keeps the
    evaluation that it stored before.
    """
    url = run.space.database_url
    with transaction(url) as session:
        stored = results.evaluation_by_run(session, run.id, model.id, dataset_id, "test")
        if stored is not None:
            return stored.id
    with transaction(url) as session:
        evaluation = Evaluation(
            run_id=run.id,
            model_id=model.id,
            dataset_id=dataset_id,
            split="test",
            prior=run.settings.prior,
        )
        evaluation_id = records.start_evaluation(session, evaluation)
        known = image_ids(session, dataset_id)
        for baseline in baselines:
            row = Baseline(
                evaluation_id=evaluation_id,
                name=baseline.name,
                **_discrimination_columns(baseline.result),
            )
            records.record_baseline(session, row)
            rows = _measure_rows(evaluation_id, baseline.name, baseline.result.measures)
            records.record_measures(session, rows)
        measures = (*network.discrimination.measures, *network.verification.measures)
        records.record_measures(session, _measure_rows(evaluation_id, NETWORK, measures))
    ids = np.array([known[name] for name in images.names])
    columns = PairColumns(
        np.arange(len(pairs.distance)),
        ids[pairs.first_idx],
        ids[pairs.second_idx],
        pairs.distance,
        pairs.same_artist,
    )
    store_pairs(url, evaluation_id, columns)
    matched = network.discrimination.matched
    with transaction(url) as session:
        measured = Evaluation(
            **_discrimination_columns(network.discrimination),
            **_verification_columns(network.verification),
            matched_on=network.matched_on,
            matched_n_triplets=matched.n_triplets if matched else None,
            threshold=model.calibration.threshold,
            n_images=len(images.rows),
            n_pairs=len(pairs.distance),
            n_triplets=network.discrimination.triplets.n_triplets,
        )
        hardest = hardest_of_each_kind(pairs, HARDEST_KEPT).tolist()
        session.add_all(_reliability_rows(evaluation_id, network.verification.reliability))
        numbers = artist_ids_of(session, dataset_id)
        of_artists = [numbers[name] for name in dict.fromkeys(images.artist_names)]
        session.add_all(_artist_rows(evaluation_id, of_artists, network.verification.artists))
        records.complete_evaluation(session, evaluation_id, measured, hardest)
    get_run_logger().info("Evaluation %d: %d pairs stored", evaluation_id, len(pairs.distance))
    return evaluation_id


def _discrimination_columns(result: Discrimination) -> dict[str, float | None]:
    """The columns that evaluations and baselines have in common."""
    return {
        "triplet_accuracy": result.triplets.accuracy,
        "triplet_accuracy_low": result.triplets.interval.low,
        "triplet_accuracy_high": result.triplets.interval.high,
        "roc_auc": result.roc_auc,
        "roc_auc_low": result.roc_auc_interval.low,
        "roc_auc_high": result.roc_auc_interval.high,
        "matched_triplet_accuracy": result.matched.accuracy if result.matched else None,
    }


def _verification_columns(result: Verification) -> dict[str, float]:
    rows_of_their_own = ("measures", "reliability", "artists")
    columns = {
        each.name: getattr(result, each.name)
        for each in fields(result)
        if each.name not in rows_of_their_own
    }
    predictions: Predictions = columns.pop("predictions")
    return {**columns, **asdict(predictions)}


def _reliability_rows(evaluation_id: int, found: Reliability) -> Iterator[ReliabilityRow]:
    for tenth, probability, same_share, n_pairs in zip(
        *(getattr(found, each.name).tolist() for each in fields(found)), strict=True
    ):
        yield ReliabilityRow(
            evaluation_id=evaluation_id,
            tenth=tenth,
            probability=probability,
            same_share=same_share,
            n_pairs=n_pairs,
        )


def _artist_rows(
    evaluation_id: int, numbers: Sequence[int], measured: Iterable[ArtistMeasures]
) -> Iterator[ArtistRow]:
    for each in measured:
        yield ArtistRow(
            evaluation_id=evaluation_id,
            artist_id=numbers[each.artist],
            n_images=each.n_images,
            triplet_accuracy=each.triplet_accuracy,
            triplet_accuracy_low=each.interval.low if each.interval else None,
            triplet_accuracy_high=each.interval.high if each.interval else None,
            roc_auc=each.roc_auc,
            nearest_artist_id=numbers[each.nearest_wrong],
        )


def _measure_rows(
    evaluation_id: int, contender: str, measures: Iterable[Measure]
) -> Iterator[MeasureRow]:
    for measure in measures:
        interval = measure.interval
        yield MeasureRow(
            evaluation_id=evaluation_id,
            contender=contender,
            scope=measure.scope,
            metric=measure.name,
            value=measure.value,
            low=interval.low if interval else None,
            high=interval.high if interval else None,
        )

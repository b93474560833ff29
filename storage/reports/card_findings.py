"""What a model's card says, read from the results database."""

from collections.abc import Iterator

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from storage.database import results
from storage.database.tables import Artist, Dataset, Image, Model, Run
from storage.datasets.crop import CropRules
from storage.reports.findings import report_on
from storage.reports.model_card import ModelCard, SplitCount
from storage.reports.report import Fact, Report

SPLITS = ("train", "validation", "test")


def card_of(
    session: Session,
    model: Model,
    file_name: str,
    rules: CropRules,
    embedding_size: int,
    licence: str,
) -> ModelCard:
    """Gather the card of a model whose exported network is in a file of that name."""
    run = session.get_one(Run, model.run_id)
    return ModelCard(
        file_name=file_name,
        model_id=model.id,
        data=list(_data(session, run)),
        splits=list(_splits(session, run.dataset_id)),
        judged=_judged(session, model, run.dataset_id),
        rules=rules,
        embedding_size=embedding_size,
        threshold=model.threshold,
        calibration_slope=model.calibration_slope,
        validation_roc_auc=model.validation_roc_auc,
        origin=_origin(run, model),
        licence=licence,
    )


def _data(session: Session, run: Run) -> Iterator[Fact]:
    yield Fact("source", run.source)
    if run.dataset_id is not None:
        dataset = session.get_one(Dataset, run.dataset_id)
        yield Fact("content hash of the dataset", dataset.content_hash)
        yield Fact("hash of its crops", dataset.crops_hash or "–")


def _splits(session: Session, dataset_id: int | None) -> Iterator[SplitCount]:
    for split in SPLITS:
        counts = [
            session.scalar(
                select(func.count())
                .select_from(kind)
                .where(kind.dataset_id == dataset_id, kind.split == split)
            )
            for kind in (Artist, Image)
        ]
        artists, images = (count or 0 for count in counts)
        yield SplitCount(split, artists, images)


def _judged(session: Session, model: Model, dataset_id: int | None) -> Report | None:
    """Report the latest test evaluation, on the model's own test artists if there is one."""
    latest = results.last_evaluation(session, model.id, dataset_id=dataset_id)
    latest = latest or results.last_evaluation(session, model.id)
    return report_on(session, latest.run_id, latest.id, ()) if latest else None


def _origin(run: Run, model: Model) -> list[Fact]:
    return [
        Fact("trained by", f"samehand {run.code_version}, run {run.id}, epoch {model.epoch}"),
        Fact("preset and seed", f"{run.preset}, {run.seed}"),
        Fact("device", run.device),
        Fact("SHA-256 of the checkpoint", model.sha256),
    ]

"""Gather a model card from the results database."""

from collections.abc import Iterator

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from storage.database import results
from storage.database.tables import Artist, Dataset, Image, Model, Run
from storage.datasets.crop import CropRules
from storage.reports.findings import report_on
from storage.reports.model_card import ModelCard
from storage.reports.report import Fact, Report


def card_of(
    session: Session,
    model: Model,
    file_name: str,
    rules: CropRules,
    embedding_size: int,
    licence: str,
) -> ModelCard:
    """Gather the card of a model that is exported to a file with this name."""
    run = session.get_one(Run, model.run_id)
    data = [Fact("source", run.source)]
    if run.dataset_id is not None:
        dataset = session.get_one(Dataset, run.dataset_id)
        data.append(Fact("content hash of the dataset", dataset.content_hash))
        data.append(Fact("hash of its crops", dataset.crops_hash or "–"))
    return ModelCard(
        file_name=file_name,
        model_id=model.id,
        data=data,
        splits=list(_splits(session, run.dataset_id)),
        judged=_judged(session, model, run.dataset_id),
        rules=rules,
        embedding_size=embedding_size,
        threshold=model.threshold,
        calibration_slope=model.calibration_slope,
        calibration_midpoint=model.calibration_midpoint,
        accept_within=model.accept_within,
        reject_beyond=model.reject_beyond,
        validation_roc_auc=model.validation_roc_auc,
        origin=[
            Fact("trained by", f"samehand {run.code_version}, run {run.id}, epoch {model.epoch}"),
            Fact("preset and seed", f"{run.preset}, {run.seed}"),
            Fact("device", run.device),
            Fact("SHA-256 of the checkpoint", model.sha256),
        ],
        licence=licence,
    )


def _splits(session: Session, dataset_id: int | None) -> Iterator[list[str]]:
    for split in ("train", "validation", "test"):
        counts = (
            session.scalar(
                select(func.count())
                .select_from(kind)
                .where(kind.dataset_id == dataset_id, kind.split == split)
            )
            for kind in (Artist, Image)
        )
        yield [split, *(f"{count or 0:,}" for count in counts)]


def _judged(session: Session, model: Model, dataset_id: int | None) -> Report | None:
    """Report the latest test evaluation, on the model's own dataset if there is one."""
    latest = results.last_evaluation(session, model.id, dataset_id=dataset_id)
    latest = latest or results.last_evaluation(session, model.id)
    return report_on(session, latest.run_id, latest.id, ()) if latest else None

"""What a report says about an evaluation, read from the results database."""

from collections.abc import Iterator, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from storage.database import results
from storage.database.evaluation_tables import Baseline, Evaluation
from storage.database.tables import Dataset, Model, Run
from storage.reports.report import Contender, Fact, Picture, Report


def report_on(
    session: Session,
    run_id: int,
    evaluation_id: int,
    pictures: Sequence[Picture],
    champion_id: int | None = None,
) -> Report:
    """Gather the report on an evaluation, with the epochs of the run that trained its model.

    `champion_id` is the model that was champion before, whichever is now.
    """
    run = session.get_one(Run, run_id)
    evaluation = session.get_one(Evaluation, evaluation_id)
    model = session.get_one(Model, evaluation.model_id)
    baselines = session.scalars(
        select(Baseline).where(Baseline.evaluation_id == evaluation_id).order_by(Baseline.id)
    )
    network = _contender("trained network", evaluation)
    simpler = [_contender(baseline.name, baseline) for baseline in baselines]
    return Report(
        title=f"Run {run.id}: {run.flow_name} on {run.source}",
        verdict=_verdict(network, simpler),
        contenders=[network, *simpler, *_rivals(session, evaluation, champion_id)],
        matched_on=evaluation.matched_on,
        facts=_facts(run, model, evaluation, session.get_one(Dataset, evaluation.dataset_id)),
        epochs=results.epochs(session, model.run_id),
        pictures=pictures,
    )


def _contender(name: str, row: Evaluation | Baseline) -> Contender:
    """Read a row of a complete evaluation, whose metrics are all there."""
    return Contender(
        name,
        _known(row.triplet_accuracy),
        _known(row.triplet_accuracy_low),
        _known(row.triplet_accuracy_high),
        _known(row.roc_auc),
        _known(row.roc_auc_low),
        _known(row.roc_auc_high),
        row.matched_triplet_accuracy,
    )


def _rivals(
    session: Session, evaluation: Evaluation, champion_id: int | None
) -> Iterator[Contender]:
    """Read how the network was measured before, and how the champion was."""
    before = results.evaluation_before(session, evaluation)
    if before is not None:
        yield _contender(_named(f"its evaluation {before.id}", before, evaluation), before)
    if champion_id is None or champion_id == evaluation.model_id:
        return
    best = results.last_evaluation(session, champion_id, dataset_id=evaluation.dataset_id)
    if best := best or results.last_evaluation(session, champion_id):
        yield _contender(_named(f"champion, model {champion_id}", best, evaluation), best)


def _named(name: str, row: Evaluation, evaluation: Evaluation) -> str:
    return name if row.dataset_id == evaluation.dataset_id else f"{name}, on other paintings"


def _verdict(network: Contender, baselines: Sequence[Contender]) -> str:
    better = max(baselines, key=lambda one: one.triplet_accuracy)
    gain = 100 * (network.triplet_accuracy - better.triplet_accuracy)
    return (
        f"Of two paintings, one by the artist of a third and one not, the network finds the right "
        f"one in **{100 * network.triplet_accuracy:.2f} %** of the triplets, by artists it has "
        f"never seen: {gain:+.1f} points against the better baseline ({better.name})."
    )


def _facts(run: Run, model: Model, evaluation: Evaluation, dataset: Dataset) -> list[Fact]:
    return [
        Fact("equal error rate", f"{100 * _known(evaluation.eer):.2f} %"),
        Fact("balanced accuracy", f"{100 * _known(evaluation.balanced_accuracy):.2f} %"),
        Fact("threshold, from validation pairs", f"{_known(evaluation.threshold):.4f}"),
        Fact("recall@1", f"{100 * _known(evaluation.recall_at_1):.2f} %"),
        Fact("MAP@R", f"{100 * _known(evaluation.map_at_r):.2f} %"),
        Fact("triplet loss", f"{_known(evaluation.triplet_loss):.4f}"),
        Fact(
            "test split",
            f"{evaluation.n_images} images, {evaluation.n_pairs} pairs, "
            f"{evaluation.n_triplets} triplets",
        ),
        *_matched_facts(evaluation),
        Fact("model", f"{model.id}, epoch {model.epoch} of run {model.run_id}, {model.path}"),
        Fact("champion", "this model" if model.is_champion else "another model"),
        Fact("dataset", f"{dataset.id}, content {dataset.content_hash[:12]}"),
        Fact("preset and seed", f"{run.preset}, {run.seed}"),
        Fact("device", run.device),
        Fact("version", run.code_version),
    ]


def _matched_facts(evaluation: Evaluation) -> list[Fact]:
    if evaluation.matched_on is None:
        return []
    count = f"{evaluation.matched_n_triplets} of {evaluation.n_triplets} triplets"
    return [Fact(f"negatives of the same {evaluation.matched_on}", count)]


def _known(value: float | None) -> float:
    """A metric of a complete evaluation; one that was no number shows as such."""
    return float("nan") if value is None else value

"""Gather the report on an evaluation from the results database."""

from collections.abc import Iterator, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from storage.database import results
from storage.database.evaluation_tables import NETWORK, Baseline, Evaluation, Measure
from storage.database.tables import Dataset, Model, Run
from storage.reports.report import Contender, Fact, Figure, Picture, Report


def report_on(
    session: Session,
    run_id: int,
    evaluation_id: int,
    pictures: Sequence[Picture],
    champion_id: int | None = None,
) -> Report:
    """Gather the report on an evaluation, with the epochs of the run that trained its model.

    `champion_id` is the model that was champion before.
    """
    run = session.get_one(Run, run_id)
    evaluation = session.get_one(Evaluation, evaluation_id)
    model = session.get_one(Model, evaluation.model_id)
    baselines = session.scalars(
        select(Baseline).where(Baseline.evaluation_id == evaluation_id).order_by(Baseline.id)
    )
    network = _contender(session, "trained network", evaluation)
    simpler = [_contender(session, baseline.name, baseline) for baseline in baselines]
    return Report(
        title=f"Run {run.id}: {run.flow_name} on {run.source}",
        summary=_summary(network, simpler, evaluation.n_triplets),
        contenders=[network, *simpler, *_rivals(session, evaluation, champion_id)],
        matched_on=evaluation.matched_on,
        facts=_facts(run, model, evaluation, session.get_one(Dataset, evaluation.dataset_id)),
        epochs=results.epochs(session, model.run_id),
        pictures=pictures,
    )


def _contender(session: Session, name: str, row: Evaluation | Baseline) -> Contender:
    """Read the figures of a complete evaluation; older ones have no measures."""
    if isinstance(row, Baseline):
        of = {"evaluation_id": row.evaluation_id, "contender": row.name}
    else:
        of = {"evaluation_id": row.id, "contender": NETWORK}
    figures: dict[tuple[str, str], Figure] = {
        (each.metric, each.scope): Figure(each.value, each.low, each.high)
        for each in session.scalars(select(Measure).filter_by(**of))
    }
    accuracy, low, high = row.triplet_accuracy, row.triplet_accuracy_low, row.triplet_accuracy_high
    figures["triplet_accuracy", "all"] = Figure(_known(accuracy), low, high)
    figures["roc_auc", "all"] = Figure(_known(row.roc_auc), row.roc_auc_low, row.roc_auc_high)
    if row.matched_triplet_accuracy is not None:
        alike = Figure(row.matched_triplet_accuracy)
        figures.setdefault(("triplet_accuracy", "matched"), alike)
    return Contender(name, figures)


def _rivals(
    session: Session, evaluation: Evaluation, champion_id: int | None
) -> Iterator[Contender]:
    """Read the model's evaluation before, and the champion's."""
    before = results.evaluation_before(session, evaluation)
    if before is not None:
        yield _earlier(session, f"its evaluation {before.id}", before, evaluation)
    if champion_id is None or champion_id == evaluation.model_id:
        return
    best = results.last_evaluation(session, champion_id, dataset_id=evaluation.dataset_id)
    if best := best or results.last_evaluation(session, champion_id):
        yield _earlier(session, f"champion, model {champion_id}", best, evaluation)


def _earlier(session: Session, name: str, row: Evaluation, evaluation: Evaluation) -> Contender:
    is_same = results.has_same_files(session, row, evaluation)
    name = name if is_same else f"{name}, on other paintings"
    return _contender(session, name, row)


def _summary(network: Contender, baselines: Sequence[Contender], n_triplets: int | None) -> str:
    key = ("triplet_accuracy", "all")
    better = max(baselines, key=lambda one: one.figures[key].value)
    accuracy = 100 * network.figures[key].value
    gain = accuracy - 100 * better.figures[key].value
    triplets = "the triplets" if n_triplets is None else f"{n_triplets:,} triplets"
    return (
        f"Given a painting, the network picks the other painting by the same artist over one by "
        f"someone else in {accuracy:.2f} % of {triplets}, by artists it has never seen: "
        f"{gain:+.1f} points against the better baseline ({better.name})."
    )


def _facts(run: Run, model: Model, evaluation: Evaluation, dataset: Dataset) -> list[Fact]:
    matched = f"{evaluation.matched_n_triplets} of {evaluation.n_triplets} triplets"
    on = evaluation.matched_on
    return [
        Fact("equal error rate", f"{100 * _known(evaluation.eer):.2f} %"),
        Fact("balanced accuracy", f"{100 * _known(evaluation.balanced_accuracy):.2f} %"),
        Fact("threshold, from validation pairs", f"{_known(evaluation.threshold):.4f}"),
        Fact(
            "verdicts, from validation pairs",
            f"same up to {model.accept_within:.4f}, different beyond {model.reject_beyond:.4f},"
            " cannot tell between them",
        ),
        Fact("probabilities assume", _prior_in_words(evaluation.prior)),
        Fact("recall@1", f"{100 * _known(evaluation.recall_at_1):.2f} %"),
        Fact("MAP@R", f"{100 * _known(evaluation.map_at_r):.2f} %"),
        Fact("triplet loss", f"{_known(evaluation.triplet_loss):.4f}"),
        Fact(
            "test split",
            f"{evaluation.n_images} images, {evaluation.n_pairs} pairs, "
            f"{evaluation.n_triplets} triplets",
        ),
        *([Fact(f"negatives of the same {on}", matched)] if on is not None else []),
        Fact("model", f"{model.id}, epoch {model.epoch} of run {model.run_id}, {model.path}"),
        Fact("purpose", model.purpose),
        Fact("champion", "this model" if model.is_champion else model.refusal or "another model"),
        *([Fact("collapsed", "yes: all embeddings are alike")] if model.has_collapsed else []),
        Fact("dataset", f"{dataset.id}, content {dataset.content_hash[:12]}"),
        Fact("preset and seed", f"{run.preset}, {run.seed}"),
        Fact("device", run.device),
        Fact("version", run.code_version),
    ]


def _prior_in_words(prior: float) -> str:
    if prior == 0.5:
        return "even odds: half of all pairs by one artist"
    return f"{100 * prior:g} % of all pairs by one artist"


def _known(value: float | None) -> float:
    """A metric as a number; NULL is stored for NaN."""
    return float("nan") if value is None else value

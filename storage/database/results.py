"""Reading the results database: the questions behind `samehand results`.

Tables come as data frames with a column per field. Where a user names a row, `last` is the
newest, and a number that does not exist raises `InputError` with those that do.
"""

from typing import TYPE_CHECKING, Any, Literal, TypeVar

from sqlalchemy import (
    Case,
    ColumnElement,
    Integer,
    ScalarSelect,
    Select,
    SQLColumnExpression,
    case,
    func,
    select,
)
from sqlalchemy.orm import Session

from storage.database import views
from storage.database.evaluation_tables import (
    HARDEST_KEPT,
    NETWORK,
    Evaluation,
    HardestPair,
    Measure,
    PairPrediction,
)
from storage.database.tables import (
    Artist,
    Epoch,
    Model,
    Run,
    RunProcess,
    SweepDifference,
    SweepTraining,
)
from storage.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

Row = TypeVar("Row", Run, Model, Evaluation)
Order = Literal["index", "hardest"]
SHOWN = 10


def runs(session: Session) -> "pd.DataFrame":
    """Return all runs, newest first."""
    query = select(
        Run.id,
        Run.flow_name,
        Run.status,
        Run.preset,
        Run.source,
        Run.seed,
        Run.device,
        Run.started_at,
        Run.finished_at,
        Run.directory,
        Run.error,
    ).order_by(Run.id.desc())
    return frame(session, query)


def epochs(session: Session, run_id: int) -> "pd.DataFrame":
    """Return the epochs of a run in their order."""
    columns = Epoch.__table__.columns
    return frame(session, select(*columns).where(Epoch.run_id == run_id).order_by(Epoch.epoch))


def evaluations(session: Session) -> "pd.DataFrame":
    """Return all evaluations, unfinished ones too, newest first."""
    columns = Evaluation.__table__.columns
    return frame(session, select(*columns).order_by(Evaluation.id.desc()))


def measures(session: Session, evaluation_id: int) -> "pd.DataFrame":
    """Return what an evaluation measured, the network first, of everything before what is matched.

    Empty where it is from before measures were stored.
    """
    is_baseline = Measure.contender != NETWORK
    order = (is_baseline, Measure.contender, Measure.scope, Measure.metric)
    columns = Measure.__table__.columns
    of_evaluation = Measure.evaluation_id == evaluation_id
    return frame(session, select(*columns).where(of_evaluation).order_by(*order))


def sweep_trainings(session: Session, run_id: int) -> "pd.DataFrame":
    """Return what a sweep trained, recipe by recipe, with the evaluation's figures once there."""
    query = (
        select(
            *SweepTraining.__table__.columns,
            Evaluation.triplet_accuracy,
            Evaluation.roc_auc,
            Evaluation.matched_triplet_accuracy,
        )
        .outerjoin(Evaluation, Evaluation.id == SweepTraining.evaluation_id)
        .where(SweepTraining.run_id == run_id)
        .order_by(SweepTraining.recipe, SweepTraining.fold, SweepTraining.seed)
    )
    return frame(session, query)


def sweep_differences(session: Session, run_id: int) -> "pd.DataFrame":
    """Return how the recipes of a sweep compare, metric by metric, the greatest gain first."""
    row = SweepDifference
    query = select(*row.__table__.columns).where(row.run_id == run_id)
    return frame(session, query.order_by(row.metric, row.value.desc(), row.recipe, row.rival))


def pairs(
    session: Session, evaluation_id: int, *, limit: int | None = None, order: Order = "index"
) -> "pd.DataFrame":
    """Return rows of `pair_results` for an evaluation, at most `limit`.

    The hardest pairs are those furthest on the wrong side of the threshold; where the truth is
    unknown, those closest to it.
    """
    row = views.pair_results.c
    query = select(views.pair_results).where(row.evaluation_id == evaluation_id)
    if order == "index":
        return frame(session, query.order_by(row.pair_index).limit(limit))
    if limit is not None and limit <= HARDEST_KEPT and _has_hardest(session, evaluation_id):
        hardest = query.where(row.pair_index.in_(_noted(evaluation_id)))
        ordered = hardest.order_by(row.wrong_by.desc(), row.pair_index)
        return frame(session, ordered.limit(limit))
    # Names are looked up for the few that are chosen, not for all that are compared.
    chosen = _hardest_of_all(evaluation_id, limit).cte("chosen")
    query = query.join(chosen, chosen.c.pair_index == row.pair_index)
    return frame(session, query.order_by(chosen.c.hardness.desc(), row.pair_index))


def _has_hardest(session: Session, evaluation_id: int) -> bool:
    """Whether the hardest pairs of an evaluation are noted: its truth was known as it was made."""
    return session.scalar(_noted(evaluation_id).limit(1)) is not None


def _noted(evaluation_id: int) -> Select[tuple[int]]:
    return select(HardestPair.pair_index).where(HardestPair.evaluation_id == evaluation_id)


def _hardest_of_all(evaluation_id: int, limit: int | None) -> Select[Any]:
    """Select the pairs furthest on the wrong side of the threshold, reading all; see `pairs`."""
    pair = PairPrediction
    beyond = pair.distance - threshold_of(evaluation_id)
    hard = hardness(pair.same_artist, beyond).label("hardness")
    return (
        select(pair.pair_index, hard)
        .where(pair.evaluation_id == evaluation_id)
        .order_by(hard.desc(), pair.pair_index)
        .limit(limit)
    )


def threshold_of(evaluation_id: int) -> ScalarSelect[float]:
    """Select the threshold of an evaluation: its own, else its model's."""
    return (
        select(func.coalesce(Evaluation.threshold, Model.threshold))
        .join(Model, Model.id == Evaluation.model_id)
        .where(Evaluation.id == evaluation_id)
        .scalar_subquery()
    )


def hardness(same_artist: SQLColumnExpression[Any], beyond: ColumnElement[Any]) -> Case[Any]:
    """Say how far a pair lies on the wrong side, `beyond` being its distance past the threshold.

    Where the truth is unknown, the hardest are those closest to the threshold.
    """
    return case(
        (same_artist.is_(True), beyond),
        (same_artist.is_(False), -beyond),
        else_=-func.abs(beyond),
    )


def leaderboard(session: Session) -> "pd.DataFrame":
    """Return the models with their latest test evaluation, best first on each source."""
    row = views.leaderboard.c
    order = (row.source.nulls_last(), row.data_hash, row.rank.nulls_last(), row.model_id)
    return frame(session, select(views.leaderboard).order_by(*order))


def find_run(session: Session, run_id: int | str, flow_name: str | None = None) -> Run:
    """Return a run by its number, or the `last` one, among those of a flow where it is given."""
    if flow_name is None:
        return _find(session, Run, "run", run_id)
    return _find(session, Run, f"run of {flow_name}", run_id, Run.flow_name == flow_name)


def find_stopped_run(session: Session, run_id: int | str, flow_name: str) -> Run:
    """Return a run of a flow to go on with, by its number, or the `last` one."""
    stopped = (Run.flow_name == flow_name, Run.status != "complete")
    return _find(session, Run, f"stopped run of {flow_name}", run_id, *stopped)


def find_evaluation(session: Session, evaluation_id: int | str) -> Evaluation:
    """Return a complete evaluation by its number, or the `last` one."""
    complete = Evaluation.status == "complete"
    return _find(session, Evaluation, "complete evaluation", evaluation_id, complete)


def find_evaluation_with_pairs(session: Session, evaluation_id: int | str) -> Evaluation:
    """Return what `find_evaluation` does. Raises `InputError` where its pairs were pruned."""
    found = find_evaluation(session, evaluation_id)
    if found.pruned_at is not None:
        when = f"{found.pruned_at:%Y-%m-%d}"
        raise InputError(f"the pairs of evaluation {found.id} were pruned on {when}")
    return found


def find_model(session: Session, model_id: int | str | None = None) -> Model:
    """Return a model by its number or the `last` one; by default the champion, else the newest."""
    if model_id is None:
        return champion(session) or _find(session, Model, "model", "last")
    return _find(session, Model, "model", model_id)


def stopped_training(
    session: Session, source: str, settings: dict[str, Any], after: int
) -> int | None:
    """Return the newest training run after a run that was stopped, of these very settings."""
    begun = (Run.flow_name == "train-flow", Run.source == source, Run.id > after)
    query = select(Run).where(*begun, Run.status != "complete").order_by(Run.id.desc())
    return next((run.id for run in session.scalars(query) if run.settings == settings), None)


def run_of_flow_run(session: Session, prefect_flow_run_id: str) -> Run | None:
    """Return the run that a flow run began, to go on with or to end."""
    query = select(Run).where(Run.prefect_flow_run_id == prefect_flow_run_id)
    return session.scalars(query.order_by(Run.id.desc()).limit(1)).first()


def run_taken_over(session: Session, prefect_flow_run_id: str) -> Run | None:
    """Return the run that a flow run worked on before another flow run went on with it."""
    worked_on = select(RunProcess.run_id).where(
        RunProcess.prefect_flow_run_id == prefect_flow_run_id
    )
    taken = Run.prefect_flow_run_id != prefect_flow_run_id
    return session.scalars(select(Run).where(Run.id.in_(worked_on), taken).limit(1)).first()


def running_runs(session: Session) -> list[Run]:
    """Return the runs that have begun and not ended, as far as is known."""
    return list(session.scalars(select(Run).where(Run.status == "running").order_by(Run.id)))


def champion(session: Session) -> Model | None:
    """Return the champion, if there is one."""
    return session.scalar(select(Model).where(Model.is_champion))


def evaluation_before(session: Session, evaluation: Evaluation) -> Evaluation | None:
    """Return the complete evaluation of the same model and split before this one."""
    earlier = Evaluation.id < evaluation.id
    return session.scalars(_evaluations_of(evaluation.model_id, evaluation.split, earlier)).first()


def last_evaluation(
    session: Session, model_id: int, split: str = "test", dataset_id: int | None = None
) -> Evaluation | None:
    """Return the latest complete evaluation of a model, on one dataset where it is given."""
    there = () if dataset_id is None else (Evaluation.dataset_id == dataset_id,)
    return session.scalars(_evaluations_of(model_id, split, *there)).first()


def evaluation_before_run(session: Session, model_id: int, run_id: int) -> Evaluation | None:
    """Return the latest complete test evaluation of a model by another run of the same source."""
    source = select(Run.source).where(Run.id == run_id).scalar_subquery()
    others = select(Run.id).where(Run.source == source, Run.id != run_id)
    return session.scalars(_evaluations_of(model_id, "test", Evaluation.run_id.in_(others))).first()


def evaluation_by_run(
    session: Session, run_id: int, model_id: int, dataset_id: int, split: str
) -> Evaluation | None:
    """Return the complete evaluation that a run has made of a model, to be used again."""
    made = (Evaluation.run_id == run_id, Evaluation.dataset_id == dataset_id)
    return session.scalars(_evaluations_of(model_id, split, *made)).first()


def _evaluations_of(
    model_id: int, split: str | None, *among: ColumnElement[bool]
) -> Select[tuple[Evaluation]]:
    complete = (Evaluation.status == "complete", Evaluation.split == split)
    query = select(Evaluation).where(Evaluation.model_id == model_id, *complete, *among)
    return query.order_by(Evaluation.id.desc()).limit(1)


def unfinished_evaluation(session: Session, run_id: int) -> Evaluation | None:
    """Return the evaluation that a run has begun and not completed."""
    query = select(Evaluation).where(Evaluation.run_id == run_id, Evaluation.status == "writing")
    return session.scalars(query.order_by(Evaluation.id.desc()).limit(1)).first()


def artist_splits_of(session: Session, dataset_id: int | None) -> dict[str, str]:
    """Return the split of every artist of a dataset by name."""
    found = session.execute(
        select(Artist.name, Artist.split).where(Artist.dataset_id == dataset_id)
    )
    return {name: split for name, split in found}


def _find(
    session: Session, kind: type[Row], name: str, wanted: int | str, *among: ColumnElement[bool]
) -> Row:
    """Return the row that is wanted; raise `InputError` with the numbers to choose from."""
    ids = list(session.scalars(select(kind.id).where(*among).order_by(kind.id.desc())))
    if not ids:
        raise InputError(f"the database holds no {name} yet")
    found = ids[0] if wanted == "last" else next((i for i in ids if str(i) == str(wanted)), None)
    if found is None:
        newest = ", ".join(map(str, ids[:SHOWN])) + (", ..." if len(ids) > SHOWN else "")
        raise InputError(f"there is no {name} {wanted}; choose from: {newest}, last")
    return session.get_one(kind, found)


def frame(session: Session, query: Select[Any]) -> "pd.DataFrame":
    """Return the rows of a query as a data frame; counts stay whole where some are missing."""
    import pandas as pd  # most of a second, which two images to compare need not wait

    table = pd.read_sql(query, session.connection())
    counts = (column.key for column in query.selected_columns if isinstance(column.type, Integer))
    floats = [name for name in counts if table[name].dtype.kind == "f"]
    return table.astype(dict.fromkeys(floats, "Int64"))

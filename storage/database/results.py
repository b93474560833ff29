"""Reading the results database: tables as data frames, and rows that users name.

`last` is the newest row. A number that does not exist raises `InputError` with those that do.
"""

from typing import TYPE_CHECKING, Any, Literal, TypeVar

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    ScalarSelect,
    Select,
    case,
    exists,
    func,
    or_,
    select,
)
from sqlalchemy.orm import Session

from storage.database import views
from storage.database.atlas_tables import Atlas
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
    Dataset,
    Epoch,
    Image,
    Model,
    Promotion,
    Run,
    RunProcess,
    SweepDifference,
    SweepTraining,
)
from storage.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

Row = TypeVar("Row", Run, Model, Evaluation, Dataset, Atlas)
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
    """Return the measures of an evaluation: the network's first, those of all pairs first."""
    is_baseline = Measure.contender != NETWORK
    order = (is_baseline, Measure.contender, Measure.scope, Measure.metric)
    columns = Measure.__table__.columns
    of_evaluation = Measure.evaluation_id == evaluation_id
    return frame(session, select(*columns).where(of_evaluation).order_by(*order))


def sweep_trainings(session: Session, run_id: int) -> "pd.DataFrame":
    """Return the trainings of a sweep by recipe, with the figures of their evaluations."""
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
    """Return by how much the recipes of a sweep differ, by metric, the greatest gain first."""
    row = SweepDifference
    query = select(*row.__table__.columns).where(row.run_id == run_id)
    return frame(session, query.order_by(row.metric, row.value.desc(), row.recipe, row.rival))


def pairs(
    session: Session, evaluation_id: int, *, limit: int | None = None, order: Order = "index"
) -> "pd.DataFrame":
    """Return rows of `pair_results` for an evaluation, at most `limit`.

    The hardest are the mistakes of both kinds in turn, each kind from its greatest on, as one kind
    can be wrong by more than the other. Then come the pairs that are closest to being mistakes.
    """
    row = views.pair_results.c
    query = select(views.pair_results).where(row.evaluation_id == evaluation_id)
    if order == "index":
        return frame(session, query.order_by(row.pair_index).limit(limit))
    noted = select(HardestPair.pair_index).where(HardestPair.evaluation_id == evaluation_id)
    among = PairPrediction.evaluation_id == evaluation_id
    if limit is not None and limit <= HARDEST_KEPT and session.scalar(noted.limit(1)) is not None:
        among &= PairPrediction.pair_index.in_(noted)
    # Names are looked up for the few that are chosen, not for all that are compared.
    chosen = _hardest(evaluation_id, among, limit).cte("chosen")
    query = query.join(chosen, chosen.c.pair_index == row.pair_index)
    return frame(session, query.order_by(*_in_turn(chosen)))


def _hardest(
    evaluation_id: int, among: ColumnElement[bool], limit: int | None
) -> Select[*tuple[Any, ...]]:
    """Select the hardest of some pairs of an evaluation, see `pairs`."""
    pair = PairPrediction
    beyond = pair.distance - threshold_of(evaluation_id)
    hardness = case(
        (pair.same_artist.is_(True), beyond),
        (pair.same_artist.is_(False), -beyond),
        else_=-func.abs(beyond),
    )
    is_mistake = case(
        (pair.same_artist.is_(True), beyond > 0),
        (pair.same_artist.is_(False), beyond <= 0),
        else_=False,
    )
    rank = func.row_number().over(
        partition_by=[is_mistake, pair.same_artist], order_by=[hardness.desc(), pair.pair_index]
    )
    judged = select(
        pair.pair_index, hardness.label("hardness"), is_mistake.label("is_mistake"),
        rank.label("rank"),
    ).where(among).subquery()  # fmt: skip
    return select(judged).order_by(*_in_turn(judged)).limit(limit)


def _in_turn(judged: FromClause) -> tuple[ColumnElement[Any], ...]:
    turn = case((judged.c.is_mistake, judged.c.rank), else_=0)
    return judged.c.is_mistake.desc(), turn, judged.c.hardness.desc(), judged.c.pair_index


def threshold_of(evaluation_id: int) -> ScalarSelect[float]:
    """Select the threshold of an evaluation, by default its model's."""
    return (
        select(func.coalesce(Evaluation.threshold, Model.threshold))
        .join(Model, Model.id == Evaluation.model_id)
        .where(Evaluation.id == evaluation_id)
        .scalar_subquery()
    )


def leaderboard(session: Session) -> "pd.DataFrame":
    """Return the models with their latest test evaluation, best first on each source."""
    row = views.leaderboard.c
    order = (row.source.nulls_last(), row.data_hash, row.rank.nulls_last(), row.model_id)
    return frame(session, select(views.leaderboard).order_by(*order))


def find_run(session: Session, run_id: int | str, flow_name: str | None = None) -> Run:
    """Return a run, or a run of a flow, by its number or the `last` one."""
    if flow_name is None:
        return _find(session, Run, "run", run_id)
    return _find(session, Run, f"run of {flow_name}", run_id, Run.flow_name == flow_name)


def find_training(session: Session, run_id: int | str) -> Run:
    """Return a training run by its number, or the `last` one that has finished an epoch."""
    has_epochs = (exists().where(Epoch.run_id == Run.id),) if run_id == "last" else ()
    return _find(
        session, Run, "run of train-flow", run_id, Run.flow_name == "train-flow", *has_epochs
    )


def find_stopped_run(session: Session, run_id: int | str, flow_name: str) -> Run:
    """Return a run of a flow to continue, by its number, or the `last` one.

    The last is one that got somewhere: not one that failed before it had a dataset.
    """
    among = [Run.flow_name == flow_name, Run.status != "complete"]
    if run_id == "last":
        work = [exists().where(of == Run.id) for of in (Evaluation.run_id, SweepTraining.run_id)]
        among.append(or_(Run.status != "failed", Run.dataset_id.is_not(None), *work))
    return _find(session, Run, f"stopped run of {flow_name}", run_id, *among)


def find_evaluation(session: Session, evaluation_id: int | str) -> Evaluation:
    """Return a complete evaluation by its number, or the `last` one."""
    complete = Evaluation.status == "complete"
    return _find(session, Evaluation, "complete evaluation", evaluation_id, complete)


def find_evaluation_with_pairs(session: Session, evaluation_id: int | str) -> Evaluation:
    """Return a complete evaluation. Raises `InputError` if its pairs were pruned."""
    found = find_evaluation(session, evaluation_id)
    if found.pruned_at is not None:
        when = f"{found.pruned_at:%Y-%m-%d}"
        raise InputError(f"the pairs of evaluation {found.id} were pruned on {when}")
    return found


def find_dataset(session: Session, dataset_id: int | str) -> Dataset:
    """Return a dataset by its number, or the `last` one."""
    return _find(session, Dataset, "dataset", dataset_id)


def find_atlas(session: Session, atlas_id: int | str) -> Atlas:
    """Return an atlas by its number, or the newest for `last`."""
    return _find(session, Atlas, "atlas", atlas_id)


def find_model(
    session: Session, model_id: int | str | None = None, source: str | None = None
) -> Model:
    """Return a model by its number, the `last` one, the `champion`, or that of a purpose.

    By default that is the champion, first of all that of a `source`, or the newest model if there
    is none.
    """
    if model_id in (None, "champion"):
        if found := (source and champion(session, source)) or champion(session):
            return found
        if model_id is not None:
            raise InputError("there is no champion yet; name a model by its number, or last")
        model_id = "last"
    if model_id and (found := champion(session, str(model_id))):
        return found
    return _find(session, Model, "model", model_id)


def stopped_training(
    session: Session, source: str, settings: dict[str, Any], after: int
) -> int | None:
    """Return the newest stopped training run with these settings after a run."""
    begun = (Run.flow_name == "train-flow", Run.source == source, Run.id > after)
    query = select(Run).where(*begun, Run.status != "complete").order_by(Run.id.desc())
    return next((run.id for run in session.scalars(query) if run.settings == settings), None)


def run_of_flow_run(session: Session, prefect_flow_run_id: str) -> Run | None:
    """Return the run that a flow run began or continued."""
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
    """Return the runs that have begun and are not known to have ended."""
    return list(session.scalars(select(Run).where(Run.status == "running").order_by(Run.id)))


def champion(session: Session, purpose: str | None = None) -> Model | None:
    """Return the champion of a purpose, or of any that which was tested on most images; if any."""
    most = (
        select(func.max(Evaluation.n_images))
        .where(Evaluation.model_id == Model.id, Evaluation.split == "test")
        .scalar_subquery()
    )
    query = select(Model).where(Model.is_champion)
    if purpose is not None:
        query = query.where(Model.purpose == purpose)
    first = query.order_by(func.coalesce(most, 0).desc(), Model.id.desc()).limit(1)
    return session.scalar(first)


def promotions(session: Session) -> "pd.DataFrame":
    """Return how models became champions, newest first."""
    return frame(session, select(*Promotion.__table__.columns).order_by(Promotion.id.desc()))


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


def has_same_files(session: Session, one: Evaluation, other: Evaluation) -> bool:
    """Return whether two evaluations are of the same files, wherever these lie."""
    hashes = [session.get_one(Dataset, each.dataset_id).content_hash for each in (one, other)]
    return hashes[0] == hashes[1]


def evaluation_before_run(session: Session, model_id: int, run_id: int) -> Evaluation | None:
    """Return the latest complete test evaluation of a model by another run of the same source."""
    source = select(Run.source).where(Run.id == run_id).scalar_subquery()
    others = select(Run.id).where(Run.source == source, Run.id != run_id)
    return session.scalars(_evaluations_of(model_id, "test", Evaluation.run_id.in_(others))).first()


def evaluation_by_run(
    session: Session, run_id: int, model_id: int, dataset_id: int, split: str
) -> Evaluation | None:
    """Return the complete evaluation of a model on a dataset's split by a run."""
    made = (Evaluation.run_id == run_id, Evaluation.dataset_id == dataset_id)
    return session.scalars(_evaluations_of(model_id, split, *made)).first()


def _evaluations_of(
    model_id: int, split: str | None, *among: ColumnElement[bool]
) -> Select[Evaluation]:
    complete = (Evaluation.status == "complete", Evaluation.split == split)
    query = select(Evaluation).where(Evaluation.model_id == model_id, *complete, *among)
    return query.order_by(Evaluation.id.desc()).limit(1)


def unfinished_evaluation(session: Session, run_id: int) -> Evaluation | None:
    """Return the evaluation that a run has begun but not completed."""
    query = select(Evaluation).where(Evaluation.run_id == run_id, Evaluation.status == "writing")
    return session.scalars(query.order_by(Evaluation.id.desc()).limit(1)).first()


def artist_splits_of(session: Session, dataset_id: int | None) -> dict[str, str]:
    """Return the split of every artist of a dataset by name."""
    found = session.execute(
        select(Artist.name, Artist.split).where(Artist.dataset_id == dataset_id)
    )
    return {name: split for name, split in found}


def images_learnt_by(session: Session, model_id: int) -> dict[str, str]:
    """Return the split of each image that a model was trained or validated on, by SHA-256."""
    trained = select(Run.dataset_id).join(Model, Model.run_id == Run.id).where(Model.id == model_id)
    query = select(Image.sha256, Image.split).where(
        Image.dataset_id == trained.scalar_subquery(), Image.split.in_(("train", "validation"))
    )
    return {digest: split for digest, split in session.execute(query) if digest}


def _find(
    session: Session, kind: type[Row], name: str, wanted: int | str, *among: ColumnElement[bool]
) -> Row:
    """Return the wanted row, or raise `InputError` with the numbers to choose from."""
    ids = list(session.scalars(select(kind.id).where(*among).order_by(kind.id.desc())))
    if not ids:
        raise InputError(f"the database holds no {name} yet")
    found = ids[0] if wanted == "last" else next((i for i in ids if str(i) == str(wanted)), None)
    if found is None:
        newest = ", ".join(map(str, ids[:SHOWN])) + (", ..." if len(ids) > SHOWN else "")
        raise InputError(f"there is no {name} {wanted}; choose from: {newest}, last")
    return session.get_one(kind, found)


def frame(session: Session, query: Select[*tuple[Any, ...]]) -> "pd.DataFrame":
    """Return the rows of a query as a data frame; counts stay integers if some are missing."""
    import pandas as pd  # takes long, and comparing two images needs none

    table = pd.read_sql(query, session.connection())
    counts = (column.key for column in query.selected_columns if isinstance(column.type, Integer))
    floats = [name for name in counts if table[name].dtype.kind == "f"]
    return table.astype(dict.fromkeys(floats, "Int64"))

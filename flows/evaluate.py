"""evaluate-flow: a stored model once more on a test set, beside its last evaluation."""

from dataclasses import replace
from typing import Annotated, Literal

from prefect import flow
from pydantic import Field

from flows.environment import workspace
from flows.features import features_of
from flows.judge import Judged, build_untrained, draw_for_test, judge_on_test
from flows.prepare import Prepared, prepare
from flows.runs import (
    StartedRun,
    mark_cancelled,
    mark_crashed,
    mark_failed,
    model_to_use,
    run_of_model,
)
from flows.settings import Overrides
from tasks.champion import find_champion
from tasks.records import KeptModel
from tasks.regression import (
    PastEvaluation,
    RegressionError,
    find_last_evaluation,
    measure_change,
    report_regression,
)


@flow(
    name="evaluate-flow",
    flow_run_name="evaluate {source} (model {model})",
    on_failure=[mark_failed],
    on_crashed=[mark_crashed],
    on_cancellation=[mark_cancelled],
)
def evaluate_flow(
    source: str = "as trained",
    model: int | Literal["champion"] = "champion",
    settings: Overrides | None = None,
    tolerance: Annotated[float, Field(ge=0, le=1)] = 0.02,
    on_regression: Literal["warn", "fail"] = "warn",
) -> Judged:
    """Evaluate a stored model on the artists of a source that it was not trained on.

    Where the paintings have changed since its last evaluation, the model is judged on them as
    they were then, too: so a worse figure can be told from harder paintings.

    Args:
        source: where the paintings are; as trained: the model's own source, as it is now.
        model: the number of a model, or champion.
        settings: single settings that differ from those the model was trained with.
        tolerance: how much the ROC AUC may fall against the last evaluation.
        on_regression: what to do where it fell by more; either way an event
            samehand.evaluation.regressed is emitted.
    """
    space = workspace()
    kept = model_to_use(None if model == "champion" else model, space)
    paintings = kept.source if source == "as trained" else source
    with run_of_model("evaluate-flow", paintings, kept, settings or {}) as started:
        last = find_last_evaluation(kept, started.run, space)
        prepared = prepare(started, needed=["test"], known=kept.known_artists)
        ids = []
        if last is not None and last.dataset_id != prepared.dataset_id:
            ids.append(judge_as_they_were(started, prepared, kept, last).evaluation_id)
        judged = judge(started, prepared, kept)
        if last is not None:
            changes = [measure_change(last, id, space) for id in (*ids, judged.evaluation_id)]
            worse = [change for change in changes if change.fall > tolerance]
            report_regression(kept, last, worse)
            if worse and on_regression == "fail":
                raise RegressionError(f"model {kept.id} got worse: {worse[0]}")
        return judged


def judge(started: StartedRun, prepared: Prepared, model: KeptModel) -> Judged:
    """Judge a stored model on the test split, beside the baselines."""
    test = draw_for_test(started, prepared)
    untrained = build_untrained(started, model.checkpoint)
    champion = find_champion(started.space)
    features = features_of(prepared.dataset, model.checkpoint, started.settings, started.space)
    return judge_on_test(started, prepared, model, untrained, test, champion, features)


def judge_as_they_were(
    started: StartedRun, prepared: Prepared, model: KeptModel, last: PastEvaluation
) -> Judged:
    """Judge a stored model on the version of the paintings of its last evaluation."""
    earlier = replace(prepared, dataset=last.dataset, dataset_id=last.dataset_id)
    run = replace(started.run, folder=started.run.folder.inner("as-they-were"))
    return judge(replace(started, run=run), earlier, model)

"""evaluate-flow: a stored model once more on a test set, beside its last evaluation."""

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field

from flows.features import features_of
from flows.judge import Judged, draw_test_triplets, judge_on_test
from flows.prepare import Prepared, prepare_for
from flows.runs import NewRun, find_model_to_use, open_run, recorded_flow
from flows.settings import EvaluationOverrides, resolve_for_evaluation
from tasks.champion import find_champion
from tasks.models import StoredModel
from tasks.regression import (
    PastEvaluation,
    RegressionError,
    find_last_evaluation,
    measure_change,
    report_regression,
)
from tasks.report import publish_report, write_report
from tasks.support.run import OpenRun
from tasks.training import build_untrained_network


@recorded_flow("evaluate {source} (model {model})")
def evaluate_flow(
    source: str = "as trained",
    model: int | Literal["champion"] = "champion",
    settings: EvaluationOverrides | None = None,
    tolerance: Annotated[float, Field(ge=0, le=1)] = 0.02,
    on_regression: Literal["warn", "fail"] = "warn",
) -> Judged:
    """Evaluate a stored model on the artists of a source that it was not trained on.

    If the paintings have changed since its last evaluation, the model is also judged on them as
    they were then: so a worse figure can be told from harder paintings.

    Args:
        source: where the paintings are; as trained: the model's own source, as it is now.
        model: the number of a model, or champion.
        settings: single settings that differ from those the model was trained with.
        tolerance: how much the ROC AUC may fall against the last evaluation.
        on_regression: what to do if it fell by more; either way an event
            samehand.evaluation.regressed is emitted.
    """
    used = find_model_to_use(None if model == "champion" else model, source=source)
    paintings = used.source if source == "as trained" else source
    chosen = resolve_for_evaluation(used.settings, settings or {})
    with open_run(NewRun(paintings, used.preset, chosen, used.id)) as run:
        last = find_last_evaluation(run, used)
        prepared = prepare_for(run, used, needed=["test"])
        judged = []
        if last is not None and last.dataset_id != prepared.dataset_id:
            judged.append(judge_as_they_were(run, prepared, used, last))
        judged.append(judge(run, prepared, used))
        if last is not None:
            changes = [measure_change(run, last, one.evaluation_id) for one in judged]
            worse = [change for change in changes if change.fall > tolerance]
            report_regression(used, last, worse)
            if worse and on_regression == "fail":
                raise RegressionError(f"model {used.id} got worse: {worse[0]}")
        return judged[-1]


def judge(run: OpenRun, prepared: Prepared, model: StoredModel) -> Judged:
    """Judge a stored model on the test split beside the baselines, and report it."""
    triplets = draw_test_triplets(run, prepared)
    untrained = build_untrained_network(run, model.checkpoint)
    features = features_of(prepared.dataset, model.checkpoint, run.settings, run.space)
    test = judge_on_test(run, prepared, model, untrained, triplets, features)
    champion = find_champion(run.space, model.purpose)
    report = write_report(
        run, test.evaluation_id, champion, test.pictures, test.evidence, prepared.dataset
    )
    publish_report(run, report)
    return Judged(run.id, model.id, test.evaluation_id, report, run.folder.report)


def judge_as_they_were(
    run: OpenRun, prepared: Prepared, model: StoredModel, last: PastEvaluation
) -> Judged:
    """Judge a stored model on the version of the paintings of its last evaluation."""
    earlier = replace(prepared, dataset=last.dataset, dataset_id=last.dataset_id)
    return judge(replace(run, folder=run.folder.inner("as-they-were")), earlier, model)

"""evaluate-flow: a stored model once more on a test set, beside its last evaluation."""

from prefect import flow

from flows.environment import workspace
from flows.judge import Judged, build_untrained, draw_for_test, judge_on_test
from flows.prepare import prepare
from flows.runs import mark_cancelled, mark_crashed, mark_failed, run_of_model
from flows.settings import Overrides
from tasks.records import compare_with_last, find_kept_model


@flow(
    name="evaluate-flow",
    flow_run_name="evaluate model {model}",
    on_failure=[mark_failed],
    on_crashed=[mark_crashed],
    on_cancellation=[mark_cancelled],
)
def evaluate_flow(
    source: str | None = None, model: int | None = None, settings: Overrides | None = None
) -> Judged:
    """Evaluate a stored model on the artists of a source that it was not trained on.

    Args:
        source: where the paintings are; the model's own source, as it is now, if left out.
        model: the number of a model; the champion if left out.
        settings: single settings that differ from those the model was trained with.
    """
    kept = find_kept_model(model, workspace())
    with run_of_model("evaluate-flow", source or kept.source, kept, settings or {}) as started:
        prepared = prepare(started, needed=["test"], known=kept.known_artists)
        test = draw_for_test(started, prepared)
        judged = judge_on_test(started, prepared, kept, build_untrained(started), test)
        compare_with_last(judged.evaluation_id, started.space)
        return judged

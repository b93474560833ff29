"""The report on an evaluation against the database."""

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from storage.database.evaluation_tables import Baseline, Evaluation, Measure
from storage.database.records import (
    complete_evaluation,
    record_baseline,
    record_epoch,
    record_measures,
    record_model,
    start_evaluation,
    start_run,
)
from storage.database.tables import Epoch
from storage.reports.findings import report_on
from storage.reports.report import MEASURES, Contender, Figure, Picture, render_report
from tests.storage.conftest import new_model, new_run

PICTURES = [Picture("roc.png", "ROC")]
ACCURACY = ("triplet_accuracy", "all")


@pytest.fixture
def judged(session: Session, evaluation_id: int, run_id: int) -> int:
    """A complete evaluation with two baselines and two epochs, the later one recorded first."""
    measured = {
        "triplet_accuracy": 0.81, "triplet_accuracy_low": 0.8, "triplet_accuracy_high": 0.82,
        "roc_auc": 0.9, "roc_auc_low": 0.88, "roc_auc_high": 0.91,
    }  # fmt: skip
    others = {
        "eer": 0.2, "balanced_accuracy": 0.79, "recall_at_1": 0.4, "map_at_r": 0.25,
        "triplet_loss": 1.5, "threshold": 2.25, "n_images": 40, "n_pairs": 780, "n_triplets": 6000,
    }  # fmt: skip
    complete_evaluation(session, evaluation_id, Evaluation(**measured, **others))
    for name, accuracy in (("untrained network", 0.55), ("colour", 0.605)):
        figures = measured | {"triplet_accuracy": accuracy}
        record_baseline(session, Baseline(evaluation_id=evaluation_id, name=name, **figures))
    for epoch in (2, 1):
        record_epoch(session, Epoch(run_id=run_id, epoch=epoch, train_loss=3.0 - epoch))
    return evaluation_id


def test_the_network_is_compared_with_the_better_baseline(
    session: Session, run_id: int, judged: int
) -> None:
    report = report_on(session, run_id, judged, PICTURES)
    assert report.title == f"Run {run_id}: train-flow on sample"
    assert report.summary == (
        "Given a painting, the network picks the other painting by the same artist over one by "
        "someone else in 81.00 % of 6,000 triplets, by artists it has never seen: "
        "+20.5 points against the better baseline (colour)."
    )
    assert [one.name for one in report.contenders] == [
        "trained network",
        "untrained network",
        "colour",
    ]
    figures = {
        ("triplet_accuracy", "all"): Figure(0.81, 0.8, 0.82),
        ("roc_auc", "all"): Figure(0.9, 0.88, 0.91),
    }
    assert report.contenders[0] == Contender("trained network", figures)
    assert report.pictures == PICTURES


def test_a_source_is_shown_in_the_title_as_it_is(
    session: Session, run_id: int, judged: int
) -> None:
    session.execute(text("UPDATE runs SET source = '/data/*old* _works_'"))
    session.expire_all()
    page = render_report(report_on(session, run_id, judged, []))
    assert rf"# Run {run_id}: train-flow on /data/\*old\* \_works\_" in page.splitlines()


def test_the_former_champion_is_shown_even_if_it_was_beaten(
    session: Session, run_id: int, dataset_id: int, judged: int
) -> None:
    champion = record_model(session, new_model(run_id=run_id, epoch=2))
    earlier = Evaluation(run_id=run_id, model_id=champion, dataset_id=dataset_id, split="test")
    measured = {"triplet_accuracy": 0.7, "triplet_accuracy_low": 0.6, "triplet_accuracy_high": 0.8}
    complete_evaluation(session, start_evaluation(session, earlier), Evaluation(**measured))
    beaten = report_on(session, run_id, judged, [], champion_id=champion).contenders[-1]
    assert (beaten.name, beaten.figures[ACCURACY].value) == (f"champion, model {champion}", 0.7)


def test_a_network_worse_than_a_baseline_is_reported_as_such(
    session: Session, run_id: int, judged: int
) -> None:
    session.execute(text("UPDATE baselines SET triplet_accuracy = 0.83 WHERE name = 'colour'"))
    assert ": -2.0 points against" in report_on(session, run_id, judged, []).summary


def test_facts_come_from_the_database(
    session: Session, run_id: int, model_id: int, dataset_id: int, judged: int
) -> None:
    facts = {fact.name: fact.value for fact in report_on(session, run_id, judged, []).facts}
    assert facts == {
        "equal error rate": "20.00 %",
        "balanced accuracy": "79.00 %",
        "threshold, from validation pairs": "2.2500",
        "verdicts, from validation pairs": "same up to 1.5000, different beyond 2.5000, cannot tell"
        " between them",
        "probabilities assume": "even odds: half of all pairs by one artist",
        "recall@1": "40.00 %",
        "MAP@R": "25.00 %",
        "triplet loss": "1.5000",
        "test split": "40 images, 780 pairs, 6000 triplets",
        "model": f"{model_id}, epoch 1 of run {run_id}, epoch-01.pt",
        "purpose": "",
        "champion": "another model",
        "dataset": f"{dataset_id}, content c0ffee",
        "preset and seed": f"demo, {2**40}",
        "device": "cpu",
        "version": "0.1.0",
    }


def test_matched_negatives_are_counted_if_there_are_any(
    session: Session, run_id: int, judged: int
) -> None:
    matched = "matched_on = 'style', matched_n_triplets = 60, matched_triplet_accuracy = 0.7"
    session.execute(text(f"UPDATE evaluations SET {matched}"))
    session.expire_all()
    report = report_on(session, run_id, judged, [])
    facts = {fact.name: fact.value for fact in report.facts}
    assert facts["negatives of the same style"] == "60 of 6000 triplets"
    assert list(facts).index("negatives of the same style") == list(facts).index("test split") + 1
    assert report.matched_on == "style"
    assert report.contenders[0].figures["triplet_accuracy", "matched"] == Figure(0.7)


def test_measures_are_reported_for_all_and_for_matched_images(
    session: Session, run_id: int, judged: int
) -> None:
    for contender, shift in (("network", 0), ("colour", -0.25)):
        row = {"evaluation_id": judged, "contender": contender}
        for number, metric in enumerate(("triplet_accuracy", "roc_auc", "map_at_r", "cllr")):
            value = 0.5 + number / 8 + shift
            bounds = {"low": value - 0.125, "high": value + 0.125}
            measures = [Measure(**row, metric=metric, scope="matched", value=value, **bounds)]
            if metric == "map_at_r":
                measures += [Measure(**row, metric=metric, scope="all", value=0.25)]
            record_measures(session, measures)
    report = report_on(session, run_id, judged, [])
    network, untrained, colour = (one.figures for one in report.contenders)
    assert network["triplet_accuracy", "matched"] == Figure(0.5, 0.375, 0.625)
    assert network["roc_auc", "matched"] == Figure(0.625, 0.5, 0.75)
    assert set(untrained) == {ACCURACY, ("roc_auc", "all")}
    assert colour["roc_auc", "matched"] == Figure(0.375, 0.25, 0.5)
    assert network["map_at_r", "all"] == Figure(0.25)
    assert network["map_at_r", "matched"] == Figure(0.75, 0.625, 0.875)
    # Cllr over all images is missing here, so there is nothing to compare its matched value with.
    assert MEASURES["cllr"] not in render_report(report)


def test_an_older_evaluation_is_reported_without_measures(
    session: Session, run_id: int, judged: int
) -> None:
    report = report_on(session, run_id, judged, [])
    assert set(report.contenders[0].figures) == {ACCURACY, ("roc_auc", "all")}
    assert "More about the network" not in render_report(report)


def test_epochs_come_from_the_run_that_trained_the_model(
    session: Session, run_id: int, dataset_id: int, judged: int
) -> None:
    later = new_run(flow_name="evaluate-flow", source="other", dataset_id=dataset_id)
    report = report_on(session, start_run(session, later), judged, [])
    assert report.title.endswith("evaluate-flow on other")
    assert report.epochs["epoch"].tolist() == [1, 2]
    assert report.epochs["train_loss"].tolist() == [2.0, 1.0]
    assert set(report.epochs["run_id"]) == {run_id}


def test_a_missing_metric_does_not_stop_the_report(
    session: Session, run_id: int, judged: int
) -> None:
    session.execute(text("UPDATE evaluations SET recall_at_1 = NULL"))
    session.expire_all()
    assert "| recall@1 | nan % |" in render_report(report_on(session, run_id, judged, PICTURES))

"""What is written through the code is found by plain SQL, once, whole, or not at all."""

import json
from datetime import UTC, datetime
from pathlib import Path
from socket import gethostname
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from storage.database.base import Scope
from storage.database.datasets import artist_splits, image_ids, record_dataset
from storage.database.evaluation_tables import Baseline, Evaluation, Measure
from storage.database.pair_rows import PairColumns
from storage.database.records import (
    attach_dataset,
    complete_evaluation,
    fail_evaluation,
    finish_run,
    promote,
    record_baseline,
    record_epoch,
    record_measures,
    record_model,
    record_process,
    record_sweep_differences,
    record_sweep_training,
    reopen_run,
    start_evaluation,
    start_run,
)
from storage.database.tables import Epoch, RunProcess, SweepDifference, SweepTraining
from storage.errors import InputError
from storage.sources.table import read_table
from tests.storage.conftest import new_model, new_run, rows, write_pairs

NOTHING = pd.DataFrame({"image_name": [], "reason": []})


def test_a_dataset_is_stored_with_artists_images_and_rejected_images(
    session: Session, dataset_id: int
) -> None:
    assert rows(session, "SELECT name, split FROM artists ORDER BY name") == [
        ("Hals", "test"),
        ("Vermeer", "test"),
    ]
    images = "SELECT filename, name, images.split, title, date, genre, sha256 FROM images "
    images += "LEFT JOIN artists ON artists.id = artist_id ORDER BY filename"
    assert rows(session, images) == [
        ("found.jpg", None, "excluded", None, None, None, "d4"),
        ("lace.jpg", "Vermeer", "test", "The Lacemaker", "1670", None, "a1"),
        ("lute.jpg", "Hals", "test", "The Lute Player", "1624", None, "c3"),
        ("milk.jpg", "Vermeer", "test", None, None, None, "b2"),
    ]
    assert rows(session, "SELECT dataset_id, filename, reason FROM rejected_images") == [
        (dataset_id, "torn.jpg", "cannot be decoded")
    ]


def test_columns_of_a_catalogs_own_are_stored_as_json(session: Session, tmp_path: Path) -> None:
    lines = [
        'artist_name,image_name,split,title,museum,"say ""so"", {x}"',
        "Hals,lute.jpg,test,The Lute Player,Prado,<b>1</b>",
        "Hals,nurse.jpg,test,,Été,",
        "Hals,torn.jpg,test,,,",
    ]
    (tmp_path / "catalog.csv").write_text("\n".join(lines), encoding="utf-8")
    images = read_table(tmp_path / "catalog.csv").images.assign(sha256="a1", crop="0")
    record_dataset(
        session,
        source="table",
        content_hash="1",
        images=images.mask(images == ""),
        rejected=NOTHING,
    )
    stored = rows(session, "SELECT CAST(extra AS TEXT) FROM images ORDER BY filename")
    assert [value and json.loads(value) for (value,) in stored] == [
        {"museum": "Prado", 'say "so", {x}': "<b>1</b>"},
        {"museum": "Été"},
        None,
    ]
    museums = rows(session, "SELECT extra ->> 'museum' FROM images ORDER BY filename")
    assert museums == [("Prado",), ("Été",), (None,)]


def test_a_dataset_recorded_again_is_the_same_one_made_complete(
    session: Session, dataset_id: int, gallery: pd.DataFrame
) -> None:
    rejected = pd.DataFrame({"image_name": ["torn.jpg", "wet.jpg"], "reason": ["torn", "wet"]})
    for catalog_path in ("datasets/1", None):
        again = record_dataset(
            session,
            source="gallery",
            content_hash="c0ffee",
            catalog_path=catalog_path,
            images=gallery,
            rejected=rejected,
        )
        assert again == dataset_id
    assert rows(session, "SELECT catalog_path FROM datasets") == [("datasets/1",)]
    assert rows(session, "SELECT count(*) FROM images") == [(4,)]
    assert rows(session, "SELECT reason FROM rejected_images ORDER BY id") == [
        ("cannot be decoded",),
        ("wet",),
    ]


def test_a_source_cropped_otherwise_is_another_dataset_and_leaves_the_first_as_it_was(
    session: Session, gallery: pd.DataFrame
) -> None:
    nothing = pd.DataFrame({"image_name": [], "reason": []})
    cropped = [("5eed", "datasets/1"), ("feed", "datasets/2")]
    ids = [
        record_dataset(
            session,
            source="gallery",
            content_hash="c0ffee",
            crops_hash=crops_hash,
            catalog_path=catalog_path,
            images=gallery,
            rejected=nothing,
        )
        for crops_hash, catalog_path in [*cropped, cropped[0]]
    ]
    assert ids[0] == ids[2] != ids[1]
    assert rows(session, "SELECT crops_hash, catalog_path FROM datasets ORDER BY id") == cropped
    counts = "SELECT count(*) FROM images GROUP BY dataset_id"
    assert rows(session, counts) == [(4,), (4,)]


def test_a_source_with_other_content_is_another_dataset(
    session: Session, dataset_id: int, gallery: pd.DataFrame
) -> None:
    other = record_dataset(
        session, source="gallery", content_hash="changed", images=gallery, rejected=NOTHING
    )
    assert other != dataset_id
    assert image_ids(session, other).keys() == image_ids(session, dataset_id).keys()
    assert not set(image_ids(session, other).values()) & {*image_ids(session, dataset_id).values()}


def test_image_ids_are_those_of_the_rows(session: Session, dataset_id: int) -> None:
    assert image_ids(session, dataset_id) == dict(rows(session, "SELECT filename, id FROM images"))


def test_an_artist_in_two_splits_is_refused_by_name(gallery: pd.DataFrame) -> None:
    gallery.loc[0, "split"] = "train"
    with pytest.raises(InputError, match="'Vermeer' is in two splits"):
        artist_splits(gallery)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["Hals", "Steen", "Vermeer"]),
            st.sampled_from(["train", "validation", "test", "excluded"]),
        )
    )
)
def test_an_artists_split_is_that_of_the_images_used(images: list[tuple[str, str]]) -> None:
    used: dict[str, set[str]] = {artist: set() for artist, _ in images}
    for artist, split in images:
        used[artist] |= {split} - {"excluded"}
    frame = pd.DataFrame(images, columns=["artist_name", "split"], dtype="str")
    if any(len(splits) > 1 for splits in used.values()):
        with pytest.raises(InputError):
            artist_splits(frame)
    else:
        expected = {artist: min(splits, default="excluded") for artist, splits in used.items()}
        assert artist_splits(frame) == expected


def test_a_run_is_stored_with_all_that_repeats_it(session: Session, run_id: int) -> None:
    ((status, preset, settings, seed, versions, directory, finished_at),) = rows(
        session,
        "SELECT status, preset, settings, seed, library_versions, directory, finished_at FROM runs",
    )
    assert (status, preset, seed, directory) == ("running", "demo", 2**40, "runs/1")
    assert _decoded(settings) == {"margin": 5.0, "epochs": 2}
    assert _decoded(versions) == {"torch": "2.11"}
    assert finished_at is None


def _decoded(stored: Any) -> Any:
    """Return a JSON column's value: PostgreSQL's driver decodes it, SQLite's hands out text."""
    return json.loads(stored) if isinstance(stored, str) else stored


def test_a_run_ends_is_reopened_and_ends_again(session: Session, run_id: int) -> None:
    finish_run(session, run_id, "failed", error="disk full\n  while writing")
    ended = "SELECT status, error, prefect_flow_run_id, finished_at IS NULL FROM runs"
    assert rows(session, ended) == [("failed", "disk full while writing", "4f2e", False)]
    reopen_run(session, run_id, "77aa")
    assert rows(session, ended) == [("running", None, "77aa", True)]
    finish_run(session, run_id, "complete")
    assert rows(session, ended) == [("complete", None, "77aa", False)]


def test_every_process_that_worked_on_a_run_is_recorded(session: Session, run_id: int) -> None:
    for device, precision in (("cuda", "bfloat16"), ("cpu", "float32")):
        process = RunProcess(
            run_id=run_id,
            device=device,
            precision=precision,
            code_version="0.1.0",
            library_versions={"torch": "2.11"},
        )
        record_process(session, process)
    columns = "run_id, device, precision, code_version, host"
    assert rows(session, f"SELECT {columns} FROM run_processes ORDER BY id") == [
        (run_id, "cuda", "bfloat16", "0.1.0", gethostname()),
        (run_id, "cpu", "float32", "0.1.0", gethostname()),
    ]
    ((started, ended),) = rows(
        session, "SELECT min(started_at), max(started_at) FROM run_processes"
    )
    assert started < ended


def test_a_run_gets_its_dataset_when_it_is_prepared(session: Session, run_id: int) -> None:
    session.execute(text("UPDATE runs SET dataset_id = NULL"))
    session.expire_all()
    (dataset_id,) = rows(session, "SELECT id FROM datasets")[0]
    attach_dataset(session, run_id, dataset_id)
    assert rows(session, "SELECT dataset_id FROM runs") == [(dataset_id,)]
    with pytest.raises(IntegrityError):
        attach_dataset(session, run_id, 999)


def test_a_run_that_has_trained_keeps_its_dataset(
    session: Session, run_id: int, dataset_id: int
) -> None:
    attach_dataset(session, run_id, dataset_id)
    record_epoch(session, Epoch(run_id=run_id, epoch=1))
    attach_dataset(session, run_id, dataset_id)
    with pytest.raises(InputError, match=f"run {run_id} cannot resume: sample no longer holds"):
        attach_dataset(session, run_id, dataset_id + 1)


def test_an_epoch_recorded_again_replaces_its_row(session: Session, run_id: int) -> None:
    record_epoch(session, Epoch(run_id=run_id, epoch=0, train_loss=9.0, seconds=3.0))
    record_epoch(session, Epoch(run_id=run_id, epoch=1, train_loss=4.0))
    record_epoch(session, Epoch(run_id=run_id, epoch=0, train_loss=5.0, train_accuracy=0.5))
    found = rows(session, "SELECT epoch, train_loss, train_accuracy, seconds FROM epochs")
    assert sorted(found) == [(0, 5.0, 0.5, None), (1, 4.0, None, None)]


def test_an_undefined_figure_is_stored_as_null(session: Session, run_id: int) -> None:
    epoch = Epoch(run_id=run_id, epoch=0, train_loss=float("nan"), test_loss=np.float32(0.5))
    record_epoch(session, epoch)
    assert rows(session, "SELECT train_loss, test_loss FROM epochs") == [(None, 0.5)]


def test_a_model_recorded_again_keeps_its_id_and_its_championship(
    session: Session, run_id: int, model_id: int
) -> None:
    promote(session, model_id)
    again = new_model(
        run_id=run_id, path="elsewhere.pt", sha256="f6", threshold=2.5, validation_roc_auc=0.9
    )
    assert record_model(session, again) == model_id
    stored = "SELECT path, sha256, threshold, validation_roc_auc FROM models WHERE is_champion"
    assert rows(session, stored) == [("elsewhere.pt", "f6", 2.5, 0.9)]


def test_an_evaluation_is_completed_with_its_metrics(session: Session, evaluation_id: int) -> None:
    assert rows(session, "SELECT status, roc_auc FROM evaluations") == [("writing", None)]
    measured = Evaluation(roc_auc=0.8, matched_on="style", n_pairs=6, recall_at_1=float("nan"))
    complete_evaluation(session, evaluation_id, measured)
    columns = "id, status, split, roc_auc, matched_on, n_pairs, recall_at_1"
    assert rows(session, f"SELECT {columns} FROM evaluations") == [
        (evaluation_id, "complete", "test", 0.8, "style", 6, None)
    ]


def test_a_half_written_evaluation_goes_when_its_run_tries_again(
    session: Session, dataset_id: int, run_id: int, model_id: int, evaluation_id: int
) -> None:
    index, image = np.array([0]), np.array([image_ids(session, dataset_id)["lace.jpg"]])
    one = PairColumns(index, image, image, np.array([1.5]), None)
    write_pairs(session, evaluation_id, one)
    complete_evaluation(session, evaluation_id, Evaluation(roc_auc=0.8))
    for _attempt in range(3):
        started = Evaluation(run_id=run_id, model_id=model_id, dataset_id=dataset_id, split="test")
        latest = start_evaluation(session, started)
        write_pairs(session, latest, one)
    found = rows(session, "SELECT id, status FROM evaluations")
    assert sorted(found) == [(evaluation_id, "complete"), (latest, "writing")]
    fail_evaluation(session, latest)
    assert rows(session, f"SELECT status FROM evaluations WHERE id = {latest}") == [("failed",)]
    assert rows(session, "SELECT evaluation_id FROM pair_predictions") == [(evaluation_id,)]


def test_a_baseline_recorded_again_replaces_its_row(session: Session, evaluation_id: int) -> None:
    for name, roc_auc in (("mean colour", 0.5), ("untrained network", 0.6), ("mean colour", 0.55)):
        baseline = Baseline(evaluation_id=evaluation_id, name=name, roc_auc=roc_auc)
        record_baseline(session, baseline)
    assert rows(session, "SELECT name, roc_auc FROM baselines ORDER BY name") == [
        ("mean colour", 0.55),
        ("untrained network", 0.6),
    ]


def test_a_measure_recorded_again_replaces_its_row(session: Session, evaluation_id: int) -> None:
    def measure(contender: str, scope: Scope, value: float, low: float | None) -> Measure:
        row = {"evaluation_id": evaluation_id, "contender": contender, "metric": "cllr"}
        return Measure(**row, scope=scope, value=value, low=low, high=low and value + 1)

    first = [measure("network", "all", 0.5, 0.25), measure("network", "matched", 1.5, 1.25)]
    record_measures(session, first)
    record_measures(session, [measure("network", "matched", np.float64(2.5), None)])
    record_measures(session, [measure("colour", "matched", 3.5, 3.25)])
    columns = "contender, scope, metric, value, low, high"
    assert rows(session, f"SELECT {columns} FROM measures ORDER BY value") == [
        ("network", "all", "cllr", 0.5, 0.25, 1.5),
        ("network", "matched", "cllr", 2.5, None, None),
        ("colour", "matched", "cllr", 3.5, 3.25, 4.5),
    ]


def test_a_sweep_learns_what_it_trained_step_by_step(
    session: Session, run_id: int, evaluation_id: int
) -> None:
    sweep = start_run(session, new_run(flow_name="sweep-flow"))
    key = {"run_id": sweep, "recipe": "best:margin=2", "fold": 1, "seed": 2**40}
    for known in ({}, {"training_run_id": run_id}, {"evaluation_id": evaluation_id}, {}):
        record_sweep_training(session, SweepTraining(**key, **known))
    record_sweep_training(session, SweepTraining(**key | {"fold": 0}))
    assert rows(session, "SELECT * FROM sweeps ORDER BY fold") == [
        (sweep, "best:margin=2", 0, 2**40, None, None),
        (sweep, "best:margin=2", 1, 2**40, run_id, evaluation_id),
    ]


def test_a_sweep_compared_again_replaces_its_rows(session: Session, run_id: int) -> None:
    def difference(rival: str, value: float) -> SweepDifference:
        key = {"run_id": run_id, "recipe": "best", "rival": rival, "metric": "roc_auc"}
        return SweepDifference(**key, value=value, low=value - 0.5, high=value + 0.5)

    record_sweep_differences(session, [difference("plain", 0.5), difference("old", -0.25)])
    record_sweep_differences(session, [difference("plain", 0.75)])
    assert rows(session, "SELECT * FROM sweep_differences ORDER BY value") == [
        (run_id, "best", "old", "roc_auc", -0.25, -0.75, 0.25),
        (run_id, "best", "plain", "roc_auc", 0.75, 0.25, 1.25),
    ]


def test_what_is_not_committed_is_not_there(engine: Engine, gallery: pd.DataFrame) -> None:
    with Session(engine) as session:
        record_dataset(session, source="a", content_hash="b", images=gallery, rejected=NOTHING)
        assert rows(session, "SELECT count(*) FROM images") == [(4,)]
        session.rollback()
        assert rows(session, "SELECT count(*) FROM datasets") == [(0,)]


def test_a_run_is_dated_when_it_starts(session: Session) -> None:
    before = datetime.now(UTC)
    run = new_run(flow_name="prepare-flow")
    start_run(session, run)
    assert before <= run.started_at <= datetime.now(UTC)

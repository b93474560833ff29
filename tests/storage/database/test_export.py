"""Exported pairs are those of `pair_results`; questions of an artist and an image find theirs."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from storage.database.datasets import image_ids
from storage.database.evaluation_tables import Evaluation
from storage.database.export import export_pairs
from storage.database.pair_rows import PairColumns
from storage.database.questions import find_name, hardest_of_artist, pairs_of_image
from storage.database.records import complete_evaluation
from storage.database.results import pairs
from storage.errors import InputError
from tests.storage.conftest import write_pairs


@pytest.fixture
def judged(session: Session, dataset_id: int, evaluation_id: int) -> Session:
    """Three pairs at threshold 2: right by 1, wrong by 0.5, unknown."""
    ids = image_ids(session, dataset_id)
    lace, milk, lute = (ids[name] for name in ("lace.jpg", "milk.jpg", "lute.jpg"))
    known = PairColumns(
        np.array([0, 1]),
        np.array([lace, lute]),
        np.array([milk, lace]),
        np.array([1.0, 1.5]),
        np.array([True, False]),
    )
    one = np.array([2])
    unknown = PairColumns(one, one * 0 + milk, one * 0 + ids["found.jpg"], one * 3.0, None)
    for columns in (known, unknown):
        write_pairs(session, evaluation_id, columns)
    complete_evaluation(session, evaluation_id, Evaluation())
    return session


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_an_export_holds_what_the_view_holds(
    judged: Session, evaluation_id: int, tmp_path: Path, suffix: str
) -> None:
    file = tmp_path / f"pairs{suffix}"
    assert export_pairs(judged, evaluation_id, file) == 3
    found = pd.read_parquet(file) if suffix == ".parquet" else pd.read_csv(file)
    expected = pairs(judged, evaluation_id)
    found = found.sort_values("pair_index").reset_index(drop=True)
    assert [*found.columns] == [each for each in expected.columns if each != "evaluation_id"]
    for name in (
        "pair_index",
        "distance",
        "threshold",
        "log_likelihood_ratio",
        "probability",
        "wrong_by",
    ):
        np.testing.assert_allclose(found[name], expected[name])
    for name in (
        "filename_a",
        "filename_b",
        "artist_a",
        "artist_b",
        "same_artist",
        "correct",
        "verdict",
    ):
        assert found[name].fillna("?").tolist() == expected[name].fillna("?").tolist()


def test_an_export_of_another_form_is_refused(
    judged: Session, evaluation_id: int, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"pairs\.xls: name the file \.parquet or \.csv"):
        export_pairs(judged, evaluation_id, tmp_path / "pairs.xls")
    assert list(tmp_path.glob("*.xls")) == []


def test_the_hardest_pairs_of_an_artist_are_on_either_side(
    judged: Session, evaluation_id: int
) -> None:
    of_vermeer = hardest_of_artist(judged, evaluation_id, "Vermeer", 10)
    assert of_vermeer["pair_index"].tolist() == [1, 0]
    of_hals = hardest_of_artist(judged, evaluation_id, "Hals", 10)
    assert of_hals["pair_index"].tolist() == [1]
    with pytest.raises(InputError, match="no image by 'Steen'"):
        hardest_of_artist(judged, evaluation_id, "Steen", 10)


def test_the_pairs_of_an_image_are_on_either_side(judged: Session, evaluation_id: int) -> None:
    assert pairs_of_image(judged, evaluation_id, "lace.jpg", 10)["pair_index"].tolist() == [0, 1]
    assert pairs_of_image(judged, evaluation_id, "found.jpg", 10)["pair_index"].tolist() == [2]
    with pytest.raises(InputError, match=r"no image 'x\.jpg'"):
        pairs_of_image(judged, evaluation_id, "x.jpg", 10)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("Claude Monet", "Claude Monet"),
        ("claude monet", "Claude Monet"),
        ("MONET", "Claude Monet"),
        ("e\u0301douard", "\u00c9douard Manet"),  # as macOS writes it
        ("a/34", "a/34.jpg"),
        ("34", "a/34.jpg"),  # the whole name without its end goes before a part
        ("134", "a/134.jpg"),
    ],
)
def test_a_name_is_found_by_a_part_that_no_other_has(wanted: str, found: str) -> None:
    names = ["Claude Monet", "\u00c9douard Manet", "Rosa Bonheur", "a/34.jpg", "a/134.jpg"]
    assert find_name(names, wanted, "there is no") == found


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ("an", "'an' is part of 2 names: Anna Ancher, Manet; give more of it"),
        ("Anker", "there is no 'Anker'; did you mean Anna Ancher?"),
        ("xyz", "there is no 'xyz'"),
    ],
)
def test_a_name_that_is_not_found_is_told_with_what_is_like_it(wanted: str, told: str) -> None:
    with pytest.raises(InputError, match=re.escape(told)):
        find_name(["Manet", "Anna Ancher"], wanted, "there is no")


def test_a_formula_in_an_exported_name_is_text(
    judged: Session, evaluation_id: int, tmp_path: Path
) -> None:
    judged.execute(text("UPDATE artists SET name = '=cmd()' WHERE name = 'Vermeer'"))
    export_pairs(judged, evaluation_id, tmp_path / "pairs.csv")
    assert set(pd.read_csv(tmp_path / "pairs.csv")["artist_a"]) == {"'=cmd()", "Hals"}
    export_pairs(judged, evaluation_id, tmp_path / "pairs.parquet")
    assert set(pd.read_parquet(tmp_path / "pairs.parquet")["artist_a"]) == {"=cmd()", "Hals"}


def test_who_is_in_no_pair_is_told_by_the_split(
    session: Session, dataset_id: int, evaluation_id: int
) -> None:
    complete_evaluation(session, evaluation_id, Evaluation())
    with pytest.raises(InputError, match="judged no pair of 'Hals', of the split test"):
        hardest_of_artist(session, evaluation_id, "Hals", 10)
    with pytest.raises(InputError, match=r"no pair of 'found\.jpg', of the split excluded"):
        pairs_of_image(session, evaluation_id, "found.jpg", 10)

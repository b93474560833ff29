"""Exported pairs are those of `pair_results`; questions of an artist and an image find theirs."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sqlalchemy.orm import Session

from storage.database.datasets import image_ids
from storage.database.evaluation_tables import Evaluation
from storage.database.export import export_pairs
from storage.database.pair_rows import PairColumns
from storage.database.questions import hardest_of_artist, pairs_of_image
from storage.database.records import complete_evaluation, write_pairs
from storage.database.results import pairs
from storage.errors import InputError


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
    for name in ("pair_index", "distance", "threshold", "probability", "wrong_by"):
        np.testing.assert_allclose(found[name], expected[name])
    for name in ("filename_a", "filename_b", "artist_a", "artist_b", "same_artist", "correct"):
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


def test_who_is_in_no_pair_is_told_by_the_split(
    session: Session, dataset_id: int, evaluation_id: int
) -> None:
    complete_evaluation(session, evaluation_id, Evaluation())
    with pytest.raises(InputError, match="judged no pair of 'Hals', of the split test"):
        hardest_of_artist(session, evaluation_id, "Hals", 10)
    with pytest.raises(InputError, match=r"no pair of 'found\.jpg', of the split excluded"):
        pairs_of_image(session, evaluation_id, "found.jpg", 10)

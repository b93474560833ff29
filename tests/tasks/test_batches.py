"""Matched negatives where the catalog can give them, and where it cannot."""

from pathlib import Path

import pandas as pd
import pytest
from prefect.logging import disable_run_logger

from storage.datasets.dataset import Dataset
from storage.errors import InputError
from tasks.batches import SplitTriplets, draw_split_triplets
from tests.tasks.conftest import open_run_in, workspace_in


def draw(folder: Path, *, matched_on: str, is_optional: bool) -> SplitTriplets:
    images = pd.DataFrame(
        {
            "image_name": [f"{n}.jpg" for n in range(6)],
            "artist_name": ["Monet", "Monet", "Manet", "Manet", "Degas", "Degas"],
            "file": "a.jpg",
            "split": "test",
            "style": ["sea", "city"] * 3,
            "crop": range(6),
        }
    )
    images.to_csv(folder / "catalog.csv", index=False)
    with disable_run_logger():
        run = open_run_in(workspace_in(folder))
        return draw_split_triplets.fn(run, Dataset(folder), "test", 30, matched_on, is_optional)


def test_what_a_preset_matches_on_is_left_out_where_the_catalog_has_no_such_column(
    tmp_path: Path,
) -> None:
    drawn = draw(tmp_path, matched_on="genre", is_optional=True)
    assert drawn.triplets.is_file()
    assert (drawn.matched, drawn.matched_on) == (None, None)


def test_what_somebody_asked_for_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no column 'genre'"):
        draw(tmp_path, matched_on="genre", is_optional=False)


@pytest.mark.parametrize("is_optional", [True, False])
def test_where_the_column_is_negatives_are_matched_on_it(tmp_path: Path, is_optional: bool) -> None:
    drawn = draw(tmp_path, matched_on="style", is_optional=is_optional)
    assert drawn.matched_on == "style"
    assert drawn.matched is not None
    assert drawn.matched.is_file()

import pandas as pd
import pytest

from storage.catalogs.artist_names import spelling_key, tidy_artist_names


def test_names_are_composed_and_lose_the_blanks_around_them() -> None:
    names = pd.Series(["Paul Ce\u0301zanne", " Fyodor Solntsev", "Paul C\u00e9zanne "], dtype="str")
    assert tidy_artist_names(names[:2]).tolist() == ["Paul C\u00e9zanne", "Fyodor Solntsev"]


def test_the_composed_and_the_decomposed_form_are_one_artist() -> None:
    names = pd.Series(["Ce\u0301zanne", "C\u00e9zanne"], dtype="str")
    assert tidy_artist_names(names).tolist() == ["C\u00e9zanne", "C\u00e9zanne"]


def test_blanks_stay_where_cutting_them_would_make_one_artist_of_two() -> None:
    names = pd.Series(["Evening", "Evening ", "Monet "], dtype="str")
    assert tidy_artist_names(names).tolist() == ["Evening", "Evening ", "Monet"]


@pytest.mark.parametrize(
    "other",
    ["claude monet", "CLAUDE MONET ", "Claude  Monet", "Ｃlaude Monet", "Claude\u00a0Monet"],
)
def test_spellings_of_one_name_share_a_key(other: str) -> None:
    assert spelling_key(other) == spelling_key("Claude Monet")


def test_letters_with_and_without_accents_are_different_names() -> None:
    assert spelling_key("Cézanne") != spelling_key("Cezanne")

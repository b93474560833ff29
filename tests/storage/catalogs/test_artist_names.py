import pandas as pd
import pytest

from storage.catalogs.artist_names import fold_name, is_nobody, tidy_artist_names


def test_names_are_composed_and_stripped() -> None:
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
    [
        *("claude monet", "CLAUDE MONET ", "Claude  Monet", "Ｃlaude Monet", "Claude\u00a0Monet"),
        *("claude-monet", "claude_monet", "Monet, Claude", "MONET,Claude", "Claude.Monet"),
    ],
)
def test_spellings_of_one_name_are_folded_alike(other: str) -> None:
    assert fold_name(other) == fold_name("Claude Monet")


def test_letters_with_and_without_accents_are_different_names() -> None:
    assert fold_name("Cézanne") != fold_name("Cezanne")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("J.M.W. Turner", "J. M. W. Turner"),
        ("Georgia O'Keeffe", "georgia-o-keeffe"),
        ("Gogh, Vincent van", "Vincent van Gogh"),
        ("葛飾 北斎", "葛飾北斎"),
    ],
)
def test_punctuation_and_the_order_of_a_comma_do_not_count(one: str, other: str) -> None:
    assert fold_name(one) == fold_name(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Thomas Henry", "Henry Thomas"),
        ("Pieter Bruegel the Elder", "Pieter Bruegel the Younger"),
        ("Ca$h", "Cah"),
        ("???", "!!!"),
    ],
)
def test_different_artists_stay_different(one: str, other: str) -> None:
    assert fold_name(one) != fold_name(other)


@pytest.mark.parametrize(
    "name",
    [
        *("Unknown", "unknown artist", "Artist Unknown", "ANONYMOUS", "Anonymous, 16th century"),
        *("nan", "N/A", "None", "null", "Various Artists", "Unidentified", "Anonyme", "佚名"),
    ],
)
def test_names_that_mean_unknown_are_recognised(name: str) -> None:
    assert is_nobody(name)


@pytest.mark.parametrize("name", ["Nan Goldin", "Anon Pairot", "Nona", "Master of Frankfurt", "?"])
def test_names_of_artists_do_not_mean_unknown(name: str) -> None:
    assert not is_nobody(name)

from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from storage.catalogs.catalog import build_catalog
from storage.catalogs.split import (
    SplitRules,
    continue_split,
    exclude_small_artists,
    require_splits,
    split_catalog,
)
from storage.catalogs.split_counts import SplitCounts, count_split
from storage.errors import InputError


def catalog_of(artists: list[str], splits: list[str] | None = None) -> pd.DataFrame:
    """Make a catalog of one image per entry of `artists`, in that order."""
    names = [f"{i}.jpg" for i in range(len(artists))]
    images = pd.DataFrame(
        {"image_name": names, "artist_name": artists, "split": splits or "", "file": names},
        index=pd.RangeIndex(2, len(artists) + 2, name="row"),
        dtype="str",
    )
    return build_catalog(Path(), images, Path("paintings.csv")).images


def artists_by_split(images: pd.DataFrame) -> dict[str, set[str]]:
    return {str(s): set(rows["artist_name"]) for s, rows in images.groupby("split")}


ARTISTS = st.lists(st.sampled_from([f"Artist {i}" for i in range(12)]), min_size=25, max_size=60)
PROPERTY = settings(max_examples=40)
RULES = st.builds(
    SplitRules,
    validation_artists=st.sampled_from([0, 2, 3, 0.3]),
    test_artists=st.sampled_from([0, 2, 0.25]),
    images_per_artist=st.sampled_from([0, 2, 5]),
    seed=st.integers(0, 99),
)


def split_or_skip(images: pd.DataFrame, rules: SplitRules) -> pd.DataFrame:
    try:
        return split_catalog(images, rules)
    except InputError:
        assume(False)
        raise


@PROPERTY
@given(artists=ARTISTS, rules=RULES)
def test_no_artist_is_in_two_splits(artists: list[str], rules: SplitRules) -> None:
    images = split_or_skip(catalog_of(artists), rules)
    used = images[images["split"] != "excluded"]
    assert used.groupby("artist_name")["split"].nunique().max() == 1


@PROPERTY
@given(artists=ARTISTS, rules=RULES)
def test_rows_keep_their_order_and_each_artists_first_images_are_used(
    artists: list[str], rules: SplitRules
) -> None:
    catalog = catalog_of(artists)
    images = split_or_skip(catalog, rules)
    pd.testing.assert_frame_equal(images.drop(columns="split"), catalog.drop(columns="split"))
    n_images = Counter(artists)
    seen: Counter[str] = Counter()
    for artist, split in zip(artists, images["split"], strict=True):
        is_within = not rules.images_per_artist or seen[artist] < rules.images_per_artist
        assert (split != "excluded") == (n_images[artist] >= 2 and is_within)
        seen[artist] += 1


@PROPERTY
@given(artists=ARTISTS, rules=RULES, data=st.data())
def test_the_order_of_the_artists_does_not_change_who_is_in_which_split(
    artists: list[str], rules: SplitRules, data: st.DataObject
) -> None:
    images = split_or_skip(catalog_of(artists), rules)
    shuffled = split_catalog(catalog_of(data.draw(st.permutations(artists))), rules)
    kept = artists_by_split(images[images["split"] != "excluded"])
    assert artists_by_split(shuffled[shuffled["split"] != "excluded"]) == kept


@PROPERTY
@given(artists=ARTISTS, rules=RULES)
def test_as_many_artists_are_drawn_as_asked_for(artists: list[str], rules: SplitRules) -> None:
    counts = count_split(split_or_skip(catalog_of(artists), rules))
    kept = sum(n >= 2 for n in Counter(artists).values())
    assert counts.artists_kept == kept
    for drawn, wanted in (
        (counts.validation_artists, rules.validation_artists),
        (counts.test_artists, rules.test_artists),
    ):
        assert drawn == wanted if wanted >= 1 else abs(drawn - wanted * kept) <= 0.5
    assert counts.train_artists == kept - counts.validation_artists - counts.test_artists


@PROPERTY
@given(artists=ARTISTS, rules=RULES)
def test_splitting_a_split_catalog_changes_nothing(artists: list[str], rules: SplitRules) -> None:
    images = split_or_skip(catalog_of(artists), rules)
    pd.testing.assert_frame_equal(split_catalog(images, rules), images)


def test_the_same_seed_gives_the_same_split_and_another_seed_another() -> None:
    catalog = catalog_of([f"Artist {i % 40}" for i in range(80)])
    splits = [split_catalog(catalog, SplitRules(10, 5, seed=seed)) for seed in (3, 3, 4)]
    pd.testing.assert_frame_equal(splits[0], splits[1])
    assert not splits[0].equals(splits[2])


@pytest.mark.parametrize(("wanted", "moved"), [((3, 4), 2), ((0.2, 0.25), 3)])
def test_a_new_artist_moves_few_others(wanted: tuple[float, float], moved: int) -> None:
    def split_of(n_artists: int, seed: int) -> dict[str, str]:
        artists = [f"Artist {i}" for i in range(n_artists)] * 2
        images = split_catalog(catalog_of(artists), SplitRules(*wanted, seed=seed))
        return dict(zip(images["artist_name"], images["split"], strict=True))

    counts = []
    for seed in range(60):
        before, after = split_of(17, seed), split_of(18, seed)
        counts.append(sum(after[name] != split for name, split in before.items()))
    assert max(counts) == moved


def test_asking_for_test_artists_leaves_the_validation_artists_as_they_were() -> None:
    catalog = catalog_of([f"Artist {i % 40}" for i in range(80)])
    without, with_test = (split_catalog(catalog, SplitRules(10, n)) for n in (0, 5))
    validation = artists_by_split(without)["validation"]
    assert artists_by_split(with_test)["validation"] == validation


@pytest.mark.parametrize(("share", "drawn"), [(0.25, 5), (0.12, 2), (0.125, 3), (0.9, 18)])
def test_a_share_is_rounded(share: float, drawn: int) -> None:
    catalog = catalog_of([f"Artist {i % 20}" for i in range(40)])
    assert count_split(split_catalog(catalog, SplitRules(share, 0))).validation_artists == drawn


def test_stated_splits_hold_and_the_rest_is_drawn() -> None:
    artists = [f"Artist {i % 10}" for i in range(20)]
    stated = {"Artist 0": "test", "Artist 1": "test", "Artist 2": "train"}
    splits = [stated.get(artist, "") for artist in artists[:10]] + [""] * 10
    images = split_catalog(catalog_of(artists, splits), SplitRules(3, 5))
    by_split = artists_by_split(images)
    assert by_split["test"] == {"Artist 0", "Artist 1"}
    assert "Artist 2" in by_split["train"]
    assert (len(by_split["validation"]), len(by_split["train"])) == (3, 5)


def test_excluded_images_do_not_count_as_images_of_an_artist() -> None:
    artists = ["A", "A", "B", "B", "C", "C", "C"]
    splits = ["", "", "", "", "excluded", "excluded", ""]
    images = split_catalog(catalog_of(artists, splits), SplitRules(0, 0))
    assert images["split"].tolist() == ["train"] * 4 + ["excluded"] * 3


def test_min_images_sets_who_is_large_enough() -> None:
    images = catalog_of(["A", "A", "B", "B", "B", "C", "C", "C"])
    split = split_catalog(images, SplitRules(0, 0, min_images=3))
    assert split["split"].tolist() == ["excluded"] * 2 + ["train"] * 6


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (SplitRules(3, 0), "only 1 of the 4 .* for train.*lower validation_artists"),
        (SplitRules(100, 2), "only 0 of the 4 .* for t"),
        (SplitRules(1, 0), "only 1 of the 4 .* for validation.*raise validation_artists"),
        (SplitRules(0, 1), "only 1 of the 4 .* for test.*raise test_artists"),
    ],
)
def test_too_few_artists_for_a_split_are_refused(rules: SplitRules, message: str) -> None:
    catalog = catalog_of(["A", "A", "B", "B", "C", "C", "D", "D", "single"])
    with pytest.raises(InputError, match=message):
        split_catalog(catalog, rules)


def test_a_stated_split_of_artists_that_are_too_small_is_refused() -> None:
    catalog = catalog_of(["A", "A", "B", "B", "C", "D"], ["", "", "", "", "test", "test"])
    with pytest.raises(InputError, match=r"only 0 of the 2 .* for test"):
        split_catalog(catalog, SplitRules(0, 0))


@pytest.mark.parametrize("wanted", [-1, 1.5, float("nan"), float("inf")])
def test_impossible_numbers_of_artists_are_refused(wanted: float) -> None:
    with pytest.raises(InputError, match="test_artists"):
        SplitRules(0, wanted)


def test_fewer_images_per_artist_than_an_artist_needs_are_refused() -> None:
    with pytest.raises(InputError, match="images_per_artist is 1"):
        SplitRules(0, 0, images_per_artist=1)


def test_artists_left_with_too_few_usable_images_are_excluded() -> None:
    images = catalog_of(["A", "A", "B", "B", "C", "C"], ["train"] * 5 + ["excluded"])
    assert exclude_small_artists(images, 2)["split"].tolist() == ["train"] * 4 + ["excluded"] * 2


def test_a_catalog_of_excluded_images_alone_is_refused() -> None:
    with pytest.raises(InputError, match=r"only 0 of the 0 .* for train"):
        split_catalog(catalog_of(["A", "A"], ["excluded"] * 2), SplitRules(0, 0))


def test_a_split_left_with_one_artist_is_refused() -> None:
    images = catalog_of(["A", "A", "B", "B", "C", "C", "D"], ["train"] * 4 + ["test"] * 3)
    with pytest.raises(InputError, match=r"left for test .* or more: 1, but 2 are needed"):
        exclude_small_artists(images, 2)


def test_counts_are_those_of_the_splits() -> None:
    artists = ["A", "A", "A", "B", "B", "C", "C", "D", "D", "E"]
    splits = ["train", "train", "excluded", *["train"] * 2, *["test"] * 4, "excluded"]
    assert count_split(catalog_of(artists, splits)) == SplitCounts(
        artists_read=5,
        artists_kept=4,
        train_artists=2,
        validation_artists=0,
        test_artists=2,
        images_read=10,
        images_kept=8,
        train_images=4,
        validation_images=0,
        test_images=4,
    )


# A source for a model that was trained before


def splits_of(images: pd.DataFrame) -> dict[str, str]:
    """What the database keeps of a split: each artist's, where any image is used."""
    used = images[images["split"] != "excluded"]
    excluded = dict.fromkeys(images["artist_name"], "excluded")
    return excluded | dict(zip(used["artist_name"], used["split"], strict=True))


@PROPERTY
@given(artists=ARTISTS, seed=st.integers(0, 99), n_images=st.sampled_from([0, 2, 5]))
def test_an_unchanged_source_is_split_as_before(
    artists: list[str], seed: int, n_images: int
) -> None:
    catalog = catalog_of(artists)
    rules = SplitRules(2, 2, images_per_artist=n_images, seed=seed)
    images = split_or_skip(catalog, rules)
    pd.testing.assert_frame_equal(continue_split(catalog, splits_of(images), rules), images)


KNOWN = {"A": "train", "B": "train", "C": "validation", "D": "validation"}


def test_known_artists_keep_their_split_and_new_ones_are_tested() -> None:
    catalog = catalog_of([*"ABCDEF", *"ABCDEF"])
    images = continue_split(catalog, KNOWN | {"gone": "test"}, SplitRules(2, 2))
    assert splits_of(images) == KNOWN | {"E": "test", "F": "test"}
    assert images["image_name"].tolist() == catalog["image_name"].tolist()


def test_a_known_artist_spelled_otherwise_is_known() -> None:
    known = {"Claude Monet": "train", "monet-claude": "test", "Hals, Frans": "validation"}
    catalog = catalog_of(["claude-monet", "frans hals", "E", "F"] * 2)
    images = continue_split(catalog, known, SplitRules(2, 2))
    expected = {"claude-monet": "train", "frans hals": "validation", "E": "test", "F": "test"}
    assert splits_of(images) == expected


def test_an_artist_trained_under_any_spelling_is_never_tested() -> None:
    catalog = catalog_of(["claude monet", "E", "F"] * 2)
    for known in ({"Monet, Claude": "train", "Claude Monet": "test"},
                  {"Claude Monet": "test", "Monet, Claude": "train"}):  # fmt: skip
        assert (
            splits_of(continue_split(catalog, known, SplitRules(2, 2)))["claude monet"] == "train"
        )


def test_an_artist_excluded_before_is_tested_once_there_are_enough_images() -> None:
    known = KNOWN | {"E": "excluded", "F": "excluded", "G": "test"}
    catalog = catalog_of([*"ABCDABCD", *"EE", "F", *"GG"])
    assert splits_of(continue_split(catalog, known, SplitRules(2, 2))) == known | {"E": "test"}


def test_the_first_images_of_each_artist_are_tested() -> None:
    catalog = catalog_of([*"ABABAB"], ["excluded", *[""] * 5])
    images = continue_split(catalog, {}, SplitRules(2, 2, images_per_artist=2))
    expected = ["excluded", "test", "test", "test", "test", "excluded"]
    assert images["split"].tolist() == expected


def test_a_source_of_unseen_artists_only_is_all_tested() -> None:
    images = continue_split(catalog_of([*"XXYYZZ"]), KNOWN, SplitRules(2, 2))
    assert images["split"].tolist() == ["test"] * 6


def test_a_source_without_unseen_artists_is_refused() -> None:
    with pytest.raises(InputError, match=r"only 1 of the 5 .* for test.*or add artists"):
        continue_split(catalog_of([*"ABCDABCD", *"EE"]), KNOWN, SplitRules(2, 2))


def test_if_no_setting_helps_the_message_asks_for_more_artists() -> None:
    with pytest.raises(InputError, match=r"of the 5 artists .* 2 are needed; add artists$"):
        split_catalog(catalog_of([*"ABCDEABCDE"]), SplitRules(2, 2))


def test_a_needed_split_without_artists_is_named_with_its_setting() -> None:
    images = catalog_of([*"AABB"], ["train"] * 4)
    require_splits(images, ["train"])
    with pytest.raises(InputError, match=r"^validation_artists: no artist is left for validation"):
        require_splits(images, ["train", "validation"])


def test_a_share_of_few_artists_is_two_of_them() -> None:
    divided = split_catalog(
        catalog_of([name for name in "ABCDEF" for _ in range(2)]), SplitRules(0.1, 0.2)
    )
    counts = divided.groupby("split")["artist_name"].nunique().to_dict()
    assert counts == {"validation": 2, "test": 2, "train": 2}


@pytest.mark.parametrize("folds", [2, 3, 4])
def test_folds_divide_the_artists_and_each_is_tested_once(folds: int) -> None:
    names = [f"artist {number}" for number in range(13)]
    catalog = catalog_of([name for name in names for _ in range(2)])
    tested: list[str] = []
    for fold in range(1, folds + 1):
        divided = split_catalog(catalog, SplitRules(2, 0, folds=folds, fold=fold))
        of_split = divided.groupby("split")["artist_name"].unique()
        assert len(of_split["validation"]) == 2
        assert 13 // folds <= len(of_split["test"]) <= 13 // folds + 1
        tested += list(of_split["test"])
    assert sorted(tested) == sorted(names)


@pytest.mark.parametrize("fold", [0, 4])
def test_a_fold_out_of_range_is_refused(fold: int) -> None:
    with pytest.raises(InputError, match=r"^fold is .*; give one of the 3 folds"):
        SplitRules(2, 2, folds=3, fold=fold)


def test_folds_are_refused_if_the_source_names_its_splits() -> None:
    catalog = catalog_of(["A", "A", "B", "B"]).assign(split="train")
    with pytest.raises(InputError, match=r"^folds: the source names its own splits"):
        split_catalog(catalog, SplitRules(2, 2, folds=2))

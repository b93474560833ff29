import csv
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.catalogs.catalog import build_catalog, read_catalog, write_catalog
from storage.errors import InputError

SOURCE = Path("paintings.csv")


def images_of(*rows: tuple[str, str, str]) -> pd.DataFrame:
    """Make the images of a table from artist, image and split; the first is in row 2."""
    images = pd.DataFrame(rows, columns=["artist_name", "image_name", "split"], dtype="str")
    return images.assign(file=images["image_name"]).set_index(
        pd.RangeIndex(2, len(rows) + 2, name="row")
    )


def refusal(*rows: tuple[str, str, str]) -> str:
    with pytest.raises(InputError) as refused:
        build_catalog(Path(), images_of(*rows), SOURCE)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_columns_have_a_fixed_order_and_the_sources_own_come_last() -> None:
    images = images_of(("Monet", "1.jpg", "")).assign(collection="x", date="1870", title="Sea")
    assert list(build_catalog(Path(), images, SOURCE).images) == [
        *("image_name", "artist_name", "split", "file", "title", "date", "collection")
    ]


@pytest.mark.parametrize("blank", ["", "  ", "\t\n"])
def test_blank_names_are_refused(blank: str) -> None:
    artist = refusal(("Monet", "1.jpg", ""), (blank, "2.jpg", ""))
    assert artist == "paintings.csv, row 3: the artist's name is blank"
    image = refusal(("Monet", blank, ""))
    assert image == "paintings.csv, row 2: the image's name is blank"


def test_two_images_of_one_name_are_refused_with_both_rows() -> None:
    message = refusal(("Monet", "1.jpg", ""), ("Manet", "2.jpg", ""), ("Manet", "1.jpg", ""))
    assert "row 4: the image '1.jpg' was already named in row 2" in message


@pytest.mark.parametrize("name", ["../1.jpg", "/1.jpg", "C:\\1.jpg"])
def test_names_that_leave_the_folder_are_refused(name: str) -> None:
    message = refusal(("Monet", "1.jpg", ""), ("Monet", name, ""))
    assert f"row 3: the file name {name!r} cannot be used" in message


def test_a_file_that_leaves_the_folder_is_refused_under_a_plain_image_name() -> None:
    images = images_of(("Monet", "1.jpg", "")).assign(file="../1.jpg")
    with pytest.raises(InputError, match=r"row 2: the file name '\.\./1\.jpg'"):
        build_catalog(Path(), images, SOURCE)


def test_an_unknown_split_is_refused() -> None:
    message = refusal(("Monet", "1.jpg", "train"), ("Manet", "2.jpg", "Test"))
    assert "row 3: the split 'Test' is unknown; write train, validation, test" in message


def test_an_artist_in_two_splits_is_refused_with_both_rows() -> None:
    message = refusal(
        ("Monet", "1.jpg", "train"), ("Monet", "2.jpg", ""), (" Monet ", "3.jpg", "test")
    )
    assert "row 4" in message
    message = refusal(
        ("Monet", "1.jpg", "train"), ("Monet", "2.jpg", ""), ("Monet", "3.jpg", "test")
    )
    assert "row 4: the artist 'Monet' is in test here and in train in row 2" in message


def test_excluded_images_may_stand_beside_any_split() -> None:
    rows = [("Monet", "1.jpg", "excluded"), ("Monet", "2.jpg", "test"), ("Monet", "3.jpg", "")]
    catalog = build_catalog(Path(), images_of(*rows), SOURCE)
    assert catalog.images["split"].tolist() == ["excluded", "test", ""]


@pytest.mark.parametrize(
    "other",
    ["claude monet", "Claude Monet ", "Ｃlaude Monet", "claude-monet", "Monet, Claude"],
)
def test_an_artist_spelled_in_two_ways_is_refused_with_both_rows(other: str) -> None:
    message = refusal(
        ("Claude Monet", "1.jpg", ""), ("Claude Monet", "2.jpg", ""), (other, "3.jpg", "")
    )
    assert f"row 4: the artist {other!r} is spelled 'Claude Monet' in row 2" in message


def test_every_artist_spelled_in_two_ways_is_named() -> None:
    names = ["Claude Monet", "claude-monet", "Hals, Frans", "Frans Hals", "Gris"]
    rows = [(name, f"{i}-{name}.jpg", "") for name in names for i in range(2)]
    message = refusal(*rows)
    assert "'claude-monet' is spelled 'Claude Monet'" in message
    assert message.endswith("in one way; so are 'Hals, Frans' and 'Frans Hals'")


def test_images_by_nobody_are_excluded_and_counted() -> None:
    rows = [("Monet", "1.jpg", "train"), ("Unknown", "2.jpg", "train"), ("unknown", "3.jpg", "")]
    catalog = build_catalog(Path(), images_of(*rows, ("nan", "4.jpg", "test")), SOURCE)
    assert catalog.images["split"].tolist() == ["train", "excluded", "excluded", "excluded"]
    assert catalog.notes == (
        "paintings.csv: 3 images by 'Unknown', 'unknown', 'nan' are excluded: by no known artist",
    )


def test_spellings_with_one_image_each_are_allowed_and_stay_apart() -> None:
    rows = [("Evening", "1.jpg", ""), ("Evening ", "2.jpg", ""), ("evening", "3.jpg", "")]
    images = build_catalog(Path(), images_of(*rows), SOURCE).images
    assert images["artist_name"].tolist() == ["Evening", "Evening ", "evening"]


def test_the_written_file_begins_with_the_references_columns(tmp_path: Path) -> None:
    images = images_of(("Monet", "1.jpg", "")).assign(
        collection="x", title='A, "b"\nc', date="1870", genre="sea", style="Été"
    )
    write_catalog(images, tmp_path / "catalog.csv")
    with (tmp_path / "catalog.csv").open(encoding="utf-8", newline="") as file:
        header, row = csv.reader(file)
    assert header == [
        *("title", "style", "genre", "date", "artist_name", "image_name"),
        *("split", "file", "collection"),
    ]
    assert row == ['A, "b"\nc', "Été", "sea", "1870", "Monet", "1.jpg", "", "1.jpg", "x"]


def test_a_failed_write_leaves_the_old_catalog_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "catalog.csv"
    write_catalog(images_of(("Monet", "1.jpg", "")), path)
    before = path.read_bytes()
    with pytest.raises(UnicodeEncodeError):
        write_catalog(images_of(("Monet", "caf\udce9.jpg", "")), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@settings(max_examples=40)
@given(titles=st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=8))
def test_written_catalogs_are_read_back(
    tmp_path_factory: pytest.TempPathFactory, titles: list[tuple[str, str]]
) -> None:
    path = tmp_path_factory.mktemp("catalog") / "catalog.csv"
    rows = [("Monet", f"{i}.jpg", "train") for i in range(len(titles))]
    images = images_of(*rows).assign(
        title=[title for title, _ in titles], note=[note for _, note in titles]
    )
    expected = build_catalog(path.parent, images, path).images
    write_catalog(expected, path)
    pd.testing.assert_frame_equal(read_catalog(path), expected)


def test_a_badly_edited_catalog_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "catalog.csv"
    write_catalog(images_of(("Monet", "1.jpg", "")), path)
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([*lines, lines[-1]]))
    with pytest.raises(InputError, match=r"row 3: the image '1\.jpg' was already named in row 2"):
        read_catalog(path)

"""Pairs are read in their order and refused by row; the submission is written to the letter."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from storage.errors import InputError
from storage.pair_file import CHUNK, image_names, read_pairs, write_submission

HEAD = "index,image1,image2\n"


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(path: Path) -> list[tuple[int, int, str, str]]:
    """Every pair: row of the file, index, both images."""
    pairs = pd.concat(read_pairs(path))
    columns = ["index", "image1", "image2"]
    return [tuple(pair) for pair in pairs[columns].itertuples()]


GOOD = f'{HEAD}7,a.jpg,"b, c.jpg"\n0,é.jpg,a.jpg\n'
GOOD_PAIRS = [(2, 7, "a.jpg", "b, c.jpg"), (3, 0, "é.jpg", "a.jpg")]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_pairs_are_read_in_their_order(tmp_path: Path, mark: str, line_end: str) -> None:
    content = (mark + GOOD.replace("\n", line_end)).encode()
    assert read(write(tmp_path / "pairs.csv", content)) == GOOD_PAIRS


def test_a_compressed_file_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.csv.gz", gzip.compress(GOOD.encode()))
    assert read(path) == GOOD_PAIRS


def test_names_that_look_like_numbers_or_blanks_stay_what_they_are(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.csv", f"{HEAD}0,001,NA\n1,null,1e3\n")
    assert read(path) == [(2, 0, "001", "NA"), (3, 1, "null", "1e3")]


def test_columns_are_found_by_name_whatever_else_there_is(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.csv", "image2,note,index,image1\nb,x,5,a\n")
    assert read(path) == [(2, 5, "a", "b")]


def test_empty_rows_are_passed_over_but_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.csv", f"{HEAD}\n0,a,b\n\n\n1,c,d\n\n")
    assert read(path) == [(3, 0, "a", "b"), (6, 1, "c", "d")]


NUMBER = "row 3: the index is no whole number from 0 to 2147483647"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("index,image1\n0,a\n", "row 1: the column image2 is missing"),
        ("a,b,c\n0,a,b\n", "row 1: the column index is missing"),
        (f"{HEAD}0,a,b\none,c,d\n", NUMBER),
        (f"{HEAD}0,a,b\n-1,c,d\n", NUMBER),
        (f"{HEAD}0,a,b\n1.5,c,d\n", NUMBER),
        (f"{HEAD}0,a,b\n,c,d\n", NUMBER),
        (f"{HEAD}0,a,b\ninf,c,d\n", NUMBER),
        (f"{HEAD}0,a,b\n2147483648,c,d\n", NUMBER),
        (f"{HEAD}0,a,b\n1e30,c,d\n", NUMBER),
        (f"{HEAD}0,a,b\n1,,d\n", "row 3: an image is not named"),
        (f"{HEAD}0,a,b\n1,c,  \n", "row 3: an image is not named"),
        (f"{HEAD}0,a,b\n1,c\n", "row 3: an image is not named"),
        (f"{HEAD}0,a,b\n1,c,d,e\n", "malformed: .* in line 3, saw 4"),
        (f"{HEAD}0,a,b,c\n1,d,e,f\n", "row 2: more fields than there are columns"),
        (f"{HEAD}0,a,b,\n1,d,e\n", "row 2: more fields than there are columns"),
        (f'{HEAD}0,"a,b\n', "malformed"),
        (f"{HEAD}4,a,b\n5,c,d\n4,e,f\n", "row 4: the index was given before"),
        ("", "is empty; it needs the columns index, image1, image2"),
        (f"{HEAD}0,\xe9,b\n".encode("latin-1"), "is not UTF-8"),
    ],
)
def test_what_is_no_pair_is_refused_with_its_row(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    with pytest.raises(InputError, match=rf"pairs\.csv,? .*{message}") as error:
        read(write(tmp_path / "pairs.csv", content))
    assert "\n" not in str(error.value)


def test_the_largest_index_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.csv", f"{HEAD}2147483647,a,b\n")
    assert read(path) == [(2, 2147483647, "a", "b")]


@pytest.mark.parametrize("content", [b"no gzip", gzip.compress(GOOD.encode())[:-12]])
def test_a_damaged_compressed_file_is_named(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InputError, match=r"pairs\.csv\.gz cannot be read"):
        read(write(tmp_path / "pairs.csv.gz", content))


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no file .*none\.csv"):
        read(tmp_path / "none.csv")
    with pytest.raises(InputError, match=r"cannot be read"):
        read(tmp_path)


def test_order_rows_and_doubled_indices_hold_across_pieces(tmp_path: Path) -> None:
    count = CHUNK + 1
    lines = [f"{count - i},{i % 7},{i % 5}\n" for i in range(count)]
    path = write(tmp_path / "pairs.csv", HEAD + "".join(lines))
    pieces = list(read_pairs(path))
    assert [len(piece) for piece in pieces] == [CHUNK, 1]
    pairs = pd.concat(pieces)
    np.testing.assert_array_equal(pairs["index"], np.arange(count, 0, -1))
    np.testing.assert_array_equal(pairs.index, np.arange(2, count + 2))
    assert pairs["image1"].tolist() == [str(i % 7) for i in range(count)]
    with path.open("a", encoding="utf-8") as file:
        file.write("77,a,b\n")
    with pytest.raises(InputError, match=rf"row {count + 2}: the index was given before"):
        list(read_pairs(path))


def test_each_image_is_named_once_in_order_of_appearance(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.csv", f"{HEAD}0,b,x\n1,a,b\n2,x,d\n")
    assert image_names(path) == ["b", "x", "a", "d"]


def test_a_file_without_pairs_has_no_images(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"pairs\.csv holds no pair"):
        image_names(write(tmp_path / "pairs.csv", HEAD))


def test_a_submission_is_written_to_the_letter(tmp_path: Path) -> None:
    rows = [([7, 0], np.array([0.5, 1.0])), ([3], np.array([1.25e-7])), ([12], np.array([2 / 3]))]
    write_submission(tmp_path / "out.csv", iter(rows))
    assert (tmp_path / "out.csv").read_bytes() == (
        b"index,sameArtist\n7,0.500000\n0,1.000000\n3,0.000000\n12,0.666667\n"
    )


def test_a_submission_of_unequal_lengths_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="zip"):
        write_submission(tmp_path / "out.csv", iter([([1, 2], np.array([0.5]))]))

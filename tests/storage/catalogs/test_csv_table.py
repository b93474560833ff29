from pathlib import Path

import pytest

from storage.catalogs.csv_table import read_csv_table
from storage.errors import InputError


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "table.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_values_stay_text_and_blanks_stay_blank(tmp_path: Path) -> None:
    table = read_csv_table(written(tmp_path, "a,b,c\n007,NA,\n1.0,nan,True\n"))
    assert table.to_dict("list") == {"a": ["007", "1.0"], "b": ["NA", "nan"], "c": ["", "True"]}


def test_rows_are_numbered_as_a_spreadsheet_shows_them(tmp_path: Path) -> None:
    table = read_csv_table(written(tmp_path, 'a,b\n1,"two\nlines, one row"\n\n2,x\n'))
    assert table.index.tolist() == [2, 4]
    assert table.index.name == "row"
    assert table["b"].tolist() == ["two\nlines, one row", "x"]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_line_ends_of_every_system_are_read(tmp_path: Path, newline: str) -> None:
    table = read_csv_table(written(tmp_path, newline.join(["a,b", "1,2", "3,4"])))
    assert table.to_numpy().tolist() == [["1", "2"], ["3", "4"]]


def test_a_byte_order_mark_is_not_part_of_the_first_column(tmp_path: Path) -> None:
    assert list(read_csv_table(written(tmp_path, b"\xef\xbb\xbfa,b\n1,2\n"))) == ["a", "b"]


def test_columns_without_a_name_are_left_out(tmp_path: Path) -> None:
    table = read_csv_table(written(tmp_path, ", a ,b,\n0,1,2,\n"))
    assert table.to_dict("list") == {"a": ["1"], "b": ["2"]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        ("a,b\n", "no row below"),
        ("a,b\n\n\n", "no row below"),
        ("a,x\n1,2\n", r"row 1: the column b is missing \(found: a, x\)"),
        ("a;b\n1;2\n", r"row 1: the column a is missing \(found: a;b\)"),
        ("a;b\n1;2\n", "found: a;b.*; separate the columns by commas, not by ';'"),
        ("a\tb\n1\t2\n", r"; separate the columns by commas, not by '\\t'"),
        ("sep=;\na;b\n1;2\n", "; separate the columns by commas, not by ';'"),
        ("a,b,a\n1,2,3\n", "row 1: the column a appears twice"),
        ("a,b\n1,2\n1,2,3\n", "row 3: 3 fields where the header has 2"),
        ("a,b\n1,2\n1\n", "row 3: 1 fields where the header has 2"),
        ('a,b\n1,"2\n3"\n1,"2"x\n', "row 3: malformed CSV"),
        ('a,b\n1,"2\n3,4\n', "row 2: malformed CSV"),
        ("a,b\n1,\0\n", "line 2: a NUL character"),
        ("a,b\n1,é\n".encode("latin-1"), "line 2: not UTF-8"),
        ("a,b\n1,2\n".encode("utf-16"), "line 1: not UTF-8"),
    ],
)
def test_doubtful_files_are_refused(tmp_path: Path, content: str | bytes, message: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(InputError, match=message) as refusal:
        read_csv_table(path, required=("a", "b"))
    assert str(refusal.value).startswith(str(path))
    assert "\n" not in str(refusal.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.csv: cannot be read \(No such file"):
        read_csv_table(tmp_path / "none.csv")

"""Pairs are read in order, faulty rows are skipped, and the submission is exact."""

import gzip
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.errors import InputError
from storage.pairs.faults import NAMED, Fault, Faults, check_faults, write_faults
from storage.pairs.file import read_pairs, survey_pairs
from storage.pairs.stream import BLOCK_BYTES
from storage.pairs.submission import submission_writer

HEAD = "index,image1,image2\n"


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(path: Path, faults: Faults | None = None) -> list[tuple[int, str, str]]:
    """Every pair: index, both images."""
    names = survey_pairs(path).names
    return [
        (int(index), names[first], names[second])
        for piece in read_pairs(path, names, faults if faults is not None else Faults())
        for index, first, second in zip(piece.index, piece.first, piece.second, strict=True)
    ]


def zipped(content: str, *members: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for member in members:
            archive.writestr(member, content)
    return packed.getvalue()


GOOD = f'{HEAD}7,a.jpg,"b, c.jpg"\n0,é.jpg,a.jpg\n'
GOOD_PAIRS = [(7, "a.jpg", "b, c.jpg"), (0, "é.jpg", "a.jpg")]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_pairs_are_read_in_order(tmp_path: Path, mark: str, line_end: str) -> None:
    content = (mark + GOOD.replace("\n", line_end)).encode()
    assert read(write(tmp_path / "pairs.csv", content)) == GOOD_PAIRS


def test_a_compressed_file_is_read_in_place(tmp_path: Path) -> None:
    packed = write(tmp_path / "pairs.csv.gz", gzip.compress(GOOD.encode()))
    assert read(packed) == GOOD_PAIRS
    packed = write(tmp_path / "pairs.csv.zip", zipped(GOOD, "submission_info.csv"))
    assert read(packed) == GOOD_PAIRS
    assert {each.name for each in tmp_path.iterdir()} == {"pairs.csv.gz", "pairs.csv.zip"}


def test_names_that_look_like_numbers_or_blanks_are_kept_as_text(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.csv", f"{HEAD}0,001,NA\n1,null,1e3\n")
    assert read(path) == [(0, "001", "NA"), (1, "null", "1e3")]


def test_columns_are_found_by_name_among_others(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.csv", "image2,note,index,image1\nb,x,5,a\n")
    assert read(path) == [(5, "a", "b")]


NUMBER = "the index is not a whole number from 0 to 2147483647"


@pytest.mark.parametrize(
    ("faulty", "reason"),
    [
        ("one,c,d", NUMBER),
        ("-1,c,d", NUMBER),
        ("1.5,c,d", NUMBER),
        (",c,d", NUMBER),
        ("inf,c,d", NUMBER),
        ("2147483648,c,d", NUMBER),
        ("99999999999999999999,c,d", NUMBER),
        ("1,,d", "an image has no name"),
        ("1,c,  ", "an image has no name"),
        ("1,c", "2 fields where the header has 3"),
        ("1,c,d,e", "4 fields where the header has 3"),
        ("4,c,d", "the index occurred before"),
    ],
)
def test_rows_that_are_not_pairs_are_skipped_and_named(
    tmp_path: Path, faulty: str, reason: str
) -> None:
    path = write(tmp_path / "pairs.csv", f"{HEAD}4,a,b\n\n{faulty}\n5,a,c\nx,a,b\n")
    faults = Faults()
    assert read(path, faults) == [(4, "a", "b"), (5, "a", "c")]
    assert sorted((each.row, each.reason) for each in faults.named) == [(4, reason), (6, NUMBER)]
    assert faults.count == 2
    assert survey_pairs(path).n_rows == 4


def test_pairs_with_an_unusable_image_are_skipped(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.csv", f"{HEAD}0,a,b\n1,a,torn\n2,b,a\n")
    faults = Faults()
    pieces = list(read_pairs(path, ["b", "a"], faults))
    assert [piece.index.tolist() for piece in pieces] == [[0, 2]]
    assert [piece.first.tolist() for piece in pieces] == [[1, 0]]
    assert faults.named == [Fault(3, "the image torn cannot be used")]


@given(st.lists(st.sampled_from(["good", "short", "blank", "index", "image"]), max_size=30))
def test_every_row_is_a_pair_a_fault_or_empty(
    tmp_path_factory: pytest.TempPathFactory, kinds: list[str]
) -> None:
    texts = {"short": "1,a", "blank": "", "index": "?,a,b", "image": "{},a,x"}
    rows = [texts.get(kind, "{},a,b").format(number) for number, kind in enumerate(kinds)]
    path = write(tmp_path_factory.mktemp("pairs") / "pairs.csv", HEAD + "\n".join(rows) + "\n")
    faults = Faults()
    pieces = list(read_pairs(path, ["a", "b"], faults))
    read_indices = [index for piece in pieces for index in piece.index.tolist()]
    assert read_indices == [number for number, kind in enumerate(kinds) if kind == "good"]
    wrong = [number + 2 for number, kind in enumerate(kinds) if kind in ("short", "index", "image")]
    assert sorted(fault.row for fault in faults.named) == wrong


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("index,image1\n0,a\n", "row 1: the column image2 is missing"),
        ("a,b,c\n0,a,b\n", "row 1: the column index is missing"),
        ("", "is empty; it needs the columns index, image1, image2"),
        (HEAD, "holds no pair"),
        (f"{HEAD}0,a\n", "holds no pair; row 2: 2 fields where the header has 3"),
        (f"{HEAD}0,\xe9,b\n".encode("latin-1"), "is not UTF-8"),
    ],
)
def test_a_file_without_pairs_is_refused(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    with pytest.raises(InputError, match=rf"pairs\.csv,? .*{message}") as error:
        read(write(tmp_path / "pairs.csv", content))
    assert "\n" not in str(error.value)


# Archives contain the time, so they cannot be parameters, which must be equal in each collection.
@pytest.mark.parametrize(
    "content", [b"no gzip", gzip.compress(GOOD.encode())[:-12]], ids=["no gzip", "cut short"]
)
def test_a_damaged_gzip_file_is_named(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InputError, match=r"pairs\.csv\.gz cannot be read"):
        read(write(tmp_path / "pairs.csv.gz", content))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no zip", "cannot be read"),
        (zipped(GOOD, "a.csv")[:80], "cannot be read"),
        (zipped(GOOD, "a.csv", "b.csv"), "holds 2 CSV files"),
        (zipped(GOOD, "a.txt"), "holds 0 CSV files"),
    ],
    ids=["no zip", "cut short", "two tables", "no table"],
)
def test_a_zip_file_without_one_table_is_named(
    tmp_path: Path, content: bytes, message: str
) -> None:
    with pytest.raises(InputError, match=rf"pairs\.zip {message}"):
        read(write(tmp_path / "pairs.zip", content))


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no file .*none\.csv"):
        read(tmp_path / "none.csv")
    with pytest.raises(InputError, match=r"cannot be read"):
        read(tmp_path)


def test_order_row_numbers_and_repeated_indices_hold_across_pieces(tmp_path: Path) -> None:
    count = BLOCK_BYTES // 8
    lines = [f"{count - i},{i % 7},{i % 5}\n" for i in range(count)]
    path = write(tmp_path / "pairs.csv", HEAD + "".join([*lines, "7\n77,1,2\n"]))
    faults = Faults()
    names = survey_pairs(path).names
    pieces = list(read_pairs(path, names, faults))
    assert len(pieces) > 1
    np.testing.assert_array_equal(
        np.concatenate([piece.index for piece in pieces]), np.arange(count, 0, -1)
    )
    first = np.concatenate([piece.first for piece in pieces])
    assert [names[place] for place in first[:9]] == [str(i % 7) for i in range(9)]
    assert [(each.row, each.reason) for each in faults.named] == [
        (count + 2, "1 fields where the header has 3"),
        (count + 3, "the index occurred before"),
    ]


def test_the_survey_finds_the_named_images(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.csv", f"{HEAD}0,b,x\n1,a,b\n2,x,d\n")
    assert sorted(survey_pairs(path).names) == ["a", "b", "d", "x"]


def test_faults_are_counted_and_the_first_are_listed(tmp_path: Path) -> None:
    faults = Faults()
    for row in range(NAMED + 5):
        faults.add(row, "torn, wet")
    assert (faults.count, len(faults.named)) == (NAMED + 5, NAMED)
    write_faults(tmp_path / "new" / "rejected.csv", faults)
    lines = (tmp_path / "new" / "rejected.csv").read_text().splitlines()
    assert lines[:2] == ["row,reason", '0,"torn, wet"']
    assert len(lines) == NAMED + 1


@pytest.mark.parametrize(
    ("count", "n_rows", "share", "stops"),
    [(0, 9, 0, False), (1, 20, 0.05, False), (2, 20, 0.05, True), (1, 9, 0, True), (3, 3, 1, True)],
)
def test_more_faults_than_the_share_are_refused(
    count: int, n_rows: int, share: float, stops: bool
) -> None:
    faults = Faults()
    for row in range(count):
        faults.add(row, "torn")
    if not stops:
        check_faults(Path("pairs.csv"), faults, n_rows, share)
        return
    with pytest.raises(InputError, match=rf"pairs.csv: {count} of {n_rows} rows .*row 0: torn"):
        check_faults(Path("pairs.csv"), faults, n_rows, share)


def test_a_submission_is_written_exactly(tmp_path: Path) -> None:
    rows = [([7, 0], [0.5, 1.0]), ([3], [1.25e-7]), ([12], [2 / 3])]
    with submission_writer(tmp_path / "out.csv") as put:
        for indices, probabilities in rows:
            put(np.array(indices), np.array(probabilities))
    assert (tmp_path / "out.csv").read_bytes() == (
        b"index,sameArtist\n7,0.500000\n0,1.000000\n3,0.000000\n12,0.666667\n"
    )


@settings(max_examples=20)
@given(st.lists(st.floats(0, 1)))
def test_a_submission_gives_each_probability_to_six_decimals(
    tmp_path_factory: pytest.TempPathFactory, probabilities: list[float]
) -> None:
    path = tmp_path_factory.mktemp("out") / "out.csv"
    with submission_writer(path) as put:
        put(np.arange(len(probabilities)), np.array(probabilities, np.float64))
    written = [float(line.split(",")[1]) for line in path.read_text().splitlines()[1:]]
    assert written == pytest.approx(probabilities, abs=5.1e-7)

import csv
import hashlib
import io
import subprocess
import sys
import zipfile
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from storage.errors import InputError
from storage.sources.gallery.names import known_names
from storage.sources.gallery.paintings import GalleryPlan, Painting, artist_group, paint_gallery
from storage.sources.gallery.subjects import SUBJECTS
from storage.sources.sample import write_gallery

SMALL = GalleryPlan(painters=9, paintings_each=4, pairs=60, seed=3)


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home") / "sample"
    write_gallery(folder, SMALL)
    return folder


@pytest.fixture(scope="module")
def paintings() -> list[Painting]:
    return list(paint_gallery(GalleryPlan(painters=16, paintings_each=8)))


def table(gallery: Path, name: str) -> list[dict[str, str]]:
    with (gallery / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def jpeg(gallery: Path, row: dict[str, str]) -> bytes:
    if row["in_train"] == "True":
        return (gallery / "train" / row["new_filename"]).read_bytes()
    with zipfile.ZipFile(gallery / "test.zip") as archive:
        return archive.read(f"test/{row['new_filename']}")


def contents(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_the_same_plan_gives_the_same_bytes(gallery: Path, tmp_path: Path) -> None:
    write_gallery(tmp_path / "again", SMALL)
    assert contents(tmp_path / "again") == contents(gallery)


PAINT = """
import sys
from pathlib import Path
from storage.sources.gallery.paintings import GalleryPlan
from storage.sources.sample import write_gallery

def tell(done, total):
    print(done)

write_gallery(Path(sys.argv[1]), GalleryPlan(painters=9, paintings_each=4, pairs=60, seed=3), tell)
"""


def test_only_one_of_two_processes_paints(gallery: Path, tmp_path: Path) -> None:
    folder = tmp_path / "sample"
    command = [sys.executable, "-c", PAINT, str(folder)]
    painters = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
    said = [painter.communicate(timeout=120)[0] for painter in painters]
    assert [painter.returncode for painter in painters] == [0, 0]
    assert sorted(len(lines.split()) for lines in said) == [0, SMALL.paintings]
    assert contents(folder) == contents(gallery)


def test_another_seed_gives_other_pictures() -> None:
    plans = [GalleryPlan(painters=6, paintings_each=2, seed=seed) for seed in (0, 1)]
    first, second = ({painting.jpeg for painting in paint_gallery(plan)} for plan in plans)
    assert not first & second


def test_a_picture_does_not_depend_on_how_many_others_there_are() -> None:
    few = next(iter(paint_gallery(GalleryPlan(painters=6, paintings_each=2))))
    many = next(iter(paint_gallery(GalleryPlan(painters=9, paintings_each=5))))
    assert few.jpeg == many.jpeg


def test_the_tables_have_kaggles_columns(gallery: Path) -> None:
    def header(name: str) -> str:
        return (gallery / name).read_text(encoding="utf-8").splitlines()[0]

    assert header("all_data_info.csv") == (
        "artist,date,genre,pixelsx,pixelsy,size_bytes,source,style,title,artist_group,in_train,"
        "new_filename"
    )
    assert header("train_info.csv") == "filename,artist,title,style,genre,date"
    assert header("submission_info.csv") == "index,image1,image2"


def test_every_image_opens_and_is_as_the_table_says(gallery: Path) -> None:
    rows = table(gallery, "all_data_info.csv")
    assert len(rows) == 36
    for row in rows:
        file = jpeg(gallery, row)
        with Image.open(io.BytesIO(file)) as image:
            image.load()
            assert image.format == "JPEG"
            assert image.size == (float(row["pixelsx"]), float(row["pixelsy"]))
        assert len(file) == float(row["size_bytes"])


def test_every_image_has_a_row(gallery: Path) -> None:
    rows = table(gallery, "all_data_info.csv")
    with zipfile.ZipFile(gallery / "test.zip") as archive:
        tested = archive.namelist()
    trained = [path.name for path in (gallery / "train").iterdir()]
    assert sorted(trained + [name.removeprefix("test/") for name in tested]) == sorted(
        row["new_filename"] for row in rows
    )
    assert len({row["new_filename"] for row in rows}) == len(rows)


def test_one_picture_is_smaller_than_any_crop(gallery: Path) -> None:
    rows = table(gallery, "all_data_info.csv")
    assert min(min(float(row["pixelsx"]), float(row["pixelsy"])) for row in rows) < 64


def test_groups_decide_who_trains_and_who_is_tested(gallery: Path) -> None:
    trained: dict[str, set[str]] = defaultdict(set)
    painters: dict[str, set[str]] = defaultdict(set)
    for row in table(gallery, "all_data_info.csv"):
        trained[row["artist_group"]].add(row["in_train"])
        painters[row["artist_group"]].add(row["artist"])
    assert trained == {
        "train_only": {"True"}, "train_and_test": {"True", "False"}, "test_only": {"False"},
    }  # fmt: skip
    assert {group: len(names) for group, names in painters.items()} == {
        "train_only": 5, "train_and_test": 1, "test_only": 3,
    }  # fmt: skip


def test_in_a_full_gallery_most_painters_are_for_training_only() -> None:
    groups = Counter(artist_group(index, 90) for index in range(90))
    assert groups == {"train_only": 53, "train_and_test": 7, "test_only": 30}


def test_the_training_table_hides_names_but_keeps_painters_apart(gallery: Path) -> None:
    rows = {row["new_filename"]: row for row in table(gallery, "all_data_info.csv")}
    hidden = table(gallery, "train_info.csv")
    assert len(hidden) == sum(row["in_train"] == "True" for row in rows.values())
    pairs = {(row["artist"], rows[row["filename"]]["artist"]) for row in hidden}
    assert len(pairs) == len({alias for alias, _ in pairs}) == len({name for _, name in pairs})
    assert all(row["title"] == rows[row["filename"]]["title"] for row in hidden)


def test_pairs_are_of_two_test_pictures_and_of_both_kinds(gallery: Path) -> None:
    artists = {
        row["new_filename"]: row["artist"]
        for row in table(gallery, "all_data_info.csv")
        if row["artist_group"] == "test_only"
    }
    pairs = table(gallery, "submission_info.csv")
    assert [row["index"] for row in pairs] == [str(index) for index in range(60)]
    assert all(row["image1"] != row["image2"] for row in pairs)
    same = [artists[row["image1"]] == artists[row["image2"]] for row in pairs]
    assert 15 < sum(same) < 45


def test_all_painters_share_all_subjects(paintings: list[Painting]) -> None:
    genres: dict[str, Counter[str]] = defaultdict(Counter)
    for painting in paintings:
        genres[painting.artist][painting.genre] += 1
    assert len(genres) == 16
    assert all(count == dict.fromkeys((s.genre for s in SUBJECTS), 1) for count in genres.values())


def test_mean_colour_hardly_tells_who_painted_a_picture(paintings: list[Painting]) -> None:
    """Of the variance of mean colour, a small part lies between painters (intraclass correlation).

    The one-way estimate: (MSB - MSW) / (MSB + (n - 1) MSW) for n pictures of each painter.
    """
    colours = [np.asarray(Image.open(io.BytesIO(p.jpeg))).mean(axis=(0, 1)) for p in paintings]
    grouped, n = np.reshape(colours, (16, 8, 3)), 8
    between = n * grouped.mean(axis=1).var(axis=0, ddof=1)
    within = grouped.var(axis=1, ddof=1).mean(axis=0)
    assert ((between - within) / (between + (n - 1) * within)).mean() < 0.25


def test_progress_counts_every_picture_up_to_the_total(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    plan = GalleryPlan(painters=6, paintings_each=2)
    write_gallery(tmp_path / "sample", plan, lambda done, total: told.append((done, total)))
    assert told == [(done, 12) for done in range(1, 13)]


def test_a_second_call_does_nothing(gallery: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in gallery.rglob("*")}
    write_gallery(gallery, SMALL, lambda done, total: pytest.fail("painted again"))
    assert {path: path.stat().st_mtime_ns for path in gallery.rglob("*")} == before


def test_a_gallery_of_another_plan_is_replaced(tmp_path: Path) -> None:
    for seed in (0, 1):
        write_gallery(tmp_path / "it", GalleryPlan(painters=6, paintings_each=2, seed=seed))
    write_gallery(tmp_path / "fresh", GalleryPlan(painters=6, paintings_each=2, seed=1))
    assert contents(tmp_path / "it") == contents(tmp_path / "fresh")


def test_an_interrupted_gallery_leaves_nothing_behind(tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_gallery(tmp_path / "home" / "sample", SMALL, interrupt)
    assert [path.name for path in (tmp_path / "home").iterdir()] == [".sample.lock"]


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="holds other files"):
        write_gallery(tmp_path, SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("painters", "paintings_each", "named"),
    [(5, 3, "painters = 5"), (201, 3, "painters = 201"), (10, 1, "paintings_each = 1")],
)
def test_a_plan_that_cannot_be_painted_is_refused(
    painters: int, paintings_each: int, named: str
) -> None:
    with pytest.raises(InputError, match=named):
        GalleryPlan(painters, paintings_each)


def test_all_names_differ_and_some_are_not_ascii() -> None:
    names = known_names()
    assert len(set(names)) == len(names) == 200
    assert any(not name.isascii() for name in names[:10])

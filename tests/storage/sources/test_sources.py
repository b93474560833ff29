import csv
import os
import shutil
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Literal
from unicodedata import normalize

import numpy as np
import pytest
from PIL import Image

from storage.catalogs.catalog import Catalog, write_catalog
from storage.datasets.crop import CropRules, crop
from storage.errors import InputError
from storage.image_files import ImageReader
from storage.sources import KaggleDraw, locate_source, read_source

KAGGLE_COLUMNS = (
    *("artist", "date", "genre", "pixelsx", "pixelsy", "size_bytes", "source", "style", "title"),
    *("artist_group", "in_train", "new_filename"),
)


def paint(path: Path, red: int = 0) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), (red, 0, 0)).save(path)
    return path.read_bytes()


def write_rows(path: Path, rows: Iterable[Iterable[str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def kaggle_row(artist: str, group: str, in_train: str, name: str) -> tuple[str, ...]:
    about = ("1870.0", "marina", "800.0", "600.0", "1234.0", "wikiart", "Impressionism", "Sea")
    return (artist, *about, group, in_train, name)


def write_kaggle(folder: Path, *rows: tuple[str, ...]) -> Path:
    folder.mkdir(exist_ok=True)
    write_rows(folder / "all_data_info.csv", [KAGGLE_COLUMNS, *rows])
    return folder


def read(source: Path, draw: KaggleDraw = KaggleDraw()) -> Catalog:  # noqa: B008 - it is frozen
    return read_source(source, draw)


# What a source is


def test_a_missing_source_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none: there is no such file or folder"):
        read(tmp_path / "none")


@pytest.mark.parametrize("kind", ["empty folder", "images without artists", "other file"])
def test_an_unsupported_source_is_refused_with_the_supported_kinds(
    tmp_path: Path, kind: str
) -> None:
    source = tmp_path / kind
    if kind == "other file":
        source.write_text("artist_name,image_name\n", encoding="utf-8")
    else:
        (source / "notes").mkdir(parents=True)
    if kind == "images without artists":
        paint(source / "1.jpg")
    with pytest.raises(InputError, match=r"sample.*all_data_info\.csv.*sub-folder.*\.csv") as error:
        read(source)
    assert str(source) in str(error.value)


# A folder per artist


def test_each_sub_folder_is_an_artist(tmp_path: Path) -> None:
    for name in ("Monet/2.jpg", "Monet/1.PNG", "Édouard Manet/3.webp"):
        paint(tmp_path / name)
    images = read(tmp_path).images
    assert list(images) == ["image_name", "artist_name", "split", "file"]
    assert images["image_name"].tolist() == ["Monet/1.PNG", "Monet/2.jpg", "Édouard Manet/3.webp"]
    assert images["artist_name"].tolist() == ["Monet", "Monet", "Édouard Manet"]
    assert set(images["split"]) == {""}
    assert images["file"].tolist() == images["image_name"].tolist()


def test_hidden_and_other_files_are_left_out(tmp_path: Path) -> None:
    for name in ("Monet/1.jpg", "Monet/.2.jpg", ".cache/3.jpg", "Monet/.old/4.jpg", "5.jpg"):
        paint(tmp_path / name)
    (tmp_path / "Monet" / "notes.txt").touch()
    (tmp_path / "Monet" / "folder.jpg").mkdir()
    (tmp_path / "empty").mkdir()
    assert read(tmp_path).images["image_name"].tolist() == ["Monet/1.jpg"]


def test_images_in_deeper_folders_are_by_the_artist_of_the_outermost(tmp_path: Path) -> None:
    for name in ("Monet/1.jpg", "Monet/1890s/a/2.jpg", "Monet/1890s/b.jpg"):
        paint(tmp_path / name)
    catalog = read(tmp_path)
    assert catalog.images["image_name"].tolist() == [
        *("Monet/1.jpg", "Monet/1890s/a/2.jpg", "Monet/1890s/b.jpg")
    ]
    assert set(catalog.images["artist_name"]) == {"Monet"}
    assert ImageReader(tmp_path).read("Monet/1890s/b.jpg") == paint(tmp_path / "any.jpg")
    assert catalog.notes == (
        f"{tmp_path}: 2 images in deeper folders count as by the artist of the outermost,"
        " such as Monet/1890s/a/2.jpg",
    )


SUFFIXES = ("avif", "gif", "jfif", "jp2", "j2k", "jpe", "JPEG", "pgm", "png", "ppm", "tif", "webp")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_kind_of_image_is_taken_and_can_be_cropped(tmp_path: Path, suffix: str) -> None:
    data = paint(tmp_path / "Monet" / f"1.{suffix}", 200)
    assert read(tmp_path).images["image_name"].tolist() == [f"Monet/1.{suffix}"]
    assert np.asarray(crop(data, CropRules(size=8)))[4, 4, 0] > 100


def test_files_that_are_left_out_are_counted_and_lost_artists_named(tmp_path: Path) -> None:
    paint(tmp_path / "Monet" / "1.jpg")
    for name in ("Monet/a.heic", "Monet/b.HEIC", "Hals/c.heic", "Monet/notes.txt", "Monet/README"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "Monet" / "gone.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "Monet" / "linked").symlink_to(tmp_path / "Hals")
    paint(tmp_path / "2.jpg")
    write_rows(tmp_path / "list.csv", [("a", "b")])
    catalog = read(tmp_path)
    assert catalog.images["image_name"].tolist() == ["Monet/1.jpg"]
    assert catalog.notes == (
        f"{tmp_path}: left out 3 .heic files (Hals/c.heic, …); 1 .txt files (Monet/notes.txt);"
        " 1 files without a suffix (Monet/README); 1 links that lead nowhere (Monet/gone.jpg);"
        " 1 links to folders (Monet/linked)",
        f"{tmp_path}: no image can be read by Hals",
        f"{tmp_path}: 1 images lie in no artist's folder (2.jpg)",
        f"{tmp_path}: list.csv is not read; to use it, give it as the source",
    )


def test_a_source_without_readable_images_says_so(tmp_path: Path) -> None:
    (tmp_path / "Monet").mkdir()
    (tmp_path / "Monet" / "1.heic").touch()
    with pytest.raises(InputError, match=r"left out 1 \.heic files .*no image .* by Monet"):
        read(tmp_path)


def test_names_that_are_not_utf_8_are_counted_and_the_rest_is_used(tmp_path: Path) -> None:
    paint(tmp_path / "Monet" / "1.jpg")
    for name in (b"Monet/caf\xe9.jpg", b"Cort\xe9s/1.jpg"):
        path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
        path.parent.mkdir(exist_ok=True)
        shutil.copy(tmp_path / "Monet" / "1.jpg", path)
    catalog = read(tmp_path)
    assert catalog.images["image_name"].tolist() == ["Monet/1.jpg"]
    assert catalog.notes == (
        f"{tmp_path}: left out 2 files whose names are not UTF-8 (Cort\\xe9s/1.jpg, …)",
        f"{tmp_path}: no image can be read by Cort\\xe9s",
    )
    "".join(catalog.notes).encode()


@pytest.mark.parametrize("name", ["train", "Test", "train_1", "testing", "training-2"])
def test_folders_named_like_splits_are_refused(tmp_path: Path, name: str) -> None:
    paint(tmp_path / "Monet" / "1.jpg")
    paint(tmp_path / name / "2.jpg")
    with pytest.raises(InputError, match=f"the folder '{name}' is a split, not an artist; give"):
        read(tmp_path)


def test_folders_per_style_are_refused(tmp_path: Path) -> None:
    for style in ("Impressionism", "Cubism"):
        for artist in ("claude-monet", "pablo-picasso", "vincent-van-gogh"):
            for title in ("sunrise-1872", "the-sea"):
                paint(tmp_path / style / f"{artist}_{title}.jpg")
    with pytest.raises(InputError, match=r"'Cubism' is no artist's: .* claude-monet, pablo-") as e:
        read(tmp_path)
    assert "give one folder per artist, or a catalog CSV with the columns" in str(e.value)


def test_artists_whose_file_names_contain_underscores_are_accepted(tmp_path: Path) -> None:
    for name in ("claude-monet_1", "claude-monet_2", "hay-stack_a", "1890_x", "1890_y", "sea_a"):
        paint(tmp_path / "Monet" / f"{name}.jpg")
    for number in range(4):
        paint(tmp_path / "Frans Hals" / f"frans-hals_{number}.jpg")
    assert set(read(tmp_path).images["artist_name"]) == {"Monet", "Frans Hals"}


def test_a_file_name_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    paint(tmp_path / "Monet" / "a\\b.jpg")
    with pytest.raises(InputError, match=r"image Monet/.*backslash"):
        read(tmp_path)


# A catalog CSV


def test_a_table_names_images_relative_to_its_folder(tmp_path: Path) -> None:
    sea = paint(tmp_path / "paintings" / "sea.png")
    rows = [("artist_name", "image_name", "title", "collection")]
    rows += [("Monet", "paintings/sea.png", "Sea", "a, b"), ("Manet", "paintings/none.png", "", "")]
    catalog = read(write_rows(tmp_path / "paintings.csv", rows))
    assert catalog.images.to_dict("list") == {
        "image_name": ["paintings/sea.png", "paintings/none.png"],
        "artist_name": ["Monet", "Manet"],
        "split": ["", ""],
        "file": ["paintings/sea.png", "paintings/none.png"],
        "title": ["Sea", ""],
        "collection": ["a, b", ""],
    }
    assert ImageReader(catalog.root).read(catalog.images["file"].iloc[0]) == sea


def test_a_tables_splits_are_obeyed_and_may_be_blank(tmp_path: Path) -> None:
    rows = [("split", "image_name", "artist_name"), ("test", "1.jpg", "Monet"), (" ", "2.jpg", "B")]
    assert read(write_rows(tmp_path / "a.CSV", rows)).images["split"].tolist() == ["test", ""]


def test_a_written_catalog_is_a_source_again(tmp_path: Path) -> None:
    paint(tmp_path / "Monet" / "1.jpg")
    folder = read(tmp_path)
    write_catalog(folder.images.assign(file="Monet/1.jpg"), tmp_path / "catalog.csv")
    table = read(tmp_path / "catalog.csv")
    assert table.root == folder.root
    assert table.images.to_dict("list") == folder.images.to_dict("list")


def test_a_wrong_row_of_a_table_is_named(tmp_path: Path) -> None:
    rows = [("artist_name", "image_name"), ("Monet", "1.jpg"), ("", "2.jpg")]
    path = write_rows(tmp_path / "paintings.csv", rows)
    with pytest.raises(InputError, match=r"paintings\.csv, row 3: the artist's name is blank"):
        read(path)


@pytest.mark.parametrize(("in_table", "on_disk"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_both_forms_of_an_accented_letter_find_each_other(
    tmp_path: Path, in_table: Literal["NFC", "NFD"], on_disk: Literal["NFC", "NFD"]
) -> None:
    name = "Édouard Manet/été.png"
    data = paint(tmp_path / normalize(on_disk, name))
    rows = [("artist_name", "image_name"), ("Manet", normalize(in_table, name))]
    catalog = read(write_rows(tmp_path / "paintings.csv", rows))
    assert ImageReader(catalog.root).read(catalog.images["file"].iloc[0]) == data


def test_a_zipped_table_is_read(tmp_path: Path) -> None:
    rows = [("artist_name", "image_name"), ("Monet", "1.jpg")]
    table = write_rows(tmp_path / "paintings.csv", rows)
    with zipfile.ZipFile(tmp_path / "paintings.csv.zip", "w") as archive:
        archive.write(table, "folder/paintings.csv")
        archive.writestr("__MACOSX/folder/._paintings.csv", b"\0")
    table.unlink()
    assert read(tmp_path / "paintings.csv.zip").images["image_name"].tolist() == ["1.jpg"]
    with zipfile.ZipFile(tmp_path / "paintings.csv.zip", "a") as archive:
        archive.writestr("other.csv", b"a,b\n")
    with pytest.raises(InputError, match="holds 2 CSV files instead of one"):
        read(tmp_path / "paintings.csv.zip")


# Kaggle's folder


def test_kaggles_zipped_download_is_read(tmp_path: Path) -> None:
    folder = write_kaggle(
        tmp_path,
        kaggle_row("Monet", "train_only", "True", "1.png"),
        kaggle_row("Manet", "train_only", "True", "2.png"),
        kaggle_row("Hals", "test_only", "False", "3.png"),
    )
    with zipfile.ZipFile(folder / "all_data_info.csv.zip", "w") as archive:
        archive.write(folder / "all_data_info.csv", "all_data_info.csv")
    (folder / "all_data_info.csv").unlink()
    expected = [
        paint(folder / "train_1" / "1.png", 1),
        zip_image(folder / "train_9.zip", "train_9/2.png", 2),
        paint(folder / "test" / "3.png", 3),
    ]
    catalog = read(folder)
    assert catalog.images["artist_name"].tolist() == ["Monet", "Manet", "Hals"]
    with ImageReader(catalog.root) as reader:
        assert [reader.read(file) for file in catalog.images["file"]] == expected


def test_a_zip_of_the_whole_source_is_refused_with_a_hint(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "painter-by-numbers.zip", "w") as archive:
        archive.writestr("all_data_info.csv.zip", b"")
    for source in (tmp_path, tmp_path / "painter-by-numbers.zip"):
        with pytest.raises(InputError, match=r"in painter-by-numbers\.zip, unpack it and give its"):
            read(source)


def test_kaggles_groups_become_pools(tmp_path: Path) -> None:
    folder = write_kaggle(
        tmp_path,
        kaggle_row("Monet", "train_only", "True", "1.jpg"),
        kaggle_row("Manet", "test_only", "False", "2.jpg"),
        kaggle_row("Degas", "train_and_test", "True", "3.jpg"),
        kaggle_row("Degas", "train_and_test", "False", "4.jpg"),
    )
    images = read(folder).images
    assert images["image_name"].tolist() == ["1.jpg", "2.jpg", "3.jpg"]
    assert images["split"].tolist() == ["", "test", ""]
    assert images["artist_name"].tolist() == ["Monet", "Manet", "Degas"]
    assert set(images["title"]) == {"Sea"}
    assert set(images["pixelsx"]) == {"800.0"}


@pytest.mark.parametrize("junk", ["II", "1", "Hadis-i Şerîf", "Hadis-i S\u0327eri\u0302fler"])
def test_junk_labels_of_the_drawn_group_are_dropped(tmp_path: Path, junk: str) -> None:
    folder = write_kaggle(
        tmp_path,
        kaggle_row(junk, "train_and_test", "True", "1.jpg"),
        kaggle_row("Monet", "train_and_test", "True", "2.jpg"),
    )
    assert read(folder).images["image_name"].tolist() == ["2.jpg"]


def test_artists_and_their_images_are_drawn_by_the_seed_in_the_tables_order(tmp_path: Path) -> None:
    rows = [kaggle_row(f"Artist {i % 9}", "train_and_test", "True", f"{i}.jpg") for i in range(180)]
    folder = write_kaggle(tmp_path, *rows, kaggle_row("Few", "train_only", "True", "few.jpg"))
    draws = {}
    for seed in (0, 1):
        images = read(folder, KaggleDraw(artists=4, images_per_artist=5, seed=seed)).images
        counts = images["artist_name"].value_counts()
        assert counts.drop("Few").tolist() == [5] * 4
        assert images.index.is_monotonic_increasing
        draws[seed] = images["image_name"].tolist()
    assert draws[0] != draws[1]
    write_kaggle(tmp_path, kaggle_row("Few", "train_only", "True", "few.jpg"), *reversed(rows))
    again = read(folder, KaggleDraw(artists=4, images_per_artist=5, seed=0)).images
    assert sorted(again["image_name"]) == sorted(draws[0])


def test_zero_images_of_each_artist_means_all_of_them(tmp_path: Path) -> None:
    rows = [kaggle_row(f"Artist {i % 9}", "train_and_test", "True", f"{i}.jpg") for i in range(180)]
    images = read(write_kaggle(tmp_path, *rows), KaggleDraw(artists=4, images_per_artist=0)).images
    assert images["artist_name"].value_counts().tolist() == [20] * 4


def zip_image(path: Path, member: str, red: int) -> bytes:
    image = paint(path.with_name("image.png"), red)
    path.with_name("image.png").unlink()
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(member, image)
    return image


def test_images_are_found_in_folders_and_zip_files_and_replacements_come_first(
    tmp_path: Path,
) -> None:
    expected = [
        paint(tmp_path / "train" / "0.png", 0),
        zip_image(tmp_path / "train.zip", "train/1.png", 1),
        zip_image(tmp_path / "train.zip", "2.png", 2),
        zip_image(tmp_path / "train_3.zip", "train_3/3.png", 3),
        zip_image(tmp_path / "test.zip", "test/4.png", 4),
        zip_image(tmp_path / "replacements_for_corrupted_files.zip", "train/5.png", 5),
        zip_image(tmp_path / "replacements_for_corrupted_files.zip", "test/6.png", 6),
        paint(tmp_path / "replacements_for_corrupted_files" / "train" / "7.png", 7),
    ]
    paint(tmp_path / "train" / "5.png", 99)
    zip_image(tmp_path / "train.zip", "train/0.png", 99)
    zip_image(tmp_path / "replacements_for_corrupted_files.zip", "test/0.png", 99)
    zip_image(tmp_path / "test.zip", "test/6.png", 99)
    write_kaggle(
        tmp_path,
        *(
            kaggle_row(f"Artist {i}", group, str(group == "train_only"), f"{i}.png")
            for i in range(8)
            for group in ["test_only" if i in (4, 6) else "train_only"]
        ),
    )
    catalog = read(tmp_path)
    with ImageReader(catalog.root) as reader:
        assert [reader.read(file) for file in catalog.images["file"]] == expected


def test_a_catalog_is_read_without_any_image(tmp_path: Path) -> None:
    folder = write_kaggle(
        tmp_path,
        kaggle_row("Monet", "train_only", "TRUE", "1.jpg"),
        kaggle_row("Manet", "test_only", "FALSE", "2.jpg"),
    )
    assert read(folder).images["file"].tolist() == ["train/1.jpg", "test/2.jpg"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (kaggle_row("", "train_only", "True", "1.jpg"), "row 3: the artist's name is blank"),
        (kaggle_row("", "train_and_test", "False", "1.jpg"), "row 3: the artist's name is blank"),
        (kaggle_row("Monet", "both", "True", "1.jpg"), "row 3: artist_group is 'both'"),
        (kaggle_row("Monet", "train_only", "", "1.jpg"), "row 3: in_train is ''"),
        (
            kaggle_row("Monet", "train_only", "True", "0.jpg"),
            "row 3: the image '0.jpg' was already",
        ),
    ],
)
def test_a_wrong_row_of_kaggles_table_is_named(
    tmp_path: Path, row: tuple[str, ...], message: str
) -> None:
    folder = write_kaggle(tmp_path, kaggle_row("Degas", "train_only", "True", "0.jpg"), row)
    with pytest.raises(InputError, match=rf"all_data_info\.csv, {message}"):
        read(folder)


def test_a_damaged_archive_of_kaggles_is_named(tmp_path: Path) -> None:
    folder = write_kaggle(tmp_path, kaggle_row("Monet", "train_only", "True", "1.jpg"))
    (folder / "train.zip").write_bytes(b"half of a download")
    with pytest.raises(InputError, match=r"train\.zip: not a readable zip file"):
        read(folder)


# Where a source lies


class Stopped(Exception):
    """The first picture is painted."""


def stop(done: int, total: int) -> None:
    raise Stopped(f"{done} of {total}")


def test_the_word_sample_has_the_whole_gallery_painted(tmp_path: Path) -> None:
    with pytest.raises(Stopped, match="1 of 900"):
        locate_source("sample", tmp_path / "gallery", stop)
    assert not (tmp_path / "gallery").exists()


def test_any_other_source_is_a_path_and_nothing_is_painted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for source, located in (
        ("paintings.csv", tmp_path / "paintings.csv"),
        ("./sample", tmp_path / "sample"),
        ("~/art", tmp_path / "home" / "art"),
        (str(tmp_path / "art"), tmp_path / "art"),
    ):
        assert locate_source(source, tmp_path / "gallery", stop) == located
    assert not (tmp_path / "gallery").exists()

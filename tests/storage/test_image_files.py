import os
import unicodedata
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from storage.errors import InputError, UnavailableError
from storage.image_files import ImageReader, list_images


def zipped(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def read_image(root: Path, file: str) -> bytes:
    with ImageReader(root) as reader:
        return reader.read(file)


def test_an_image_is_read_from_a_folder(tmp_path: Path) -> None:
    (tmp_path / "Claude Monet").mkdir()
    (tmp_path / "Claude Monet" / "été.jpg").write_bytes(b"sea")
    assert read_image(tmp_path, "Claude Monet/été.jpg") == b"sea"


def test_an_image_is_read_from_a_zip_file_in_place(tmp_path: Path) -> None:
    (tmp_path / "kaggle").mkdir()
    zipped(tmp_path / "kaggle" / "train.zip", {"train/1.jpg": b"one", "2.jpg": b"two"})
    assert read_image(tmp_path, "kaggle/train.zip/train/1.jpg") == b"one"
    assert read_image(tmp_path, "kaggle/train.zip/2.jpg") == b"two"


def test_a_folder_may_be_called_like_a_zip_file(tmp_path: Path) -> None:
    (tmp_path / "train.zip").mkdir()
    (tmp_path / "train.zip" / "1.jpg").write_bytes(b"one")
    assert read_image(tmp_path, "train.zip/1.jpg") == b"one"


def test_many_threads_read_one_archive_at_once(tmp_path: Path) -> None:
    content = {f"train/{i}.jpg": os.urandom(3000) + bytes(3000) for i in range(300)}
    zipped(tmp_path / "train.zip", content)
    names = list(content) * 5
    with ImageReader(tmp_path) as reader, ThreadPoolExecutor(16) as threads:
        read = list(threads.map(lambda name: reader.read(f"train.zip/{name}"), names))
    assert read == [content[name] for name in names]


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("none.jpg", "no such file"),
        ("folder", "no such file"),
        ("train.zip/none.jpg", "no such file in the zip file"),
        ("../train.zip", "cannot be used"),
        ("broken.zip/1.jpg", "not a readable zip file"),
        ("damaged.zip/1.jpg", "cannot be read"),
        ("circle.jpg", "cannot be read|no such file"),
        ("n" * 300, "longer than 255 bytes"),
    ],
)
def test_unreadable_files_are_named_with_a_reason(tmp_path: Path, file: str, reason: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "circle.jpg").symlink_to("circle.jpg")
    zipped(tmp_path / "train.zip", {"1.jpg": b"one"})
    (tmp_path / "broken.zip").write_bytes(b"no zip file")
    zipped(tmp_path / "damaged.zip", {"1.jpg": b"one" * 1000})
    content = bytearray((tmp_path / "damaged.zip").read_bytes())
    content[36:40] = bytes(4)  # inside the compressed image
    (tmp_path / "damaged.zip").write_bytes(content)
    with pytest.raises(InputError, match=reason) as refusal:
        read_image(tmp_path, file)
    assert file.partition("/")[0] in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("member", "asked"),
    [
        ("train\\1.jpg", "train/1.jpg"),
        ("./train/1.jpg", "train/1.jpg"),
        ("train/1.JPG", "train/1.jpg"),
        ("train/1.jpg", "train/1.JPG"),
        ("Train/1.jpg", "train/1.jpg"),
        (unicodedata.normalize("NFD", "été/1.jpg"), unicodedata.normalize("NFC", "été/1.jpg")),
    ],
)
def test_a_member_is_found_however_its_name_is_written(
    tmp_path: Path, member: str, asked: str
) -> None:
    zipped(tmp_path / "train.zip", {member: b"one", "train/2.jpg": b"two"})
    assert read_image(tmp_path, f"train.zip/{asked}") == b"one"
    (listed,) = [name for name in list_images(tmp_path, "train.zip") if "2" not in name]
    assert read_image(tmp_path, listed) == b"one"


def test_a_member_whose_name_is_utf_8_without_saying_so_is_found(tmp_path: Path) -> None:
    zipped(tmp_path / "train.zip", {"caf??.jpg": b"one"})
    content = (tmp_path / "train.zip").read_bytes()
    (tmp_path / "train.zip").write_bytes(content.replace(b"caf??", "café".encode()))
    assert list_images(tmp_path, "train.zip") == ["train.zip/café.jpg"]
    assert read_image(tmp_path, "train.zip/café.jpg") == b"one"


def test_members_that_differ_only_in_case_are_found_by_their_exact_names(tmp_path: Path) -> None:
    zipped(tmp_path / "a.zip", {"1.jpg": b"one", "1.JPG": b"two"})
    assert read_image(tmp_path, "a.zip/1.JPG") == b"two"
    with pytest.raises(InputError, match=r"1\.Jpg: there is no such file in the zip file a\.zip"):
        read_image(tmp_path, "a.zip/1.Jpg")


def test_the_case_of_a_suffix_does_not_count_in_folders_either(tmp_path: Path) -> None:
    (tmp_path / "1.JPG").write_bytes(b"one")
    assert read_image(tmp_path, "1.jpg") == b"one"


def test_a_part_of_a_split_zip_file_is_explained(tmp_path: Path) -> None:
    zipped(tmp_path / "a.zip", {f"{i}.jpg": os.urandom(500) for i in range(9)})
    content = bytearray((tmp_path / "a.zip").read_bytes())
    content[-18:-16] = b"\x03\0"  # the number of this part, the last one
    for size in (400, len(content)):
        (tmp_path / "a.zip").write_bytes(content[-size:])
        with pytest.raises(InputError, match=r"a\.zip: one part of a split zip file; join the par"):
            read_image(tmp_path, "a.zip/1.jpg")


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="a file of Linux alone")
def test_an_input_output_error_is_not_the_images_fault() -> None:
    with pytest.raises(UnavailableError, match="Input/output error"):
        read_image(Path("/proc/self"), "mem")


@pytest.mark.parametrize("file", ["link.jpg", "folder/1.jpg", "link.zip/1.jpg"])
def test_links_that_lead_out_of_the_folder_are_refused(tmp_path: Path, file: str) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (outside / "1.jpg").write_bytes(b"secret")
    zipped(outside / "1.zip", {"1.jpg": b"secret"})
    (root / "link.jpg").symlink_to(outside / "1.jpg")
    (root / "folder").symlink_to(outside)
    (root / "link.zip").symlink_to(outside / "1.zip")
    with pytest.raises(InputError, match=r"leads out of .*; put the file itself in its place"):
        read_image(root, file)


def test_links_within_the_folder_and_a_root_that_is_a_link_are_followed(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "1.jpg").write_bytes(b"one")
    (tmp_path / "root" / "2.jpg").symlink_to("1.jpg")
    (tmp_path / "link").symlink_to(tmp_path / "root")
    assert read_image(tmp_path / "link", "2.jpg") == b"one"


def test_a_container_is_listed_alike_as_a_folder_and_as_a_zip_file(tmp_path: Path) -> None:
    names = ["b.JPG", "a/c.png", "a/.hidden.jpg", "__MACOSX/._b.jpg", "notes.txt", "a.webp"]
    zipped(tmp_path / "test.zip", dict.fromkeys(names, b""))
    with zipfile.ZipFile(tmp_path / "test.zip") as archive:
        archive.extractall(tmp_path / "test")
    for container in ("test", "test.zip"):
        listed = list_images(tmp_path, container)
        assert listed == [f"{container}/{name}" for name in ("a.webp", "a/c.png", "b.JPG")]
    assert list_images(tmp_path, "none") == []

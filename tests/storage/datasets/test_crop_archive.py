"""A whole catalog to one zip: complete, reproducible, resumable."""

import errno
import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZIP_STORED, ZipFile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from storage.datasets.crop import CropRules, crop, encode
from storage.datasets.crop_archive import (
    SMALL,
    Crop,
    CropResult,
    Rejection,
    SourceImage,
    check_rejected,
    discard_staged,
    entry_name,
    load_outcomes,
    pack_crops,
    refuse_shared_entries,
    save_outcomes,
    stage_crops,
    without_leaks,
)
from storage.errors import InputError

RULES = CropRules(size=32)
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


def quiet(done: int, total: int) -> None:
    """Progress that nobody watches."""


def jpeg(seed: int) -> bytes:
    """A small painting, another one for every seed."""
    pixels = np.random.default_rng(seed).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG")
    return buffer.getvalue()


def gallery(folder: Path, count: int) -> list[SourceImage]:
    """As many paintings on disk, by three artists."""
    images = []
    for number in range(count):
        name = f"Artist {number % 3}/{number:03}.jpg"
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(number))
        images.append(SourceImage(name, name, f"Artist {number % 3}", "train"))
    return images


def reader(folder: Path) -> Callable[[str], bytes]:
    """Reads files of a folder."""
    return lambda file: (folder / file).read_bytes()


def write_crops(
    images: Sequence[SourceImage],
    read: Callable[[str], bytes],
    target: Path,
    rules: CropRules,
    progress: Callable[[int, int], None],
) -> CropResult:
    """Stage, pack and discard what was staged."""
    result = without_leaks(images, stage_crops(images, read, target, rules, progress))
    pack_crops(result.crops, target, rules)
    discard_staged(target)
    return result


def entries(archive: Path) -> dict[str, bytes]:
    """Content of a zip by name, in its order."""
    with ZipFile(archive) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def test_every_crop_is_in_the_zip_under_its_own_name_and_in_order(tmp_path: Path) -> None:
    images = gallery(tmp_path / "in", 7)[::-1]
    result = write_crops(images, reader(tmp_path / "in"), tmp_path / "crops.zip", RULES, quiet)
    originals = {image.name: (tmp_path / "in" / image.file).read_bytes() for image in images}
    assert entries(tmp_path / "crops.zip") == {
        name: encode(crop(data, RULES), 75) for name, data in originals.items()
    }
    assert list(entries(tmp_path / "crops.zip")) == [image.name for image in images]
    assert result == CropResult(
        tuple(Crop(name, hashlib.sha256(data).hexdigest()) for name, data in originals.items()), ()
    )
    assert not (tmp_path / "crops.zip.partial").exists()


def test_entries_carry_nothing_of_the_day_or_the_machine(tmp_path: Path) -> None:
    images = gallery(tmp_path, 2)
    write_crops(images, reader(tmp_path), tmp_path / "crops.zip", RULES, quiet)
    with ZipFile(tmp_path / "crops.zip") as archive:
        for entry in archive.infolist():
            assert entry.date_time == (1980, 1, 1, 0, 0, 0)
            assert entry.compress_type == ZIP_STORED
            assert (entry.create_system, entry.external_attr) == (3, 0o100644 << 16)


def test_same_images_give_the_same_bytes_whatever_thread_ends_first(tmp_path: Path) -> None:
    images = gallery(tmp_path, 12)

    def first_is_slowest(file: str) -> bytes:
        time.sleep(0.02 if file == images[0].file else 0)
        return (tmp_path / file).read_bytes()

    one = write_crops(images, reader(tmp_path), tmp_path / "one.zip", RULES, quiet)
    other = write_crops(images, first_is_slowest, tmp_path / "other.zip", RULES, quiet)
    assert one == other
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "other.zip").read_bytes()


def test_progress_reaches_the_total(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    write_crops(
        gallery(tmp_path, 5),
        reader(tmp_path),
        tmp_path / "crops.zip",
        RULES,
        lambda done, total: seen.append((done, total)),
    )
    assert seen == [(done, 5) for done in range(1, 6)]


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("a.jpg", "a.jpg"),
        ("b/A.JPG", "b/A.JPG"),
        ("a.Jpeg", "a.Jpeg"),
        ("a.png", "a.png.jpg"),
        ("no suffix", "no suffix.jpg"),
        ("Žižka.tiff", "Žižka.tiff.jpg"),
    ],
)
def test_an_entry_always_ends_as_a_jpeg(name: str, entry: str, tmp_path: Path) -> None:
    assert entry_name(name) == entry
    assert entry_name(entry) == entry
    image = SourceImage(name, "file", "Goya", "train")
    result = write_crops([image], lambda _: jpeg(0), tmp_path / "crops.zip", RULES, quiet)
    assert list(entries(tmp_path / "crops.zip")) == [entry]
    assert result.crops[0].name == name


def test_two_images_that_would_share_an_entry_are_refused() -> None:
    images = [SourceImage(name, name, "Goya", "train") for name in ("a.png", "a.png.jpg")]
    with pytest.raises(InputError, match=r"^a\.png\.jpg: 2 images would have this name"):
        refuse_shared_entries(images)


def test_unusable_images_are_rejected_each_with_its_reason(tmp_path: Path) -> None:
    images = gallery(tmp_path, 5)
    (tmp_path / images[0].file).write_bytes(b"")
    (tmp_path / images[2].file).unlink()
    (tmp_path / images[4].file).write_bytes(jpeg(4)[:700])
    result = write_crops(images, reader(tmp_path), tmp_path / "crops.zip", RULES, quiet)
    assert result.rejections == (
        Rejection(images[0].name, "empty file"),
        Rejection(images[2].name, "No such file or directory"),
        Rejection(images[4].name, "truncated file"),
    )
    assert [made.name for made in result.crops] == [images[1].name, images[3].name]
    assert list(entries(tmp_path / "crops.zip")) == [images[1].name, images[3].name]


def test_a_readers_own_reason_is_kept(tmp_path: Path) -> None:
    def refuse(file: str) -> bytes:
        raise InputError(f"{file}: lies outside\nthe folder")

    image = SourceImage("a.jpg", "../a.jpg", "Goya", "train")
    result = write_crops([image], refuse, tmp_path / "crops.zip", RULES, quiet)
    assert result.rejections == (Rejection("a.jpg", "../a.jpg: lies outside the folder"),)
    assert entries(tmp_path / "crops.zip") == {}


def test_copies_are_rejected_and_stay_out_of_the_zip(tmp_path: Path) -> None:
    files = {"a": 1, "b": 1, "c": 2, "d": 2, "e": 3, "f": 3, "g": 4}
    rows = [("a", "Goya", "train"), ("b", "Degas", "train"), ("c", "Goya", "train"),
            ("d", "Goya", "test"), ("e", "Goya", "train"), ("f", "Goya", "train"),
            ("g", "Goya", "train")]  # fmt: skip
    images = [SourceImage(f"{file}.jpg", file, artist, split) for file, artist, split in rows]
    target = tmp_path / "crops.zip"
    result = write_crops(images, lambda file: jpeg(files[file]), target, RULES, quiet)
    assert [made.name for made in result.crops] == ["e.jpg", "g.jpg"]
    assert list(entries(target)) == ["e.jpg", "g.jpg"]
    assert [rejection.reason for rejection in result.rejections] == [
        "same bytes as b.jpg by Degas: a leak between artists",
        "same bytes as a.jpg by Goya: a leak between artists",
        "same bytes as d.jpg in test: a leak between splits",
        "same bytes as c.jpg in train: a leak between splits",
        "same bytes as e.jpg: a duplicate",
    ]


def interrupted(images: list[SourceImage], folder: Path, target: Path, after: int) -> None:
    """A call that is interrupted once the first images are done, before the others are read."""
    first, is_over = {image.file for image in images[:after]}, threading.Event()

    def read(file: str) -> bytes:
        if file not in first:
            is_over.wait()
            raise InputError("read after the interruption")
        return (folder / file).read_bytes()

    def interrupt(done: int, total: int) -> None:
        if done == after:
            is_over.set()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_crops(images, read, target, RULES, interrupt)


def mark_staged(target: Path) -> int:
    """Replace every staged crop by a mark that no decoding gives; how many there were."""
    staged = list(target.with_name(f"{target.name}.partial").iterdir())
    for path in staged:
        path.write_bytes(hashlib.sha256(b"staged").digest() + b"staged")
    return len(staged)


def test_after_an_interruption_finished_crops_are_not_decoded_again(tmp_path: Path) -> None:
    images, target = gallery(tmp_path / "in", 20), tmp_path / "crops.zip"
    interrupted(images, tmp_path / "in", target, after=5)
    assert not target.exists()
    marked = mark_staged(target)
    assert marked == 5
    write_crops(images, reader(tmp_path / "in"), target, RULES, quiet)
    assert list(entries(target).values()).count(b"staged") == marked
    assert [path.name for path in tmp_path.iterdir() if path.name != "in"] == ["crops.zip"]


@pytest.mark.parametrize("spoilt", ["emptied", "cut short", "zeros at its end"])
def test_staged_crops_that_a_power_cut_spoilt_are_made_again(tmp_path: Path, spoilt: str) -> None:
    images, target = gallery(tmp_path / "in", 20), tmp_path / "crops.zip"
    interrupted(images, tmp_path / "in", target, after=5)
    for path in target.with_name("crops.zip.partial").iterdir():
        half = len(data := path.read_bytes()) // 2
        kept = {"emptied": b"", "cut short": data[:half], "zeros at its end": data[:half]}[spoilt]
        filled = bytes(len(data) - half) if spoilt == "zeros at its end" else b""
        path.write_bytes(kept + filled)
    write_crops(images, reader(tmp_path / "in"), target, RULES, quiet)
    assert list(entries(target).values()) == [
        encode(crop(jpeg(number), RULES), 75) for number in range(20)
    ]


@pytest.mark.parametrize(
    "rules",
    [
        CropRules(size=31),
        CropRules(size=32, short_side=36),
        CropRules(size=32, quality=80),
    ],
)
def test_crops_staged_under_other_rules_are_not_used(tmp_path: Path, rules: CropRules) -> None:
    images, target = gallery(tmp_path / "in", 20), tmp_path / "crops.zip"
    interrupted(images, tmp_path / "in", target, after=5)
    mark_staged(target)
    write_crops(images, reader(tmp_path / "in"), target, rules, quiet)
    first = (tmp_path / "in" / images[0].file).read_bytes()
    assert b"staged" not in entries(target).values()
    assert entries(target)[images[0].name] == encode(crop(first, rules), rules.quality)


def test_a_file_changed_during_an_interruption_is_cropped_anew(tmp_path: Path) -> None:
    images, target = gallery(tmp_path / "in", 20), tmp_path / "crops.zip"
    interrupted(images, tmp_path / "in", target, after=10)
    for number, image in enumerate(images):
        (tmp_path / "in" / image.file).write_bytes(jpeg(100 + number))
    write_crops(images, reader(tmp_path / "in"), target, RULES, quiet)
    assert list(entries(target).values()) == [
        encode(crop(jpeg(100 + number), RULES), 75) for number in range(20)
    ]


def test_the_old_zip_stays_until_the_new_one_is_complete(tmp_path: Path) -> None:
    images, target = gallery(tmp_path / "in", 20), tmp_path / "crops.zip"
    target.write_bytes(b"older")
    interrupted(images, tmp_path / "in", target, after=5)
    assert target.read_bytes() == b"older"
    write_crops(images, reader(tmp_path / "in"), target, RULES, quiet)
    assert len(entries(target)) == 20


def test_disk_errors_are_not_rejections(tmp_path: Path) -> None:
    (tmp_path / "crops.zip.partial").write_bytes(b"a file where the staging folder must be")
    with pytest.raises(OSError, match=r"crops\.zip\.partial"):
        write_crops(gallery(tmp_path, 3), reader(tmp_path), tmp_path / "crops.zip", RULES, quiet)


def test_a_failed_write_of_a_crop_names_the_folder(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(jpeg(1))
    program = (
        "import resource, sys; from pathlib import Path\n"
        "from storage.datasets.crop_archive import *\n"
        "folder = Path(sys.argv[1]); image = SourceImage('1.png', '1.png', 'Goya', 'train')\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "try: stage_crops([image], lambda file: (folder / file).read_bytes(),"
        " folder / 'crops.zip', CropRules(size=32), lambda *_: None)\n"
        "except InputError as error: print(error)"
    )
    told = subprocess.check_output([sys.executable, "-c", program, tmp_path], text=True)
    assert told == f"{tmp_path}/crops.zip.partial: cannot be written (File too large)\n"


def test_a_fault_that_can_pass_rejects_nothing(tmp_path: Path) -> None:
    def read(file: str) -> bytes:
        raise OSError(errno.ESTALE, "the file server was restarted")

    with pytest.raises(OSError, match="restarted"):
        stage_crops(gallery(tmp_path, 3), read, tmp_path / "crops.zip", RULES, quiet)


SLOW_CROPS = """
import sys, time
from pathlib import Path
from storage.datasets.crop import CropRules
from storage.datasets.crop_archive import SourceImage, stage_crops

folder, target = Path(sys.argv[1]), Path(sys.argv[2])
names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.jpg"))

def read(file):
    time.sleep(0.02)
    return (folder / file).read_bytes()

images = [SourceImage(name, name, name.split("/")[0], "train") for name in names]
stage_crops(images, read, target, CropRules(size=32), lambda done, total: None)
"""


@pytest.mark.parametrize("kill_after", [1, 30])
def test_after_a_kill_there_is_no_zip_and_the_next_process_finishes(
    tmp_path: Path, kill_after: int
) -> None:
    folder, target = tmp_path / "in", tmp_path / "crops.zip"
    images = sorted(gallery(folder, 60), key=lambda image: image.name)
    staging = tmp_path / "crops.zip.partial"
    process = subprocess.Popen([sys.executable, "-c", SLOW_CROPS, folder, target])
    deadline = time.monotonic() + 30
    while len(list(staging.glob("*.crop"))) < kill_after and time.monotonic() < deadline:
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not target.exists()
    assert kill_after <= len(list(staging.glob("*.crop"))) < 60

    write_crops(images, reader(folder), target, RULES, quiet)
    write_crops(images, reader(folder), tmp_path / "unbroken.zip", RULES, quiet)
    assert target.read_bytes() == (tmp_path / "unbroken.zip").read_bytes()
    assert not staging.exists()


def result_of(crops: int, rejections: int) -> CropResult:
    """A result with as many of each."""
    return CropResult(
        tuple(Crop(f"{number}.jpg", "00") for number in range(crops)),
        tuple(Rejection(f"bad {number}.jpg", "empty file") for number in range(rejections)),
    )


@pytest.mark.parametrize(
    ("crops", "rejections", "share"), [(100, 0, 0), (99, 1, 0.01), (71, 29, 0.29), (1, 99, 1)]
)
def test_as_many_rejections_as_allowed_pass(crops: int, rejections: int, share: float) -> None:
    check_rejected(result_of(crops, rejections), crops + rejections, share)


def test_too_many_rejections_are_reported_in_one_line() -> None:
    with pytest.raises(InputError) as refusal:
        check_rejected(result_of(95, 5), 100, 0.04)
    assert str(refusal.value) == (
        "5 of 100 images cannot be used (bad 0.jpg: empty file; bad 1.jpg: empty file; "
        "bad 2.jpg: empty file; and 2 more): "
        "repair or remove them, or raise rejected_share, now 0.04"
    )


def test_nothing_left_is_refused_whatever_is_allowed() -> None:
    with pytest.raises(InputError, match=r"^2 of 2 images cannot be used"):
        check_rejected(result_of(0, 2), 2, 1.0)
    with pytest.raises(InputError, match=r"^there are no images to crop$"):
        check_rejected(result_of(0, 0), 0, 1.0)


@given(
    st.lists(
        st.one_of(
            st.builds(Rejection, name=NAMES, reason=NAMES),
            st.builds(
                Crop,
                name=NAMES,
                sha256=st.sampled_from(["a1", "b2"]),
                small=st.binary(min_size=SMALL, max_size=SMALL),
                n_pixels=st.integers(0, 2**40),
            ),
        ),
        min_size=1,
        max_size=4,
    ),
    st.booleans(),
)
def test_outcomes_of_a_shard_are_read_as_they_were_written(
    outcomes: list[Crop | Rejection], looked_at_small: bool
) -> None:
    if not looked_at_small:
        outcomes = [Crop(o.name, o.sha256) if isinstance(o, Crop) else o for o in outcomes]
    with TemporaryDirectory() as folder:
        path = save_outcomes(outcomes, Path(folder) / "crops.zip", 7)
        assert path.name == "shard-000007.npz"
        assert list(load_outcomes(path)) == outcomes

"""From a folder of paintings to a dataset, whole, and the same however it was interrupted."""

import csv
import hashlib
import os
import shutil
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from storage.catalogs.catalog import read_catalog
from storage.catalogs.split import SplitRules, split_catalog
from storage.datasets.building import (
    CatalogFile,
    Progress,
    build_dataset,
    dataset_of,
    keep_catalog,
    source_images,
    stage_shard,
)
from storage.datasets.crop import CropRules
from storage.datasets.dataset import Dataset, dataset_key, load_split, read_near_duplicates
from storage.datasets.decoding import DECODING
from storage.errors import InputError
from storage.shards import shards_of
from storage.sources import KaggleDraw, read_source
from storage.workspace import Workspace

RULES = CropRules(size=16)
SPLIT = SplitRules(validation_artists=0, test_artists=2)


def quiet(done: int, total: int) -> None:
    """Progress that nobody watches."""


def stop_after(calls: int) -> Callable[[int, int], None]:
    """Interrupt, as Ctrl-C does, at the given call."""
    seen: list[int] = []

    def progress(done: int, total: int) -> None:
        seen.append(done)
        if len(seen) == calls:
            raise KeyboardInterrupt

    return progress


def paint(path: Path, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (20, 24, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Six artists with three paintings each."""
    root = tmp_path / "paintings"
    for number in range(18):
        suffix = "png" if number % 2 else "jpg"
        paint(root / f"Artist {number // 3}" / f"{number}.{suffix}", number)
    return root


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace", "sqlite://")


def keep(space: Workspace, root: Path, rules: SplitRules = SPLIT) -> CatalogFile:
    """Split the source and keep its catalog."""
    catalog = read_source(root, KaggleDraw())
    return keep_catalog(space, str(root), catalog.root, split_catalog(catalog.images, rules))


def build(space: Workspace, catalog: CatalogFile, share: float = 0.5) -> Dataset:
    dataset = dataset_of(space, catalog, RULES)
    make(dataset, catalog, share)
    return dataset


def make(
    dataset: Dataset,
    catalog: CatalogFile,
    share: float,
    progress: Progress = quiet,
    shard_size: int = 7,
) -> None:
    """Crop all shards and build the dataset from them."""
    shards = shards_of(source_images(catalog), shard_size)
    staged = [stage_shard(shard, dataset, catalog, RULES, progress) for shard in shards]
    build_dataset(dataset, catalog, staged, RULES, share, progress)


def test_of_near_duplicates_one_is_kept_and_the_pairs_are_listed(
    root: Path, space: Workspace
) -> None:
    rules = CropRules(size=16, no_near_duplicates=True)
    with Image.open(root / "Artist 0" / "0.jpg") as image:
        image.resize((2 * image.width, 2 * image.height)).save(root / "Artist 0" / "large.png")
    catalog = keep(space, root)
    dataset, plain = dataset_of(space, catalog, rules), dataset_of(space, catalog, RULES)
    assert dataset.directory != plain.directory
    shards, told = shards_of(source_images(catalog), 5), set()
    for _ in range(2):  # as after an interruption
        staged = [stage_shard(shard, dataset, catalog, rules, quiet) for shard in shards]
        told.add(tuple(path.read_bytes() for path in staged))
    assert len(told) == 1  # done again, a shard ends with the same bytes
    build_dataset(dataset, catalog, staged, rules, 0.5, quiet)
    make(plain, catalog, 0.5)
    assert rejected(dataset)["Artist 0/0.jpg"] == "same picture as Artist 0/large.png: a duplicate"
    assert rejected(plain) == {}
    pair = read_near_duplicates(dataset).iloc[0]
    assert {pair["filename"], pair["duplicate_of"]} == {"Artist 0/0.jpg", "Artist 0/large.png"}
    assert read_near_duplicates(plain).empty
    with ZipFile(dataset.crops) as one, ZipFile(plain.crops) as other:
        assert one.read("Artist 0/large.png.jpg") == other.read("Artist 0/large.png.jpg")


def rejected(dataset: Dataset) -> dict[str, str]:
    with dataset.rejected.open(encoding="utf-8", newline="") as file:
        return {row["image_name"]: row["reason"] for row in csv.DictReader(file)}


def test_pixels_hashes_and_zip_are_those_of_the_files(space: Workspace, root: Path) -> None:
    dataset = build(space, keep(space, root))
    images = read_catalog(dataset.catalog)
    pixels = np.load(dataset.pixels)
    assert len(images) == len(pixels) == 18
    assert images["crop"].tolist() == [str(place) for place in range(18)]
    with ZipFile(dataset.crops) as crops:
        assert len(crops.namelist()) == 18
        for image in images.to_dict("records"):
            file = root / image["file"]
            assert image["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
            entry = image["image_name"] + (".jpg" if file.suffix == ".png" else "")
            decoded = np.asarray(Image.open(BytesIO(crops.read(entry))))
            np.testing.assert_array_equal(pixels[int(image["crop"])], decoded)
            centre = np.asarray(Image.open(file).convert("RGB"))[2:18, 4:20].astype(int)
            assert np.abs(decoded - centre).mean() < 64  # noise, seen through a JPEG
    assert rejected(dataset) == {}


def test_unusable_images_are_reported_with_a_reason_and_left_out(
    space: Workspace, root: Path
) -> None:
    (root / "Artist 0" / "0.jpg").write_bytes(b"no picture")
    (root / "Artist 1" / "3.png").write_bytes(b"")
    shutil.copy(root / "Artist 2" / "6.jpg", root / "Artist 3" / "copy.jpg")
    catalog = keep(space, root)
    (root / "Artist 4" / "12.jpg").unlink()
    dataset = build(space, catalog)
    reasons = rejected(dataset)
    assert list(reasons) == [
        "Artist 0/0.jpg",
        "Artist 1/3.png",
        "Artist 2/6.jpg",
        "Artist 3/copy.jpg",
        "Artist 4/12.jpg",
    ]
    assert reasons["Artist 0/0.jpg"] == "not an image, or of an unknown format"
    assert reasons["Artist 1/3.png"] == "empty file"
    assert reasons["Artist 2/6.jpg"].startswith("same bytes as Artist 3/copy.jpg by Artist 3")
    assert "no such file" in reasons["Artist 4/12.jpg"]
    images = read_catalog(dataset.catalog)
    assert not set(images["image_name"]) & set(reasons)
    assert len(images) == len(np.load(dataset.pixels)) == 19 - 5


def test_an_artist_left_with_one_image_is_excluded(space: Workspace, root: Path) -> None:
    catalog = keep(space, root)
    train = sorted(set(read_catalog(catalog.path).query("split == 'train'")["artist_name"]))
    for file in sorted((root / train[0]).iterdir())[:2]:
        file.write_bytes(b"torn")
    dataset = build(space, catalog)
    images = read_catalog(dataset.catalog)
    assert images.loc[images["artist_name"] == train[0], "split"].tolist() == ["excluded"]
    loaded = load_split(dataset, "train")
    assert set(loaded.artist_names) == set(train[1:])
    assert loaded.rows.tolist() == images.query("split == 'train'")["crop"].astype(int).tolist()


def test_excluded_images_stay_in_the_catalog_without_a_crop(space: Workspace, root: Path) -> None:
    dataset = build(space, keep(space, root, SplitRules(0, 2, images_per_artist=2)))
    images = read_catalog(dataset.catalog)
    excluded = images[images["split"] == "excluded"]
    assert len(excluded) == 6
    assert set(excluded["crop"]) == set(excluded["sha256"]) == {""}
    assert len(np.load(dataset.pixels)) == 12


def test_too_many_rejected_images_leave_no_catalog(space: Workspace, root: Path) -> None:
    for number in (0, 3, 6):
        next((root / f"Artist {number // 3}").glob(f"{number}.*")).write_bytes(b"torn")
    catalog = keep(space, root)
    with pytest.raises(InputError, match=r"^3 of 18 images cannot be used .*rejected_share"):
        build(space, catalog, share=0.1)
    dataset = dataset_of(space, catalog, RULES)
    assert not list(space.home.rglob("catalog.csv"))
    assert len(rejected(dataset)) == 3
    assert len(list(dataset.directory.glob("crops.zip.partial/*.crop"))) == 15, "to go on with"
    make(dataset, catalog, 0.2)
    assert len(read_catalog(dataset.catalog)) == 15


@pytest.mark.parametrize(
    "calls", [5, 18, 20, 36], ids=["crops", "crops-end", "pixels", "pixels-end"]
)
def test_an_interrupted_build_is_resumed(space: Workspace, root: Path, calls: int) -> None:
    catalog = keep(space, root)
    dataset = dataset_of(space, catalog, RULES)
    with pytest.raises(KeyboardInterrupt):
        make(dataset, catalog, 0, stop_after(calls))
    assert not dataset.catalog.exists()
    assert not dataset.pixels.exists()
    assert list(dataset.directory.glob("crops.zip.partial/*")), "to go on with"
    make(dataset, catalog, 0)
    other = Dataset(space.home / "at once")
    make(other, catalog, 0, shard_size=100)
    for part in ("catalog", "rejected", "crops", "pixels"):
        assert getattr(dataset, part).read_bytes() == getattr(other, part).read_bytes(), part
    assert sorted(path.name for path in dataset.directory.iterdir()) == sorted(
        path.name for path in other.directory.iterdir()
    )


def test_progress_counts_over_all_shards(space: Workspace, root: Path) -> None:
    catalog = keep(space, root)
    calls: list[tuple[int, int]] = []
    make(dataset_of(space, catalog, RULES), catalog, 0, lambda *call: calls.append(call))
    assert calls == [(done, 18) for done in range(1, 19)] * 2  # crops, then pixels


def test_crops_made_before_an_interruption_are_not_made_again(space: Workspace, root: Path) -> None:
    catalog = keep(space, root)
    dataset = dataset_of(space, catalog, RULES)
    with pytest.raises(KeyboardInterrupt):
        make(dataset, catalog, 0, stop_after(6))
    waiting = list(dataset.directory.glob("crops.zip.partial/*"))
    assert len(waiting) >= 6
    red = BytesIO()
    Image.new("RGB", (16, 16), "red").save(red, "JPEG")
    marked = red.getvalue()
    waiting[0].write_bytes(hashlib.sha256(marked).digest() + marked)
    make(dataset, catalog, 0)
    with ZipFile(dataset.crops) as crops:
        assert [crops.read(name) for name in crops.namelist()].count(marked) == 1


# Names


def test_a_catalog_is_named_by_its_content(space: Workspace, root: Path) -> None:
    first, second = keep(space, root), keep(space, root)
    assert first == second
    assert first.path.parent == space.catalogs
    assert first.path.name.startswith("paintings-")
    assert keep(space, root, SplitRules(0, 3)).path != first.path
    assert len(list(space.catalogs.iterdir())) == 2
    split = split_catalog(read_source(root, KaggleDraw()).images, SPLIT)
    assert read_catalog(first.path).to_dict("list") == split.to_dict("list")
    assert (first.source, first.root) == (str(root), root)


def test_two_sources_of_one_name_do_not_collide(space: Workspace, root: Path) -> None:
    other = root.parent / "other" / root.name
    shutil.copytree(root, other)
    catalogs = [keep(space, root), keep(space, other)]
    assert catalogs[0].path != catalogs[1].path
    assert catalogs[0].path.read_bytes() == catalogs[1].path.read_bytes()
    assert len({dataset_of(space, catalog, RULES) for catalog in catalogs}) == 2


@pytest.mark.parametrize(
    ("source", "stem"), [("a/My art (2).csv", "My-art-2"), ("/", "catalog"), ("Été", "Été")]
)
def test_a_sources_name_becomes_a_file_name(
    space: Workspace, root: Path, source: str, stem: str
) -> None:
    images = read_source(root, KaggleDraw()).images
    catalog = keep_catalog(space, source, root, images)
    assert catalog.path.stem.rpartition("-")[0] == stem
    assert dataset_of(space, catalog, RULES).directory.name.rpartition("-")[0] == stem


def test_the_key_stays_until_what_the_dataset_is_made_from_changes(
    space: Workspace, root: Path
) -> None:
    catalog = keep(space, root)

    def key() -> str:
        return dataset_key(root, catalog.path, RULES)

    keys = [key()]
    (root / "notes.txt").write_text("no painting", encoding="utf-8")
    file = root / "Artist 0" / "0.jpg"
    found = file.stat()
    os.utime(file, ns=(found.st_atime_ns + 10**9, found.st_mtime_ns))  # read, not written
    assert key() == keys[0]
    os.utime(file, ns=(found.st_atime_ns, found.st_mtime_ns + 1))
    keys.append(key())
    file.write_bytes(file.read_bytes() + b"!")
    os.utime(file, ns=(found.st_atime_ns, found.st_mtime_ns))
    keys.append(key())
    file.unlink()
    keys.append(key())
    keys.append(dataset_key(root, catalog.path, CropRules(size=17)))
    keys.append(dataset_key(root, catalog.path, CropRules(size=16, quality=80)))
    keys.append(dataset_key(root, keep(space, root, SplitRules(0, 3)).path, RULES))
    assert len(set(keys)) == len(keys)


def test_a_decoder_that_gives_other_pixels_changes_the_key(
    space: Workspace, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = keep(space, root)
    before = dataset_key(root, catalog.path, RULES)
    monkeypatch.setattr("storage.datasets.dataset.DECODING", DECODING + 1)
    assert dataset_key(root, catalog.path, RULES) != before


def test_files_of_excluded_images_do_not_count_for_the_key(space: Workspace, root: Path) -> None:
    catalog = keep(space, root, SplitRules(0, 2, images_per_artist=2))
    before = dataset_key(root, catalog.path, RULES)
    excluded = read_catalog(catalog.path).query("split == 'excluded'")["file"].iloc[0]
    (root / excluded).write_bytes(b"changed")
    assert dataset_key(root, catalog.path, RULES) == before


def test_the_key_changes_with_the_zip_that_holds_the_images(
    space: Workspace, tmp_path: Path
) -> None:
    names = ["art.zip/1.jpg", "art.zip/2.jpg"]
    images = pd.DataFrame({"image_name": names, "artist_name": "A", "split": "train"})
    catalog = keep_catalog(space, "art", tmp_path, images.assign(file=names))
    keys = [dataset_key(tmp_path, catalog.path, RULES)]
    for content in ("one", "other"):
        with ZipFile(tmp_path / "art.zip", "w") as archive:
            archive.writestr("1.jpg", content)
        keys.append(dataset_key(tmp_path, catalog.path, RULES))
    assert len(set(keys)) == 3

"""Crops paintings into one zip, on all cores, resumable and reproducible."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

import numpy as np
import PIL
from PIL import Image

from storage.arrays import load_arrays, save_arrays
from storage.datasets.crop import CropRules, crop, crop_and_shrink, encode
from storage.datasets.decoding import DECODING, open_image, without_pillow_warnings
from storage.datasets.leaks import Original, leak_reasons
from storage.datasets.near_duplicates import SIDE, find_near_duplicates
from storage.errors import InputError, reason_of, unusable
from storage.files import present, remove, replacing
from storage.object_store import address_of
from storage.threads import in_threads

SMALL = SIDE * SIDE  # bytes
DIGEST_BYTES = hashlib.sha256().digest_size


@dataclass(frozen=True, slots=True)
class SourceImage:
    """An image to crop: its `name` in the catalog and the zip, and the `file` it is read from."""

    name: str
    file: str
    artist: str
    split: str


@dataclass(frozen=True, slots=True)
class Crop:
    """An image that is in the zip; `sha256` is that of its original file.

    `small` are the pixels of `near_duplicates.shrink` and `n_pixels` those of the original, where
    near-duplicates are looked for.
    """

    name: str
    sha256: str
    small: bytes = field(default=b"", repr=False)
    n_pixels: int = 0


@dataclass(frozen=True, slots=True)
class Rejection:
    """An image that is not in the zip, and why."""

    name: str
    reason: str


Outcome = Crop | Rejection


@dataclass(frozen=True, slots=True)
class NamedDuplicate:
    """Two images that show the same picture, see `storage.datasets.near_duplicates`."""

    filename: str
    duplicate_of: str
    kind: str
    similarity: float


@dataclass(frozen=True, slots=True)
class CropResult:
    """The outcome for every image, each part in the order of the images."""

    crops: tuple[Crop, ...]
    rejections: tuple[Rejection, ...]
    near_duplicates: tuple[NamedDuplicate, ...] = ()


def stage_crops(
    images: Sequence[SourceImage],
    read: Callable[[str], bytes],
    target: Path,
    rules: CropRules,
    progress: Callable[[int, int], None],
) -> tuple[Outcome, ...]:
    """Crop images for the zip `target`; outcomes are in the order of the images.

    Threads call `read(file)` for a file's bytes. If it raises InputError or OSError, or the bytes
    are no usable image, the image is rejected. A fault that may pass is raised.

    Finished crops wait in the folder `target` + `.partial` for `pack_crops`. After an interruption
    the next call only crops what is missing. Only one call per target may run at a time.
    """
    staging = staging_of(target)
    staging.mkdir(parents=True, exist_ok=True)

    def stage(image: SourceImage) -> Outcome:
        return _stage(image, read, staging, rules)

    with without_pillow_warnings():
        return tuple(in_threads(stage, images, progress))


def outcomes_of(target: Path, number: int) -> Path:
    """Return the file for the outcomes of a shard, beside its staged crops."""
    return staging_of(target) / f"shard-{number:06d}.npz"


def save_outcomes(outcomes: Sequence[Outcome], target: Path, number: int) -> Path:
    """Write the outcomes of a shard."""
    path = outcomes_of(target, number)
    crops = [each if isinstance(each, Crop) else None for each in outcomes]
    columns = {
        "name": [each.name for each in outcomes],
        "sha256": [crop.sha256 if crop else "" for crop in crops],
        "n_pixels": [crop.n_pixels if crop else 0 for crop in crops],
        "reason": [each.reason if isinstance(each, Rejection) else "" for each in outcomes],
    }
    small = np.frombuffer(b"".join(crop.small for crop in crops if crop), np.uint8)
    save_arrays(
        path, {**{name: np.array(cells) for name, cells in columns.items()}, "small": small}
    )
    return path


def share_staged(outcomes: Sequence[Outcome], path: Path, target: Path, rules: CropRules) -> None:
    """Put the staged crops of the outcomes in ``path`` beside it, if this folder is a cache.

    Elsewhere all machines see the staged crops themselves.
    """
    if address_of(path) is None:
        return
    staging = staging_of(target)
    names = {_staged_name(each.sha256, rules) for each in outcomes if isinstance(each, Crop)}
    with replacing(path.with_suffix(".zip")) as partial, ZipFile(partial, "w") as archive:
        for name in sorted(names):
            archive.write(staging / name, name)


def fetch_staged(path: Path, target: Path) -> None:
    """Stage the crops that `share_staged` put beside the outcomes in ``path``, if it did."""
    shared, staging = present(path.with_suffix(".zip")), staging_of(target)
    if shared.exists():
        with ZipFile(shared) as archive:
            missing = [name for name in archive.namelist() if not (staging / name).exists()]
            archive.extractall(staging, missing)


def load_outcomes(path: Path) -> Iterator[Outcome]:
    """Read what `save_outcomes` wrote. Raises InputError if the file is missing or damaged."""
    kept = load_arrays(path)
    n_crops = int((kept["sha256"] != "").sum())
    small = kept["small"].reshape(n_crops, -1) if n_crops else kept["small"]
    columns = (kept[name].tolist() for name in ("name", "sha256", "n_pixels", "reason"))
    of_crops = iter(small)
    for name, sha256, n_pixels, reason in zip(*columns, strict=True):
        if sha256:
            yield Crop(name, sha256, next(of_crops).tobytes(), n_pixels)
        else:
            yield Rejection(name, reason)


def without_leaks(images: Sequence[SourceImage], outcomes: Sequence[Outcome]) -> CropResult:
    """Separate crops from rejections, and reject copies, see `storage.datasets.leaks`."""
    made = [each for each in outcomes if isinstance(each, Crop)]
    near = named_duplicates([each for each in made if each.small])
    known = {image.name: image for image in images}
    leaks = leak_reasons(
        (
            Original(
                each.name,
                known[each.name].artist,
                known[each.name].split,
                each.sha256,
                each.n_pixels,
            )
            for each in made
        ),
        ((each.duplicate_of, each.filename) for each in near),
    )
    final = [
        Rejection(made.name, leaks[made.name]) if made.name in leaks else made for made in outcomes
    ]
    return CropResult(
        tuple(each for each in final if isinstance(each, Crop)),
        tuple(each for each in final if isinstance(each, Rejection)),
        near,
    )


def named_duplicates(crops: Sequence[Crop]) -> tuple[NamedDuplicate, ...]:
    """Find the images that show the same picture, files of the same bytes too."""
    if len(crops) < 2:
        return ()
    small = np.frombuffer(b"".join(crop.small for crop in crops), np.uint8)
    return tuple(
        NamedDuplicate(crops[each.second].name, crops[each.first].name, each.kind, each.similarity)
        for each in find_near_duplicates(small.reshape(-1, SIDE, SIDE))
    )


def pack_crops(crops: Sequence[Crop], target: Path, rules: CropRules) -> None:
    """Write the staged crops into the zip `target`, in order and atomically, uncompressed.

    Its bytes depend only on the images, the rules and the versions of Pillow and nvImageCodec.
    """
    staging = staging_of(target)
    with replacing(target) as partial, ZipFile(partial, "w", ZIP_STORED) as archive:
        for made in crops:
            entry = _constant_entry(entry_name(made.name))
            staged = _read_staged(staging / _staged_name(made.sha256, rules))
            archive.writestr(entry, staged[len(made.small) :])


def read_crops(archive: Path, names: Iterable[str]) -> dict[str, bytes]:
    """Read the crops of the images `names`, as JPEGs, from the zip `archive`.

    Raises InputError if the zip is damaged or lacks one of them.
    """
    try:
        with ZipFile(present(archive)) as crops:
            return {name: crops.read(entry_name(name)) for name in names}
    except (OSError, BadZipFile, KeyError) as error:
        text = f"{archive}: not a zip of these crops ({error}): delete it and prepare again"
        raise unusable(error, text) from error


def discard_staged(target: Path) -> None:
    """Remove the staged crops."""
    remove(staging_of(target))


def staging_of(target: Path) -> Path:
    """Return the folder where crops wait for `pack_crops`."""
    return target.with_name(f"{target.name}.partial")


def entry_name(name: str) -> str:
    """Return an image's name in the zip: its own, with .jpg after any other suffix."""
    return name if name.lower().endswith((".jpg", ".jpeg")) else f"{name}.jpg"


def check_rejected(result: CropResult, total: int, share: float) -> None:
    """Raise InputError if more than `share` of the `total` images, or all of them, are rejected."""
    rejected = len(result.rejections)
    if not total:
        raise InputError("there are no images to crop")
    if result.crops and rejected / total <= share:
        return
    shown = "; ".join(f"{each.name}: {each.reason}" for each in result.rejections[:3])
    more = f"; and {rejected - 3} more" if rejected > 3 else ""
    raising = f", or raise rejected_share, now {share:g}" if result.crops else ""
    raise InputError(
        f"{rejected} of {total} images cannot be used ({shown}{more}): "
        f"repair or remove them{raising}"
    )


def refuse_shared_entries(images: Sequence[SourceImage]) -> None:
    """Raise InputError if two images would have the same name in the zip."""
    entries = Counter(entry_name(image.name) for image in images)
    for entry, count in entries.items():
        if count > 1:
            raise InputError(f"{entry}: {count} images would have this name: give each its own")


def _stage(
    image: SourceImage, read: Callable[[str], bytes], staging: Path, rules: CropRules
) -> Outcome:
    """Crop an image into the staging folder unless its crop is there.

    The file is read and hashed every time, which is cheap, so that changed files are noticed.
    """
    try:
        data = read(image.file)
    except (InputError, OSError) as error:
        return Rejection(image.name, reason_of(error))
    sha256 = hashlib.sha256(data).hexdigest()
    staged = staging / _staged_name(sha256, rules)
    if not _is_staged(staged):
        try:
            cropped, small = _made(data, rules)
        except InputError as error:
            return Rejection(image.name, reason_of(error))
        _write_staged(staged, small + encode(cropped, rules.quality))
    if not rules.no_near_duplicates:
        return Crop(image.name, sha256)
    with open_image(data) as opened:
        return Crop(image.name, sha256, _read_staged(staged)[:SMALL], opened.width * opened.height)


def _made(data: bytes, rules: CropRules) -> tuple[Image.Image, bytes]:
    """Crop an image, and shrink it if near-duplicates are looked for."""
    if not rules.no_near_duplicates:
        return crop(data, rules), b""
    cropped, small = crop_and_shrink(data, rules)
    return cropped, small.tobytes()


def _write_staged(staged: Path, cropped: bytes) -> None:
    """Write a crop after its hash, which shows after a crash whether it is whole.

    This is faster than waiting for the disk after every crop.
    """
    try:
        staged.write_bytes(hashlib.sha256(cropped).digest() + cropped)
    except OSError as error:
        text = f"{staged.parent}: cannot be written ({error.strerror})"
        raise unusable(error, text) from error


def _is_staged(staged: Path) -> bool:
    """Return whether a crop is there and whole."""
    try:
        _read_staged(staged)
    except (FileNotFoundError, InputError):
        return False
    return True


def _read_staged(staged: Path) -> bytes:
    data = staged.read_bytes()
    digest, cropped = data[:DIGEST_BYTES], data[DIGEST_BYTES:]
    if hashlib.sha256(cropped).digest() != digest:
        raise InputError(f"{staged} has changed on the disk: begin again")
    return cropped


def _staged_name(sha256: str, rules: CropRules) -> str:
    """Name a crop after everything it depends on, so that a stale one is never used."""
    resized = f"-resized-{rules.short_side}" if rules.short_side is not None else ""
    small = "-small" if rules.no_near_duplicates else ""
    made = (
        f"{rules.size}{resized}{small}-quality-{rules.quality}-pillow-{PIL.__version__}-{DECODING}"
    )
    return f"{sha256}-{made}.crop"


def _constant_entry(name: str) -> ZipInfo:
    """Return an entry that does not depend on the time or the machine."""
    entry = ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    entry.create_system = 3  # Unix, whatever this is
    entry.external_attr = 0o100644 << 16  # an ordinary file that all may read
    return entry

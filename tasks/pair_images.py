"""The images in a file of pairs: each is cropped and embedded once, shard by shard."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from prefect import get_run_logger

from model.cautions import Caution
from storage.arrays import load_arrays, save_arrays
from storage.database.handed_out import hand_out
from storage.datasets.loose_crops import crop_loose, locate_images
from storage.errors import InputError
from storage.files import present
from storage.image_files import ImageReader
from storage.pairs.file import survey_pairs
from storage.shards import Shard, shards_of
from tasks.cautions import cautions_about_images, read_experience
from tasks.embedding import embed_and_describe
from tasks.models import StoredModel, network_on
from tasks.support.progress import progress_bar
from tasks.support.run import OpenRun
from tasks.support.step import step

SHARD = 1_000

NamedFile = tuple[str, str]
"""An image as the pairs name it, and its file."""


@dataclass(frozen=True, slots=True)
class PairImages:
    """The images of a pair file, and its number of rows, faulty ones too."""

    shards: tuple[Shard[NamedFile], ...]
    n_rows: int


@step(hours=6)
def find_images(pairs: Path, root: Path) -> PairImages:
    """Read the pairs for the images that they name, and find their files under ``root``."""
    survey = survey_pairs(pairs)
    get_run_logger().info("%d rows name %d images", survey.n_rows, len(survey.names))
    return PairImages(shards_of(locate_images(root, survey.names), SHARD), survey.n_rows)


@step("embed shard {shard.number} of {shard.count}", hours=6)
def embed_shard(run: OpenRun, model: StoredModel, shard: Shard[NamedFile], root: Path) -> Path:
    """Crop and embed the images of a shard; a resumed run skips what it has embedded."""
    digest = hashlib.sha256(repr(shard.items).encode()).hexdigest()[:12]
    target = run.folder.embeddings(f"model-{model.id}", f"pairs-{digest}")
    if present(target).exists():
        return target
    with ImageReader(root) as reader, progress_bar("cropping and embedding") as progress:

        def count_on(done: int, _: int) -> None:
            progress(shard.before + done, shard.total)

        crops = crop_loose(shard.items, reader.read, run.settings.crop_rules(), count_on)
    for name, reason in crops.rejected[:3]:
        get_run_logger().warning("%s cannot be used: %s", name, reason)
    network = network_on(run.compute, model.checkpoint)
    embeddings, features = embed_and_describe(network, crops.pixels, run.compute)
    url, experience = run.space.database_url, read_experience(model.checkpoint)
    used = hand_out(url, str(model.id))
    cautions = cautions_about_images(crops, features, used, experience, url)
    texts = {
        "names": list(crops.names),
        "faults": [f"{name}: {reason}" for name, reason in crops.rejected],
        "cautions": [(str(each.image), each.code, each.text) for each in cautions],
    }
    parts = {name: np.array(values, np.str_) for name, values in texts.items()}
    save_arrays(target, {"embeddings": embeddings, **parts})
    return target


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedImages:
    """The usable images of a pair file, and what makes verdicts on some of them doubtful."""

    names: list[str]  # N
    embeddings: npt.NDArray[np.float32]  # (N, D)
    cautions: tuple[Caution, ...]


def load_embedded(pairs: Path, embedded: Sequence[Path]) -> EmbeddedImages:
    """Return the usable images of all shards. Raises InputError if none of them can be used."""
    shards = [load_arrays(path) for path in embedded]
    names = [name for shard in shards for name in shard["names"].tolist()]
    if not names:
        first = next(fault for shard in shards for fault in shard["faults"].tolist())
        raise InputError(f"{pairs}: none of its images can be used; the first is {first}")
    return EmbeddedImages(
        names,
        np.concatenate([shard["embeddings"] for shard in shards]),
        tuple(Caution(*each) for shard in shards for each in shard["cautions"].tolist()),
    )

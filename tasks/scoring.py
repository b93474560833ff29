"""Scoring the pairs of a file: each image embedded once, every pair to the database and a CSV."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from prefect import get_run_logger

from model.calibration import Calibration, probability
from model.checkpoint import load_checkpoint
from model.compute import Compute
from model.distances import finite_points, row_distances
from model.embedding import embed
from storage.arrays import load_arrays, save_arrays
from storage.database import records
from storage.database.datasets import image_ids, record_dataset
from storage.database.evaluation_tables import Evaluation
from storage.database.pair_rows import PairColumns
from storage.database.session import transaction
from storage.datasets.crop import CropRules
from storage.datasets.loose_crops import crop_loose, locate_images
from storage.errors import InputError
from storage.files import replacing, sha256_of
from storage.image_files import ImageReader
from storage.pair_file import image_names, read_pairs, write_submission
from storage.workspace import Workspace
from tasks.progress import progress_bar
from tasks.records import KeptModel, OpenRun
from tasks.step import step


@dataclass(frozen=True, slots=True)
class Scored:
    """Where the answers are, and how many there are."""

    evaluation_id: int
    submission: Path
    n_pairs: int


@step(hours=24)
def embed_named_images(
    pairs: Path, root: Path, model: KeptModel, rules: CropRules, compute: Compute, target: Path
) -> Path:
    """Crop and embed every image that the pairs name, once."""
    files = locate_images(root, image_names(pairs))
    with ImageReader(root) as reader, progress_bar("cropping") as progress:
        crops = crop_loose(files, reader.read, rules, progress)
    for name, reason in crops.rejected:
        raise InputError(
            f"{pairs}: {len(crops.rejected)} of its {len(files)} images cannot be used under "
            f"{root}, the first is {name}: {reason}"
        )
    network = load_checkpoint(model.checkpoint, compute.device).network
    with progress_bar("embedding") as progress:
        rows = np.arange(len(crops.names))
        embeddings = embed(network, crops.pixels, rows, compute, progress)
    save_arrays(target, {"embeddings": embeddings, "names": np.array(crops.names)})
    return target


@step(hours=24)
def store_scores(
    run: OpenRun,
    model: KeptModel,
    pairs: Path,
    embeddings: Path,
    submission: Path,
    space: Workspace,
) -> Scored:
    """Write every pair's distance to the database and its probability to the submission CSV."""
    content = load_arrays(embeddings)
    points = finite_points(content["embeddings"])
    calibration = Calibration(model.threshold, model.slope)
    places = {name: place for place, name in enumerate(content["names"].tolist())}
    with transaction(space.database_url) as session, replacing(submission) as partial:
        dataset_id = record_dataset(
            session,
            source=run.source,
            content_hash=_content_hash(pairs, content["embeddings"]),
            images=_unsigned_images(places),
            rejected=pd.DataFrame(columns=["image_name", "reason"]),
        )
        records.attach_dataset(session, run.id, dataset_id)
        evaluation_id = records.start_evaluation(
            session, Evaluation(run_id=run.id, model_id=model.id, dataset_id=dataset_id, split=None)
        )
        known = image_ids(session, dataset_id)
        ids = np.array([known[name] for name in places])

        def scored() -> Iterator[tuple[list[int], np.ndarray]]:
            for piece in read_pairs(pairs):
                first, second = (piece[name].map(places).to_numpy() for name in _IMAGES)
                distances = row_distances(points, first, second)
                index = piece["index"].to_numpy()
                columns = PairColumns(index, ids[first], ids[second], distances, None)
                records.write_pairs(session, evaluation_id, columns)
                yield piece["index"].tolist(), probability(distances, calibration)

        count = write_submission(partial, scored())
        measured = Evaluation(threshold=model.threshold, n_images=len(places), n_pairs=count)
        records.complete_evaluation(session, evaluation_id, measured)
    get_run_logger().info("%d pairs scored into %s", count, submission)
    return Scored(evaluation_id, submission, count)


_IMAGES = ("image1", "image2")


def _unsigned_images(names: dict[str, int]) -> pd.DataFrame:
    """Images by artists that nobody has told."""
    return pd.DataFrame({"image_name": list(names), "artist_name": None, "split": "test"})


def _content_hash(pairs: Path, embeddings: np.ndarray) -> str:
    return hashlib.sha256(sha256_of(pairs).encode() + embeddings.tobytes()).hexdigest()

"""Compare two images, without Prefect and torch: the answer takes a second."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from flows.cli.cautions import Caution, Picture, cautions_about
from flows.cli.kept_network import kept_network
from model.calibration import Verdict, calibration_of, log_likelihood_ratio, probability, verdict
from model.distances import finite_points, row_distances
from model.exported import embed_exported
from storage.database.handed_out import hand_out
from storage.datasets.crop import CropRules
from storage.datasets.loose_crops import crop_loose
from storage.errors import InputError
from storage.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Comparison:
    """The verdict on two images.

    ``log_likelihood_ratio`` is the natural logarithm of how much likelier the distance is for one
    artist than for two; ``probability`` adds the ``prior``.
    """

    image_a: str
    image_b: str
    model_id: int
    distance: float
    threshold: float
    log_likelihood_ratio: float
    prior: float
    probability: float
    verdict: Verdict
    same_artist: bool
    same_file: bool
    cautions: tuple[Caution, ...]


def compare_images(
    image_a: Path, image_b: Path, model_id: str | None, prior: float, space: Workspace
) -> Comparison:
    """Compare two images by a model, by default the champion.

    Raises InputError if an image cannot be used, or if there is no model yet.
    """
    for path in (image_a, image_b):
        if path.exists() and not path.is_file():
            raise InputError(f"{path}: is not a file")
    model = hand_out(space.database_url, model_id)
    network = kept_network(model, space)
    files = [(str(path), str(path)) for path in (image_a, image_b)]
    rules = CropRules(**network.description["crop"])
    read = cache(_read)  # what is cropped is what the cautions are about
    crops = crop_loose(files, read, rules, lambda done, total: None)
    for name, reason in crops.rejected:
        raise InputError(f"{name}: {reason}")
    points = finite_points(embed_exported(network, crops.pixels, np.arange(2)))
    distance = float(row_distances(points, np.array([0]), np.array([1]))[0])
    calibration, contents = calibration_of(model), [read(file) for _, file in files]
    pictures = [
        Picture(name, content, pixels)
        for (name, _), content, pixels in zip(files, contents, crops.pixels, strict=True)
    ]
    return Comparison(
        image_a=str(image_a),
        image_b=str(image_b),
        model_id=model.id,
        distance=distance,
        threshold=model.threshold,
        log_likelihood_ratio=float(log_likelihood_ratio(distance, calibration)),
        prior=prior,
        probability=float(probability(distance, calibration, prior)),
        verdict=verdict(distance, calibration.band),
        same_artist=distance <= model.threshold,
        same_file=contents[0] == contents[1],
        cautions=tuple(cautions_about(pictures, model, space.database_url)),
    )


def _read(file: str) -> bytes:
    return Path(file).read_bytes()

"""Compare two images, without Prefect and torch: the answer takes a second."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from flows.cli.kept_network import crop_for, kept_network
from model.calibration import Verdict, calibration_of, log_likelihood_ratio, probability, verdict
from model.cautions import Caution
from model.distances import finite_points, row_distances
from model.experience import Experience
from model.exported import describe_exported
from storage.database.handed_out import HandedOut, hand_out
from storage.datasets.loose_crops import LooseCrops
from storage.datasets.near_duplicates import show_the_same
from storage.workspace import Workspace
from tasks.cautions import cautions_about_images, cautions_about_model, read_experience


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
    same_picture: bool
    cautions: tuple[Caution, ...]


def compare_images(
    image_a: Path,
    image_b: Path,
    model_id: str | None,
    prior: float,
    space: Workspace,
    picture: Path | None = None,
) -> Comparison:
    """Compare two images by a model, by default the champion; draw what it saw to ``picture``.

    Raises InputError if an image cannot be used, if there is no model yet, or if the picture cannot
    be written.
    """
    model = hand_out(space.database_url, model_id)
    network = kept_network(model, space)
    crops = crop_for(network, (image_a, image_b))
    embeddings, features = describe_exported(network, crops.pixels)
    points = finite_points(embeddings)
    distance = float(row_distances(points, np.array([0]), np.array([1]))[0])
    calibration = calibration_of(model)
    experience = read_experience(space.home / model.path)
    found = Comparison(
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
        same_file=crops.sha256[0] == crops.sha256[1],
        same_picture=_show_the_same(crops),
        cautions=tuple(_cautions(crops, features, model, experience, space.database_url)),
    )
    if picture is not None:
        from flows.cli.comparison_picture import draw_comparison  # takes matplotlib along

        draw_comparison(found, crops, network, calibration.band, experience, picture)
    return found


def _show_the_same(crops: LooseCrops) -> bool:
    return crops.sha256[0] == crops.sha256[1] or show_the_same(*crops.small)


def _cautions(
    crops: LooseCrops,
    features: npt.NDArray[np.float32],
    model: HandedOut,
    experience: Experience | None,
    url: str,
) -> Iterator[Caution]:
    if crops.sha256[0] == crops.sha256[1]:
        yield Caution(None, "same_file", "both are the same file; there is nothing to compare")
    elif _show_the_same(crops):
        yield Caution(
            None, "same_picture", "both show the same picture; one is a copy of the other"
        )
    yield from cautions_about_images(crops, features, model, experience, url)
    yield from cautions_about_model(model, url)

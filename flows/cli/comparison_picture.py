"""Draw a comparison: both images, what the network saw, where the two are alike, the distance."""

from pathlib import Path

from flows.cli.compare import Comparison
from flows.cli.printing import title_of
from model.calibration import Band
from model.experience import Experience
from model.exported import ExportedNetwork, embed_exported
from model.occlusion import likeness
from storage.datasets.loose_crops import LooseCrops, read_small
from storage.errors import InputError, unusable
from storage.reports.comparison import Histograms, ShownImage, plot_comparison

SIDE = 480  # pixels of the longer side


def draw_comparison(
    found: Comparison,
    crops: LooseCrops,
    network: ExportedNetwork,
    band: Band,
    experience: Experience | None,
    target: Path,
) -> None:
    """Draw a comparison to a PNG file. Raises InputError if it cannot be written."""
    if target.suffix.lower() != ".png" or not target.parent.is_dir():
        raise InputError(f"{target}: name a .png file in a folder that is there")
    first, second = crops.pixels
    images = [
        ShownImage(
            Path(name).name,
            read_small(Path(name).read_bytes(), SIDE),
            crop,
            likeness(lambda batch: embed_exported(network, batch), crop, other),
        )
        for name, crop, other in zip(crops.names, (first, second), (second, first), strict=True)
    ]
    known = (
        Histograms(experience.edges, experience.same, experience.different) if experience else None
    )
    limits = (band.accept_within, band.reject_beyond)
    try:
        plot_comparison(title_of(found), images, found.distance, limits, known, target)
    except OSError as error:
        raise unusable(error, f"{target}: cannot be written ({error.strerror})") from error

"""What makes verdicts doubtful: what images show, and what the results database knows of them.

Commands use it too, so it imports neither Prefect nor torch.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from model.cautions import Caution, cautions_of_crop
from model.experience import Experience, are_unfamiliar
from storage.arrays import load_arrays
from storage.database.handed_out import HandedOut, better_baseline, trained_on
from storage.datasets.loose_crops import LooseCrops
from storage.files import present
from storage.run_folder import experience_beside


def read_experience(checkpoint: Path) -> Experience | None:
    """Return what the network of a checkpoint has seen, if it was kept."""
    kept = present(experience_beside(checkpoint))
    if not kept.is_file():
        return None
    arrays: dict[str, Any] = load_arrays(kept)
    return Experience(**arrays)


def cautions_about_images(
    crops: LooseCrops,
    features: npt.NDArray[np.float32],
    model: HandedOut,
    experience: Experience | None,
    url: str,
) -> Iterator[Caution]:
    """Find what makes a model's verdicts on images (N) with ``features`` (N, F) doubtful."""
    known = trained_on(url, model, crops.sha256)
    unfamiliar = (
        are_unfamiliar(features, experience)
        if experience and len(features)
        else [False] * len(features)
    )
    for name, size, pixels, sha256, is_unfamiliar in zip(
        crops.names, crops.sizes, crops.pixels, crops.sha256, unfamiliar, strict=True
    ):
        yield from cautions_of_crop(name, size, pixels)
        if sha256 in known:
            yield Caution(name, "trained_on", f"model {model.id} was trained on this picture")
        if is_unfamiliar:
            yield Caution(
                name, "unfamiliar", f"is unlike all paintings that model {model.id} was trained on"
            )


def cautions_about_model(model: HandedOut, url: str) -> Iterator[Caution]:
    """Find what makes any verdict of a model doubtful."""
    if baseline := better_baseline(url, model.id):
        yield Caution(
            None,
            "weak_model",
            f"model {model.id} was no better than its baseline ({baseline}); use another one",
        )

"""The newest atlas of a model, asked without Prefect and torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from flows.cli.kept_network import crop_for, kept_network
from model.attribution import NEAREST, Attributions, Gallery, attribute
from model.cautions import Caution
from model.exported import describe_exported
from model.neighbours import Neighbours, nearest
from storage.arrays import load_arrays
from storage.database.handed_out import HandedOut, find_atlas, hand_out
from storage.run_folder import RunFolder
from storage.sources import full_name
from storage.workspace import Workspace
from tasks.cautions import cautions_about_images, cautions_about_model, read_experience

ALIKE = 1e-4  # relative to the threshold: the distance of a picture from itself


@dataclass(frozen=True, slots=True, eq=False)
class KeptAtlas:
    """A collection as its atlas kept it, with the model that embedded it."""

    id: int
    source: str
    model: HandedOut
    names: tuple[str, ...]  # of the N pictures
    artists: tuple[str, ...]  # the A names
    gallery: Gallery
    choice: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """Q pictures and what is near them in a collection."""

    names: tuple[str, ...]
    embeddings: npt.NDArray[np.float32]  # (Q, D)
    neighbours: Neighbours
    cautions: tuple[Caution, ...]


def open_atlas(wanted: str | None, source: str | None, space: Workspace) -> KeptAtlas:
    """Open the newest atlas of a model, by default the champion, of a source or of any.

    Raises InputError if there is no such atlas, or its file is gone.
    """
    model = hand_out(space.database_url, wanted)
    named = None if source is None else full_name(source)
    found = find_atlas(space.database_url, model.id, named)
    arrays: dict[str, Any] = load_arrays(RunFolder(space.home / found.directory).atlas)
    names, artists, choice = (arrays.pop(name) for name in ("names", "artist_names", "choice"))
    return KeptAtlas(
        found.id,
        found.source,
        model,
        tuple(names.tolist()),
        tuple(artists.tolist()),
        Gallery(**arrays),
        choice,
    )


def ask(atlas: KeptAtlas, images: Sequence[Path], space: Workspace) -> Asked:
    """Embed pictures and find what is near them. Raises InputError for one that is unusable."""
    network = kept_network(atlas.model, space)
    crops = crop_for(network, images)
    embeddings, features = describe_exported(network, crops.pixels)
    neighbours = nearest(embeddings, atlas.gallery.points, NEAREST)
    experience = read_experience(space.home / atlas.model.path)
    url = space.database_url
    same = (
        Caution(name, "same_picture", f"is in the collection: {atlas.names[row]}")
        for name, row, distance in zip(
            crops.names, neighbours.rows[:, 0], neighbours.distance[:, 0], strict=True
        )
        if distance <= ALIKE * atlas.model.threshold
    )
    about_images = cautions_about_images(crops, features, atlas.model, experience, url)
    cautions = (*same, *about_images, *cautions_about_model(atlas.model, url))
    return Asked(crops.names, embeddings, neighbours, cautions)


def attribute_asked(atlas: KeptAtlas, asked: Asked, top: int) -> Attributions:
    """Rank the collection's artists for each picture."""
    return attribute(atlas.gallery, atlas.choice, asked.embeddings, asked.neighbours, top)

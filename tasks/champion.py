"""The champion: the model that answers where no other is named, and how one is dethroned."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from prefect import get_run_logger

from model.errors import ModelInputError
from model.metrics import all_pairs, roc_auc
from storage.arrays import load_arrays
from storage.database import records, results
from storage.database.session import transaction
from storage.datasets.dataset import Dataset, SplitImages, load_split
from storage.workspace import Workspace
from tasks.records import KeptModel, kept_model
from tasks.support.step import step


@dataclass(frozen=True, slots=True)
class Entrant:
    """A model's embeddings of the validation images, in the order of its own crops' dataset."""

    dataset: Dataset
    embeddings: Path


@dataclass(frozen=True, slots=True)
class Duel:
    """ROC AUC of two models over the same validation pairs; None where there are none to judge."""

    challenger: float | None
    champion: float | None
    n_images: int

    @property
    def is_won(self) -> bool:
        """Whether the challenger is better; what cannot be compared changes nothing."""
        if self.challenger is None or self.champion is None:
            return False
        return self.challenger > self.champion


@step()
def find_champion(space: Workspace) -> KeptModel | None:
    """Find the champion, if there is one whose checkpoint is still there."""
    with transaction(space.database_url) as session:
        row = results.champion(session)
        found = None if row is None else kept_model(session, row, space)
    if found is not None and not found.checkpoint.is_file():
        get_run_logger().warning("The champion's checkpoint is gone: %s", found.checkpoint)
        return None
    return found


@step()
def fight(challenger: Entrant, champion: Entrant, known_artists: dict[str, str]) -> Duel:
    """Compare two models on the validation images by artists the champion was not trained on."""
    ours = load_split(challenger.dataset, "validation")
    theirs = load_split(champion.dataset, "validation")
    artist_of = dict(zip(ours.names, ours.artist_names, strict=True))
    both = artist_of.keys() & set(theirs.names)
    fair = sorted(name for name in both if known_artists.get(artist_of[name]) != "train")
    duel = Duel(
        _roc_auc(challenger.embeddings, ours, fair),
        _roc_auc(champion.embeddings, theirs, fair),
        len(fair),
    )
    get_run_logger().info(
        "Validation ROC AUC over %d images: %s, the champion %s",
        duel.n_images,
        duel.challenger,
        duel.champion,
    )
    return duel


@step()
def promote(model: KeptModel, space: Workspace) -> None:
    """Make a model the champion."""
    with transaction(space.database_url) as session:
        records.promote(session, model.id)
    get_run_logger().info("Model %d is the champion", model.id)


def _roc_auc(embeddings: Path, images: SplitImages, names: list[str]) -> float | None:
    places = {name: place for place, name in enumerate(images.names)}
    rows = np.array([places[name] for name in names], dtype=np.int64)
    vectors = load_arrays(embeddings)["embeddings"]
    try:
        return roc_auc(all_pairs(vectors[rows], images.artists[rows]))
    except ModelInputError:  # too few images to make both kinds of pairs
        return None

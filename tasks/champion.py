"""The champion: the model that answers if no other is named, until a better one replaces it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from prefect import get_run_logger

from model.errors import ModelInputError
from model.metrics import all_pairs, roc_auc
from storage.database import records, results
from storage.database.session import transaction
from storage.datasets.dataset import Dataset, SplitImages, load_split
from storage.workspace import Workspace
from tasks.embedding import read_embeddings
from tasks.models import StoredModel, stored_model
from tasks.support.run import OpenRun
from tasks.support.step import step


@dataclass(frozen=True, slots=True)
class EmbeddedValidation:
    """A model's embeddings of the validation images, in the order of its own crops' dataset."""

    dataset: Dataset
    embeddings: Path


@dataclass(frozen=True, slots=True)
class Comparison:
    """ROC AUC of two models on the same validation pairs; None if there are none to judge."""

    challenger: float | None
    champion: float | None
    n_images: int

    @property
    def challenger_is_better(self) -> bool:
        """Whether the challenger wins; models that cannot be compared change nothing."""
        if self.challenger is None or self.champion is None:
            return False
        return self.challenger > self.champion


@step()
def find_champion(space: Workspace) -> StoredModel | None:
    """Find the champion, if there is one."""
    with transaction(space.database_url) as session:
        row = results.champion(session)
        return None if row is None else stored_model(session, row, space)


@step()
def compare_with_champion(
    challenger: EmbeddedValidation, champion: EmbeddedValidation, known_artists: dict[str, str]
) -> Comparison:
    """Compare two models on validation images by artists the champion was not trained on."""
    ours = load_split(challenger.dataset, "validation")
    theirs = load_split(champion.dataset, "validation")
    artist_of = dict(zip(ours.names, ours.artist_names, strict=True))
    both = artist_of.keys() & set(theirs.names)
    fair = sorted(name for name in both if known_artists.get(artist_of[name]) != "train")
    compared = Comparison(
        _roc_auc(challenger.embeddings, ours, fair),
        _roc_auc(champion.embeddings, theirs, fair),
        len(fair),
    )
    get_run_logger().info(
        "Validation ROC AUC over %d images: challenger %s, champion %s"
        " (the challenger's epoch was chosen on these images, which favours it)",
        compared.n_images,
        compared.challenger,
        compared.champion,
    )
    return compared


@step()
def promote_model(run: OpenRun, model: StoredModel, instead_of: StoredModel | None) -> bool:
    """Make a model the champion, unless the champion has changed; return whether it is."""
    expected = None if instead_of is None else instead_of.id
    with transaction(run.space.database_url) as session:
        is_promoted = records.promote_over(session, model.id, expected)
    if is_promoted:
        get_run_logger().info("Model %d is the champion", model.id)
    return is_promoted


def _roc_auc(embeddings: Path, images: SplitImages, names: list[str]) -> float | None:
    places = {name: place for place, name in enumerate(images.names)}
    rows = np.array([places[name] for name in names], dtype=np.int64)
    vectors = read_embeddings(embeddings)
    try:
        return roc_auc(all_pairs(vectors[rows], images.artists[rows]))
    except ModelInputError:  # too few images to make both kinds of pairs
        return None

"""The champion: the model that answers if no other is named, until a better one replaces it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from prefect import get_run_logger

from model.errors import ModelInputError
from model.metrics import all_pairs
from model.paired import Difference, paired_roc_auc
from storage.catalogs.artist_names import fold_name
from storage.database import records, results
from storage.database.handed_out import better_baseline
from storage.database.records import Ground
from storage.database.session import transaction
from storage.datasets.dataset import Dataset, SplitImages, load_split
from storage.workspace import Workspace
from tasks.embedding import read_embeddings
from tasks.models import StoredModel, stored_model
from tasks.support.run import OpenRun
from tasks.support.step import step

LEAST_ARTISTS, LEAST_IMAGES = 8, 100
"""The common ground of a comparison: an interval from fewer artists says nothing."""


@dataclass(frozen=True, slots=True)
class EmbeddedValidation:
    """A model's embeddings of the validation images, in the order of its own crops' dataset."""

    dataset: Dataset
    embeddings: Path


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models on the same validation images: ROC AUC of the challenger minus the champion's.

    ``difference`` is None if there are no pairs of both kinds to judge.
    """

    difference: Difference | None
    n_images: int
    n_artists: int
    better_baseline: str | None  # one that the challenger did not beat in its own test

    @property
    def against(self) -> str | None:
        """Why the challenger does not win; None if it does."""
        if self.better_baseline is not None:
            return f"it was no better than its baseline ({self.better_baseline})"
        if self.difference is None or self.n_artists < LEAST_ARTISTS:
            return f"only {self.n_artists} of {LEAST_ARTISTS} artists are common ground"
        if self.n_images < LEAST_IMAGES:
            return f"only {self.n_images} of {LEAST_IMAGES} images are common ground"
        if self.difference.low <= 0:
            return "it may be better by chance"
        return None


@step()
def find_champion(space: Workspace, purpose: str) -> StoredModel | None:
    """Find the champion of a purpose, if there is one."""
    with transaction(space.database_url) as session:
        row = results.champion(session, purpose)
        return None if row is None else stored_model(session, row, space)


@step()
def compare_with_champion(
    run: OpenRun,
    challenger: StoredModel,
    ours: EmbeddedValidation,
    theirs: EmbeddedValidation,
    champion: StoredModel,
) -> Comparison:
    """Compare two models on validation images by artists the champion was not trained on."""
    settings = run.settings
    compared = compare_embeddings(
        ours, theirs, champion.known_artists, settings.resamples, settings.seed
    )
    baseline = better_baseline(run.space.database_url, challenger.id)
    compared = replace(compared, better_baseline=baseline)
    difference = compared.difference
    get_run_logger().info(
        "Validation ROC AUC on %d images by %d artists: challenger minus champion %s%s",
        compared.n_images,
        compared.n_artists,
        f"{difference.value:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]"
        if difference
        else "cannot be measured",
        f"; model {champion.id} stays the champion: {compared.against}" if compared.against else "",
    )
    return compared


def compare_embeddings(
    ours: EmbeddedValidation,
    theirs: EmbeddedValidation,
    known_artists: Mapping[str, str],
    resamples: int,
    seed: int,
) -> Comparison:
    """Compare the embeddings of the images that both have, by artists not in training.

    Artists are known however they are spelled.
    """
    images, other_images = (load_split(each.dataset, "validation") for each in (ours, theirs))
    artist_of = dict(zip(images.names, images.artist_names, strict=True))
    both = artist_of.keys() & set(other_images.names)
    learnt = {fold_name(name) for name, split in known_artists.items() if split == "train"}
    fair = sorted(name for name in both if fold_name(artist_of[name]) not in learnt)
    _, artists = np.unique([artist_of[name] for name in fair], return_inverse=True)
    pairs = [
        all_pairs(_rows(each.embeddings, split, fair), artists)
        for each, split in ((ours, images), (theirs, other_images))
    ]
    try:
        difference = paired_roc_auc(pairs[:1], pairs[1:], [artists], resamples=resamples, seed=seed)
    except ModelInputError:  # too few images to make both kinds of pairs
        difference = None
    return Comparison(difference, len(fair), len(set(artists.tolist())), None)


@step()
def promote_model(
    run: OpenRun,
    model: StoredModel,
    instead_of: StoredModel | None,
    comparison: Comparison | None = None,
) -> bool:
    """Make a model the champion, unless the champion has changed; return whether it is."""
    expected = None if instead_of is None else instead_of.id
    reason = "first of its purpose" if instead_of is None else "the champion's checkpoint is gone"
    difference = None
    if comparison and comparison.difference:
        reason = f"better on {comparison.n_images} images by {comparison.n_artists} artists"
        found = comparison.difference
        difference = (found.value, found.low, found.high)
    with transaction(run.space.database_url) as session:
        ground = Ground(reason, difference=difference)
        is_promoted = records.promote_over(session, model.id, expected, ground)
    if is_promoted:
        get_run_logger().info("Model %d is the champion", model.id)
    return is_promoted


def _rows(embeddings: Path, images: SplitImages, names: list[str]) -> npt.NDArray[np.float32]:
    places = {name: place for place, name in enumerate(images.names)}
    rows = np.array([places[name] for name in names], dtype=np.int64)
    return read_embeddings(embeddings)[rows]

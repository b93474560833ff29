"""The champion: the model that answers if no other is named, until a better one replaces it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from prefect import get_run_logger

from model.errors import ModelInputError
from model.metrics import all_pairs
from model.paired import Difference, paired_roc_auc
from storage.catalogs.artist_names import fold_name
from storage.catalogs.catalog import read_catalog
from storage.database import records, results
from storage.database.handed_out import better_baseline
from storage.database.records import Ground
from storage.database.session import transaction
from storage.datasets.building import CatalogFile, keep_catalog
from storage.datasets.dataset import CROPPED, Dataset, load_split
from storage.sources import locate_source, read_source
from storage.workspace import Workspace
from tasks.embedding import read_embeddings
from tasks.models import StoredModel, stored_model
from tasks.support.run import OpenRun
from tasks.support.step import step

LEAST_ARTISTS, LEAST_IMAGES = 8, 100
"""The common ground of a comparison: an interval from fewer artists says nothing."""

Role = Literal["champion", "challenger"]


@dataclass(frozen=True, slots=True)
class CommonGround:
    """Validation images of one model that the other was neither trained nor tested on."""

    of: Role
    owner: StoredModel
    names: tuple[str, ...]
    n_artists: int

    @property
    def is_too_small(self) -> bool:
        """Whether a difference here would say nothing."""
        return is_too_small(len(self.names), self.n_artists)

    def unmeasured(self) -> "MeasuredGround":
        """Return it without a difference."""
        return MeasuredGround(self.of, len(self.names), self.n_artists, None)


@dataclass(frozen=True, slots=True)
class EmbeddedValidation:
    """A model's embeddings of the validation images of a dataset, in its order."""

    dataset: Dataset
    embeddings: Path


@dataclass(frozen=True, slots=True)
class MeasuredGround:
    """Two models on one common ground: ROC AUC of the challenger minus the champion's.

    ``difference`` is None if there are no pairs of both kinds.
    """

    of: Role
    n_images: int
    n_artists: int
    difference: Difference | None

    @property
    def where(self) -> str:
        """Which images these are, and how many."""
        return (
            f"{self.n_images} validation images of the {self.of} by {self.n_artists} artists that"
            " are new to the other"
        )


@dataclass(frozen=True, slots=True)
class Comparison:
    """A challenger against the champion, on the champion's ground and then on its own.

    The second is left out where it is the same. ``obstacle`` says why there is none.
    """

    grounds: tuple[MeasuredGround, ...]
    better_baseline: str | None  # one that the challenger did not beat in its own test
    obstacle: str | None = None

    @property
    def against(self) -> str | None:
        """Why the challenger does not win; None if it does."""
        if self.obstacle is not None:
            return self.obstacle
        for ground in self.grounds:
            difference = ground.difference
            if is_too_small(ground.n_images, ground.n_artists) or difference is None:
                least = f"{LEAST_IMAGES} by {LEAST_ARTISTS} are needed"
                return f"only {ground.where}: {least}"
            if difference.high < 0:
                return f"it is worse on {ground.where}"
            if ground.of == "champion" and difference.low <= 0:
                return f"it may be better by chance on {ground.where}"
        if self.better_baseline is not None:
            return f"it was no better than its baseline ({self.better_baseline})"
        return None

    @property
    def reason(self) -> str:
        """Why the challenger wins."""
        first, *second = self.grounds
        return f"better on {first.where}" + "".join(f", not on {each.where}" for each in second)


def is_too_small(n_images: int, n_artists: int) -> bool:
    """Return whether a comparison on so few images would say nothing."""
    return n_artists < LEAST_ARTISTS or n_images < LEAST_IMAGES


@step()
def find_champion(space: Workspace, purpose: str) -> StoredModel | None:
    """Find the champion of a purpose, if there is one."""
    with transaction(space.database_url) as session:
        row = results.champion(session, purpose)
        return None if row is None else stored_model(session, row, space)


@step()
def find_common_grounds(challenger: StoredModel, champion: StoredModel) -> tuple[CommonGround, ...]:
    """Find each model's validation images that are new to the other, the champion's first.

    The challenger's are left out if they are the same images. Raises InputError if files of a
    model are gone.
    """
    holders: tuple[tuple[Role, StoredModel], ...] = (
        ("champion", champion),
        ("challenger", challenger),
    )
    theirs, ours = (read_catalog(one.require_dataset().catalog) for _, one in holders)
    unseen = (unseen_validation(theirs, ours), unseen_validation(ours, theirs))
    grounds = [
        CommonGround(role, owner, tuple(images["image_name"]), images["artist_name"].nunique())
        for (role, owner), images in zip(holders, unseen, strict=True)
    ]
    is_same = set(unseen[0]["sha256"]) == set(unseen[1]["sha256"])
    return tuple(grounds[:1] if is_same else grounds)


def unseen_validation(images: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    """Return the validation images of one dataset that are new to a model of another.

    It knows the artists that it was trained or tested on, however they are spelled, and the
    images, whatever they are called.
    """
    used = others[others["split"].isin(["train", "test"])]
    is_own = (images["split"] == "validation") & (images[CROPPED] != "")
    is_known = images["artist_name"].map(fold_name).isin(set(used["artist_name"].map(fold_name)))
    return images[is_own & ~is_known & ~images["sha256"].isin(set(used["sha256"]))]


@step(hours=6)
def write_ground(run: OpenRun, ground: CommonGround) -> CatalogFile:
    """Write the catalog of a common ground, to crop its images in another way."""
    source, settings = ground.owner.source, ground.owner.settings
    located = locate_source(source, run.space.sample, lambda done, total: None)
    root = read_source(located, settings.kaggle_draw()).root
    images = read_catalog(ground.owner.require_dataset().catalog)
    chosen = images[images["image_name"].isin(ground.names)]
    return keep_catalog(run.space, source, root, chosen.drop(columns=[CROPPED, "sha256"]))


@step()
def measure_on_ground(
    run: OpenRun, ground: CommonGround, ours: EmbeddedValidation, theirs: EmbeddedValidation
) -> MeasuredGround:
    """Compare two models on the images of a common ground."""
    settings = run.settings
    return compare_embeddings(ground, ours, theirs, settings.resamples, settings.seed)


def compare_embeddings(
    ground: CommonGround,
    ours: EmbeddedValidation,
    theirs: EmbeddedValidation,
    resamples: int,
    seed: int,
) -> MeasuredGround:
    """Compare two models' embeddings of those images of a ground that both could crop."""
    images, others = (load_split(each.dataset, "validation") for each in (ours, theirs))
    artist_of = dict(zip(images.names, images.artist_names, strict=True))
    both = sorted(set(ground.names) & artist_of.keys() & set(others.names))
    _, artists = np.unique([artist_of[name] for name in both], return_inverse=True)
    pairs = [
        all_pairs(_rows(each.embeddings, split.names, both), artists)
        for each, split in ((ours, images), (theirs, others))
    ]
    try:
        difference = paired_roc_auc(pairs[:1], pairs[1:], [artists], resamples=resamples, seed=seed)
    except ModelInputError:  # too few images to make both kinds of pairs
        difference = None
    return MeasuredGround(ground.of, len(both), len(set(artists.tolist())), difference)


@step()
def judge_challenge(
    run: OpenRun,
    challenger: StoredModel,
    champion: StoredModel,
    grounds: Sequence[MeasuredGround],
    obstacle: str | None = None,
) -> Comparison:
    """Say whether the challenger wins, and note with its model why it does not."""
    url, logger = run.space.database_url, get_run_logger()
    compared = Comparison(tuple(grounds), better_baseline(url, challenger.id), obstacle)
    for ground in grounds:
        found = ground.difference
        figure = (
            f"{found.value:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"
            if found
            else "cannot be measured"
        )
        logger.info("On %s: ROC AUC, challenger minus champion %s", ground.where, figure)
    if compared.against is not None:
        logger.warning("Model %d stays the champion: %s", champion.id, compared.against)
        with transaction(url) as session:
            records.record_refusal(session, challenger.id, compared.against)
    return compared


@step()
def promote_model(
    run: OpenRun,
    model: StoredModel,
    instead_of: StoredModel | None,
    comparison: Comparison | None = None,
) -> bool:
    """Make a model the champion, unless the champion has changed; return whether it is."""
    expected = None if instead_of is None else instead_of.id
    reason, difference = "first of its purpose", None
    if comparison is not None:
        reason, found = comparison.reason, comparison.grounds[0].difference
        if found is not None:
            difference = (found.value, found.low, found.high)
    with transaction(run.space.database_url) as session:
        ground = Ground(reason, difference=difference)
        is_promoted = records.promote_over(session, model.id, expected, ground)
    if is_promoted:
        get_run_logger().info("Model %d is the champion", model.id)
    return is_promoted


def _rows(embeddings: Path, names: Sequence[str], wanted: Sequence[str]) -> npt.NDArray[np.float32]:
    places = {name: place for place, name in enumerate(names)}
    rows = np.array([places[name] for name in wanted], dtype=np.int64)
    return read_embeddings(embeddings)[rows]

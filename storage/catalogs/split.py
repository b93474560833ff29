"""The split into train, validation and test: every artist is in one of them."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import pandas as pd

from storage.catalogs.artist_names import fold_name
from storage.catalogs.checks import EXCLUDED
from storage.catalogs.draws import draw_names
from storage.errors import InputError

# A triplet needs a second artist for its negative.
MIN_ARTISTS: Final = 2
# A positive pair takes two.
MIN_IMAGES: Final = 2


@dataclass(frozen=True, slots=True)
class SplitRules:
    """How artists are drawn: numbers of artists are counts, shares if below 1, or 0 for none.

    `images_per_artist` limits the images used of each artist, 0 for all of them. Artists with
    fewer than `min_images` are left out. With `folds`, the artists are divided into that many
    parts and part `fold`, from 1, is tested instead of `test_artists`, so each is tested once.
    Raises InputError for numbers that make no sense.
    """

    validation_artists: float
    test_artists: float
    images_per_artist: int = 10
    min_images: int = MIN_IMAGES
    seed: int = 0
    folds: int = 0
    fold: int = 1

    def __post_init__(self) -> None:
        """Refuse numbers that make no sense."""
        if 0 < self.images_per_artist < self.min_images:
            raise InputError(
                f"images_per_artist is {self.images_per_artist};"
                f" give at least min_images, {self.min_images}, or 0 for all images"
            )
        if self.folds and not 1 <= self.fold <= self.folds:
            raise InputError(f"fold is {self.fold}; give one of the {self.folds} folds, from 1")
        for name, wanted in self.wanted.items():
            if not (0 <= wanted < 1 or (float(wanted).is_integer() and wanted > 0)):
                raise InputError(
                    f"{name}_artists is {wanted}; give a count of artists or a share below 1"
                )

    @property
    def wanted(self) -> dict[str, float]:
        """The numbers of artists by split, in the order they are drawn."""
        return {"validation": self.validation_artists, "test": self.test_artists}


def split_catalog(images: pd.DataFrame, rules: SplitRules) -> pd.DataFrame:
    """Give every image a split: "train", "validation", "test" or "excluded".

    Artists with fewer than `min_images` images are excluded, and so are an artist's images after
    the first `images_per_artist`. A split stated for one image holds for its artist. Validation
    and test artists are drawn from the rest if the source states none; the others train.

    Raises InputError if a split that is stated or asked for gets fewer than two artists.
    """
    stated = set(images["split"]) - {"", EXCLUDED}
    if rules.folds and stated:
        raise InputError("folds: the source names its own splits; remove its column split")
    to_draw = {s: n for s, n in rules.wanted.items() if n and s not in stated}
    return _divide(images, rules, to_draw, needed={"train", *stated, *to_draw})


def continue_split(
    images: pd.DataFrame, known: Mapping[str, str], rules: SplitRules
) -> pd.DataFrame:
    """Split a source for a trained model, so that it is tested on unseen artists.

    Artists in ``known`` (name to split), however spelled, keep the split they had in training; all
    others are for the test. Raises InputError if the test has fewer than two artists.
    """
    order = sorted(known, key=lambda name: known[name] == "train")  # of two spellings, train holds
    held = {fold_name(name): known[name] for name in order if known[name] != EXCLUDED}
    splits = images["artist_name"].map(lambda name: held.get(fold_name(name), "test"))
    stated = images.assign(split=splits.where(images["split"] != EXCLUDED, EXCLUDED))
    return _divide(stated, rules, {}, needed={"test"})


def require_splits(images: pd.DataFrame, needed: Iterable[str]) -> None:
    """Raise InputError naming the setting if a needed split has no artists."""
    present = set(images["split"])
    for split in needed:
        if split not in present:
            raise InputError(
                f"{split}_artists: no artist is left for {split}; raise {split}_artists"
            )


def exclude_small_artists(images: pd.DataFrame, min_images: int) -> pd.DataFrame:
    """Exclude artists left with fewer than `min_images` usable images.

    Raises InputError if this leaves a split with fewer than two artists.
    """
    is_used = images["split"] != EXCLUDED
    n_images = images["artist_name"].map(images.loc[is_used, "artist_name"].value_counts())
    kept = images.assign(split=images["split"].where(n_images >= min_images, EXCLUDED))
    n_artists = kept.groupby("split")["artist_name"].nunique()
    for split in images.loc[is_used, "split"].unique():
        if (left := n_artists.get(split, 0)) < MIN_ARTISTS:
            raise InputError(
                f"artists left for {split} with {min_images} usable images or more: {left},"
                f" but {MIN_ARTISTS} are needed; look at the rejected images or add artists"
            )
    return kept


def _divide(
    images: pd.DataFrame, rules: SplitRules, to_draw: dict[str, float], needed: set[str]
) -> pd.DataFrame:
    """Give every image its artist's split, stated or drawn; see `split_catalog`."""
    used = images[images["split"] != EXCLUDED]
    by_artist = used.groupby("artist_name", sort=False)
    large = by_artist.size().loc[lambda n_images: n_images >= rules.min_images].index
    stated = by_artist["split"].max().loc[large]  # "" sorts before any word
    split_of = _draw_splits(stated, to_draw, rules)
    _check_sizes(split_of, needed, rules.min_images)
    is_first = (by_artist.cumcount() < rules.images_per_artist) | (rules.images_per_artist == 0)
    splits = used["artist_name"].map(split_of).where(is_first).reindex(images.index)
    return images.assign(split=splits.fillna(EXCLUDED).astype("str"))


def _draw_splits(
    stated: "pd.Series[str]", to_draw: dict[str, float], rules: SplitRules
) -> "pd.Series[str]":
    """Draw a split for each artist, the index, whose stated split is blank."""
    splits, seed = stated.copy(), rules.seed
    n_undecided = int((stated == "").sum())
    if rules.folds:
        ranked = draw_names(splits.index, len(splits), seed=seed, purpose="fold")
        splits[ranked[rules.fold - 1 :: rules.folds]] = "test"
        to_draw = {split: wanted for split, wanted in to_draw.items() if split != "test"}
    for split, wanted in to_draw.items():
        undecided = splits.index[splits == ""]
        drawn = draw_names(undecided, _count(wanted, n_undecided), seed=seed, purpose=split)
        splits[drawn] = split
    return splits.mask(splits == "", "train")


def _count(wanted: float, n_artists: int) -> int:
    """Turn a share of the artists into a count, enough for pairs; a count stays."""
    if wanted >= 1:
        return int(wanted)
    return max(MIN_ARTISTS, math.floor(wanted * n_artists + 0.5))


def _check_sizes(split_of: "pd.Series[str]", needed: set[str], min_images: int) -> None:
    """Refuse a split without any triplet."""
    n_artists = split_of.value_counts()
    are_enough = len(split_of) >= MIN_ARTISTS * len(needed)
    for split in sorted(needed):
        if (n := n_artists.get(split, 0)) < MIN_ARTISTS:
            remedy = f"{_REMEDY[split]}, or add artists" if are_enough else "add artists"
            raise InputError(
                f"only {n} of the {len(split_of)} artists with {min_images} images or more would"
                f" be for {split}, {MIN_ARTISTS} are needed; {remedy}"
            )


_REMEDY: Final = {
    "train": "lower validation_artists or test_artists",
    "validation": "raise validation_artists, or name more in the column split",
    "test": "raise test_artists, or name more in the column split",
}

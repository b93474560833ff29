"""How many artists and images a split has."""

from dataclasses import dataclass

import pandas as pd

from storage.catalogs.checks import EXCLUDED, SPLITS


@dataclass(frozen=True, slots=True)
class SplitCounts:
    """How many artists and images a source has, and how many each split uses."""

    artists_read: int
    artists_kept: int
    train_artists: int
    validation_artists: int
    test_artists: int
    images_read: int
    images_kept: int
    train_images: int
    validation_images: int
    test_images: int

    def __str__(self) -> str:
        """Return the counts as one line."""
        return (
            f"{self.images_kept} of {self.images_read} images are used: {self.train_images} by "
            f"{self.train_artists} artists to train, {self.validation_images} by "
            f"{self.validation_artists} to validate, {self.test_images} by "
            f"{self.test_artists} to test"
        )


def count_split(images: pd.DataFrame) -> SplitCounts:
    """Count the artists and images of a catalog that `split_catalog` has split."""
    kept = images[images["split"] != EXCLUDED]
    n_artists = kept.groupby("split")["artist_name"].nunique().reindex(SPLITS, fill_value=0)
    n_images = kept["split"].value_counts().reindex(SPLITS, fill_value=0)
    return SplitCounts(
        artists_read=images["artist_name"].nunique(),
        artists_kept=kept["artist_name"].nunique(),
        images_read=len(images),
        images_kept=len(kept),
        **{f"{split}_artists": int(count) for split, count in n_artists.items()},
        **{f"{split}_images": int(count) for split, count in n_images.items()},
    )

"""What a network has seen, kept beside its checkpoint for the cautions of later verdicts."""

from dataclasses import asdict
from pathlib import Path

from model.experience import gather_experience, spread_out
from model.metrics import all_pairs
from storage.arrays import save_arrays
from storage.datasets.dataset import Dataset, load_split
from storage.run_folder import experience_beside
from tasks.embedding import read_embeddings, standardised_features
from tasks.features import Features
from tasks.support.run import OpenRun
from tasks.support.step import step


@step(hours=6)
def keep_experience(
    run: OpenRun,
    checkpoint: Path,
    dataset: Dataset,
    validation: Path,
    features: Features | None = None,
) -> None:
    """Describe training images, measure the validation images against them, and keep both."""
    images = load_split(dataset, "validation")
    seen, unseen = (
        standardised_features(checkpoint, dataset, spread_out(rows), run.compute, features)
        for rows in (load_split(dataset, "train").rows, images.rows)
    )
    pairs = all_pairs(read_embeddings(validation), images.artists)
    experience = gather_experience(seen, unseen, pairs)
    save_arrays(experience_beside(checkpoint), asdict(experience))

"""An evaluation leaves its metrics, its measures and every pair in the database, once."""

from pathlib import Path

import numpy as np
import pandas as pd
from prefect.logging import disable_run_logger
from sqlalchemy import select
from sqlalchemy.orm import Session

from model.calibration import Band, Calibration
from model.evaluation import Resampling, discriminate, verify
from model.metrics import all_pairs
from model.triplets import draw_triplets
from storage.catalogs.catalog import write_catalog
from storage.database import results
from storage.database.datasets import record_dataset
from storage.database.engine import open_database
from storage.database.evaluation_tables import ArtistResult, Evaluation, Reliability
from storage.database.records import start_run
from storage.database.session import transaction
from storage.database.tables import Artist
from storage.datasets.dataset import CROPPED, Dataset, load_split
from tasks.stored_evaluation import JudgedBaseline, NetworkResult, store_evaluation
from tests.storage.conftest import new_run
from tests.tasks.conftest import model_of, open_run_in, workspace_in

RNG = np.random.default_rng(3)
ARTISTS = np.repeat(np.arange(4), 3)
IMAGES = pd.DataFrame(
    {
        "image_name": [f"{number}.jpg" for number in range(12)],
        "artist_name": [f"Artist {artist}" for artist in ARTISTS],
        "split": "test",
        "file": [f"{number}.jpg" for number in range(12)],
        "sha256": "aa",
        CROPPED: [str(number) for number in range(12)],
    }
)
TRIPLETS = draw_triplets(ARTISTS, 40, RNG)
LABELS = np.arange(12) % 2
RESAMPLING = Resampling(resamples=50, seed=0)


def test_measures_of_the_network_and_of_baselines_are_stored_once(tmp_path: Path) -> None:
    space = workspace_in(tmp_path)
    dataset = Dataset(space.home / "dataset")
    dataset.directory.mkdir()
    write_catalog(IMAGES, dataset.catalog)
    vectors, noise = RNG.normal(size=(2, 12, 5)).astype(np.float32)
    vectors += ARTISTS[:, None]
    pairs = all_pairs(vectors, ARTISTS)
    network, plain = (
        discriminate(each, ARTISTS, all_pairs(each, ARTISTS), TRIPLETS, None, RESAMPLING, LABELS)
        for each in (vectors, noise)
    )
    calibration = Calibration(2.0, 3.0, midpoint=2.0, band=Band(2.0, 2.0))
    verification = verify(
        vectors,
        ARTISTS,
        pairs,
        TRIPLETS,
        margin=1.0,
        calibration=calibration,
        resampling=RESAMPLING,
        labels=LABELS,
    )
    with transaction(space.database_url) as session:
        nothing = pd.DataFrame({"image_name": [], "reason": []})
        dataset_id = record_dataset(
            session, source="s", content_hash="c", images=IMAGES, rejected=nothing
        )
        run_id = start_run(session, new_run(dataset_id=dataset_id))
        model = model_of(session, run_id, space)
    run, images = open_run_in(space, run_id), load_split(dataset, "test")

    def store() -> int:
        with disable_run_logger():
            result = NetworkResult(network, verification, "style")
            baselines = [JudgedBaseline("mean colour", plain)]
            return store_evaluation(run, model, dataset_id, images, pairs, result, baselines)

    evaluation_id = store()
    assert store() == evaluation_id
    engine = open_database(space.database_url)
    with Session(engine) as session:
        row = session.get_one(Evaluation, evaluation_id)
        assert (row.status, row.n_pairs, row.roc_auc) == ("complete", 66, network.roc_auc)
        assert row.map_at_r == verification.map_at_r
        table = results.measures(session, evaluation_id)
        judged = session.execute(
            select(Artist.name, ArtistResult.n_images, ArtistResult.roc_auc)
            .join(Artist, Artist.id == ArtistResult.artist_id)
            .order_by(ArtistResult.artist_id)
        ).all()
        by_tenth = session.execute(select(Reliability.tenth, Reliability.n_pairs)).all()
    engine.dispose()
    expected = [
        (contender, each.scope, each.name, each.value, each.interval and each.interval.low)
        for contender, measures in (
            ("network", (*network.measures, *verification.measures)),
            ("mean colour", plain.measures),
        )
        for each in measures
    ]
    columns = ["contender", "scope", "metric", "value", "low"]
    found = table[columns].astype(object).where(table[columns].notna(), None)
    assert sorted(found.itertuples(index=False, name=None)) == sorted(expected)
    assert [tuple(row) for row in judged] == [
        (name, each.n_images, each.roc_auc)
        for name, each in zip(dict.fromkeys(images.artist_names), verification.artists, strict=True)
    ]
    assert sum(count for _, count in by_tenth) == 66
    assert len(expected) == 9 + 2 + 8 + 9

"""An atlas: every picture of a collection with its neighbours and its most probable artists."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import numpy.typing as npt
from prefect import get_run_logger
from prefect.artifacts import create_link_artifact

from model.attribution import (
    NEAREST,
    Attributions,
    attribute_gallery,
    fit_choice,
    learn_gallery,
    none_without_artist,
)
from model.attribution_measures import measure_attribution
from model.measures import Measure
from model.neighbours import Neighbours, nearest
from model.projection import project
from storage.arrays import save_arrays
from storage.database.atlas_tables import Atlas
from storage.database.atlases import record_atlas
from storage.database.datasets import artist_ids_of, image_ids
from storage.database.session import transaction
from storage.database.views import LIKELIER
from storage.datasets.crop_archive import entry_name
from storage.datasets.dataset import Dataset, load_split, read_near_duplicates
from storage.errors import InputError
from storage.files import present
from storage.pages.atlas_page import AtlasPage, AtlasPicture, NearDuplicate, write_atlas_page
from storage.reports.report import escaped
from storage.shards import Shard, shards_of
from tasks.embedding import embeddings_of, read_embeddings
from tasks.features import Features
from tasks.models import StoredModel, network_on
from tasks.support.artifacts import if_server_answers
from tasks.support.progress import progress_bar
from tasks.support.run import OpenRun
from tasks.support.step import step

SHARD = 5_000
STORED_NEIGHBOURS = 10
STORED_ARTISTS = 5
KINDS = {"copy": "a copy", "mirrored": "a mirror image"}
NONE = "none of these"
MEASURES = {
    "top_1": "Pictures whose own artist comes first, the picture left out",
    "top_5": "Pictures whose own artist is among the first five",
    "unknown_roc_auc": "ROC AUC of none of these, for artists left out",
}


@dataclass(frozen=True, slots=True)
class StoredAtlas:
    """An atlas in the results database, and how well it attributes its own pictures."""

    id: int
    run_id: int
    model_id: int
    n_images: int
    n_artists: int
    measures: tuple[Measure, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Attributed:
    """What a collection says of each of its pictures, and how often it is right."""

    attributions: Attributions
    measures: tuple[Measure, ...]


@step()
def divide_collection(dataset: Dataset) -> tuple[Shard[int], ...]:
    """Divide the pictures into shards, so that a fault costs one shard at most.

    Raises InputError unless there are two of them.
    """
    rows = load_split(dataset, None).rows.tolist()
    if len(rows) < 2:
        raise InputError(f"{dataset.catalog}: an atlas needs at least two pictures")
    return shards_of(rows, SHARD)


@step("embed shard {shard.number} of {shard.count}", hours=6)
def embed_collection_shard(
    run: OpenRun,
    model: StoredModel,
    dataset: Dataset,
    shard: Shard[int],
    features: Features | None,
) -> Path:
    """Embed the pictures of a shard; a resumed run skips what it has embedded."""
    target = run.folder.embeddings(f"model-{model.id}", f"shard-{shard.number}")
    if not present(target).exists():
        network, rows = network_on(run.compute, model.checkpoint), np.array(shard.items, np.int64)
        with progress_bar("embedding") as progress:

            def count_on(done: int, _: int) -> None:
                progress(shard.before + done, shard.total)

            vectors = embeddings_of(network, dataset, rows, run.compute, features, count_on)
        save_arrays(target, {"embeddings": vectors})
    return target


@step(hours=24)
def find_neighbours(embedded: Sequence[Path]) -> Neighbours:
    """Find the nearest other pictures of each picture."""
    points = _read(embedded)
    with progress_bar("finding neighbours") as progress:
        return nearest(points, points, NEAREST, np.arange(len(points)), progress)


@step(hours=24)
def attribute_collection(
    run: OpenRun, dataset: Dataset, embedded: Sequence[Path], neighbours: Neighbours
) -> Attributed:
    """Attribute each picture to the artists, itself left out; keep what attributes others."""
    points, images = _read(embedded), load_split(dataset, None)
    gallery = learn_gallery(points, images.artists)
    choice = fit_choice(gallery, neighbours)
    alone = attribute_gallery(gallery, choice, neighbours, STORED_ARTISTS)
    unknown = none_without_artist(gallery, choice, neighbours)
    names = np.array(list(dict.fromkeys(images.artist_names)), np.str_)
    arrays = {**asdict(gallery), "choice": choice, "artist_names": names}
    save_arrays(run.folder.atlas, arrays | {"names": np.array(images.names, np.str_)})
    settings = run.settings
    measures = measure_attribution(gallery, alone, unknown, settings.resamples, settings.seed)
    for each in measures:
        get_run_logger().info("%s %.3f", each.name, each.value)
    return Attributed(alone, measures)


@step(hours=24)
def draw_atlas(
    run: OpenRun,
    model: StoredModel,
    dataset: Dataset,
    embedded: Sequence[Path],
    neighbours: Neighbours,
    attributed: Attributed,
) -> Path:
    """Write the page of a collection: a map to search, and the doubtful pictures."""
    images, points = load_split(dataset, None), _read(embedded)
    artists, found = list(dict.fromkeys(images.artist_names)), attributed.attributions
    spots = project(points, run.settings.seed)
    likely = np.where(found.artist[:, 0] == images.artists, 0.0, found.probability[:, 0])
    order = np.argsort(-likely, kind="stable")  # the page lists the most doubtful first
    place = np.argsort(order)
    pictures = [
        AtlasPicture(
            images.names[row],
            images.artist_names[row],
            images.titles[row],
            images.splits[row],
            float(spots[row, 0]),
            float(spots[row, 1]),
            tuple(
                zip(
                    place[neighbours.rows[row, :STORED_NEIGHBOURS]].tolist(),
                    neighbours.distance[row].tolist(),
                    strict=False,
                )
            ),
            (
                *zip(
                    (artists[artist] for artist in found.artist[row]),
                    found.probability[row].tolist(),
                    strict=True,
                ),
                (NONE, float(found.none[row])),
            ),
            bool(likely[row] > LIKELIER),
        )
        for row in order.tolist()
    ]
    notes = [
        f"{len(pictures):,} pictures by {len(artists):,} artists, embedded by model {model.id}",
        *(f"{MEASURES[each.name]}: {each.value:.3f}" for each in attributed.measures),
    ]
    columns = ["filename", "duplicate_of", "kind", "similarity"]
    alike = [
        NearDuplicate(one, other, f"{KINDS[kind]}, {100 * similarity:.0f} % alike")
        for one, other, kind, similarity in read_near_duplicates(dataset)[columns].to_numpy()
    ]
    page = AtlasPage(run.source, notes, pictures, alike)
    with progress_bar("drawing thumbnails") as progress, ZipFile(present(dataset.crops)) as crops:
        written = write_atlas_page(
            run.folder.atlas_page, page, lambda name: crops.read(entry_name(name)), progress
        )
    with if_server_answers():
        create_link_artifact(
            written.resolve().as_uri(),
            link_text=str(written.resolve()),
            key="atlas",
            description=escaped("; ".join(notes)),
        )
    return written


@step(hours=6)
def store_atlas(
    run: OpenRun,
    model: StoredModel,
    dataset: Dataset,
    dataset_id: int,
    neighbours: Neighbours,
    attributed: Attributed,
) -> StoredAtlas:
    """Store neighbours, attributions and measures, all in one transaction."""
    images = load_split(dataset, None)
    with transaction(run.space.database_url) as session:
        known = image_ids(session, dataset_id)
        ids = np.array([known[name] for name in images.names])
        numbers = artist_ids_of(session, dataset_id)
        artist_ids = np.array([numbers[name] for name in dict.fromkeys(images.artist_names)])
        atlas = Atlas(
            run_id=run.id,
            model_id=model.id,
            dataset_id=dataset_id,
            n_images=len(ids),
            n_artists=len(artist_ids),
        )
        atlas_id = record_atlas(
            session,
            atlas,
            _neighbour_rows(ids, neighbours),
            _attribution_rows(ids, artist_ids, images.artists, attributed.attributions),
            (_measure_row(each) for each in attributed.measures),
        )
    get_run_logger().info(
        "Atlas %d: %d pictures by %d artists", atlas_id, len(ids), len(artist_ids)
    )
    return StoredAtlas(atlas_id, run.id, model.id, len(ids), len(artist_ids), attributed.measures)


def _read(embedded: Sequence[Path]) -> npt.NDArray[np.float32]:
    return np.concatenate([read_embeddings(path) for path in embedded])


def _neighbour_rows(ids: npt.NDArray[np.int64], found: Neighbours) -> Iterator[dict[str, Any]]:
    for image, rows, distances in zip(
        ids.tolist(),
        ids[found.rows[:, :STORED_NEIGHBOURS]].tolist(),
        found.distance.tolist(),
        strict=True,
    ):
        for rank, (row, distance) in enumerate(zip(rows, distances, strict=False), start=1):
            yield {"image_id": image, "rank": rank, "neighbour_id": row, "distance": distance}


def _attribution_rows(
    ids: npt.NDArray[np.int64],
    artist_ids: npt.NDArray[np.int64],
    own: npt.NDArray[np.int64],
    found: Attributions,
) -> Iterator[dict[str, Any]]:
    for place, image in enumerate(ids.tolist()):
        ranked = list(zip(found.artist[place], found.probability[place], strict=True))
        if own[place] not in found.artist[place]:
            ranked.append((own[place], found.own_probability[place]))
        ranks = [*range(1, len(ranked)), max(len(ranked), int(found.own_rank[place]))]
        for rank, (artist, probability) in zip(ranks, ranked, strict=True):
            yield _attribution_row(image, rank, int(artist_ids[artist]), probability)
        yield _attribution_row(image, 0, None, found.none[place])


def _attribution_row(
    image: int, rank: int, artist: int | None, probability: float
) -> dict[str, Any]:
    return {
        "image_id": image,
        "rank": rank,
        "artist_id": artist,
        "probability": float(probability),
    }


def _measure_row(measure: Measure) -> dict[str, Any]:
    low, high = asdict(measure.interval).values() if measure.interval else (None, None)
    return {"metric": measure.name, "value": measure.value, "low": low, "high": high}

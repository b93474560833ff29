"""An atlas from kept embeddings: neighbours, attribution and its measures, map and page."""

import resource
import time
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from benchmarks.report import Row, Table
from model import neighbours
from model.attribution import (
    NEAREST,
    attribute_gallery,
    fit_choice,
    learn_gallery,
    none_without_artist,
)
from model.attribution_measures import measure_attribution
from model.distances import Float64
from model.neighbours import build_index, nearest
from model.projection import project
from storage.pages.atlas_page import AtlasPage, AtlasPicture, write_atlas_page

CROP = 256  # pixels of a crop's side, as in the preset best
ASKED = 1_000  # pictures whose neighbours are looked up in the index too


def measure(*, pictures: int = 20_000, artists: int = 1_000, size: int = 768) -> Table:
    """Ask a made-up collection whose artists lie about as far apart as those of real paintings."""
    rng = np.random.default_rng(0)
    artist = np.sort(np.arange(pictures) % artists)
    centres = rng.normal(size=(artists, size))
    points = (0.8 * centres[artist] + rng.normal(size=(pictures, size))).astype(np.float32)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    moments = [time.perf_counter()]
    found = nearest(points, points, NEAREST, np.arange(pictures))
    moments.append(time.perf_counter())
    gallery = learn_gallery(points, artist)
    choice = fit_choice(gallery, found)
    moments.append(time.perf_counter())
    alone = attribute_gallery(gallery, choice, found, 5)
    unknown = none_without_artist(gallery, choice, found)
    moments.append(time.perf_counter())
    measure_attribution(gallery, alone, unknown, 1_000, 0)
    moments.append(time.perf_counter())
    spots = project(points)
    moments.append(time.perf_counter())
    with TemporaryDirectory() as folder:
        _write_page(Path(folder), spots, rng)
    moments.append(time.perf_counter())
    steps = (
        "all neighbours", "learn the artists", "attribute every picture", "measure", "the map",
        "the page with its thumbnails",
    )  # fmt: skip
    rows = [
        Row(name, after - before, "s")
        for name, before, after in zip(steps, moments, moments[1:], strict=False)
    ]
    rows.append(Row("all of it", moments[-1] - moments[0], "s"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    rows.append(Row("most memory", peak, "GiB", note="of the process"))
    count = NEAREST + neighbours.SPARE
    started = time.perf_counter()
    search = build_index(points, count)
    built = time.perf_counter()
    looked_up = search(points[:ASKED])
    rows.append(Row("build an index", built - started, "s"))
    agreement = [
        len({*exact[:10].tolist()} & {*rows_found.tolist()}) / 10
        for exact, rows_found in zip(found.rows, looked_up, strict=False)
    ]
    rows.append(Row("of the 10 nearest, by the index", 100 * float(np.mean(agreement)), "%"))
    return Table(
        "atlas", f"{pictures:,} pictures by {artists:,} artists, {size} numbers each", tuple(rows)
    )


def _write_page(folder: Path, spots: Float64, rng: np.random.Generator) -> None:
    """Write a page of pictures that all show the same; a thumbnail takes as long as any other."""
    blocks = rng.integers(0, 256, (32, 32, 3), np.uint8)
    Image.fromarray(blocks).resize((CROP, CROP)).save(crop := BytesIO(), "JPEG", quality=95)
    pictures = [
        AtlasPicture(f"{number}.jpg", "", "", "test", float(x), float(y))
        for number, (x, y) in enumerate(spots)
    ]
    write_atlas_page(folder, AtlasPage("atlas", (), pictures), lambda _: crop.getvalue())

"""What a collection of any size would take: each stage's cost by its number of images.

Each stage is measured at a small size. Its law of growth tells the cost at any other; how far that
holds is checked at three larger sizes that this machine can run.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from benchmarks.paintings import paint, paint_crops, pixels_of
from benchmarks.pair_storage import begin
from benchmarks.report import Row, Table
from flows.settings import resolve
from model.attribution import NEAREST
from model.export import export_network
from model.exported import embed_exported, open_exported
from model.neighbours import SPARE, build_index
from model.network import build_network
from storage.database.atlas_tables import Atlas
from storage.database.atlases import record_atlas
from storage.database.datasets import artist_ids_of
from storage.database.engine import open_database
from storage.database.evaluation_tables import Evaluation
from storage.database.pair_parts import store_pairs
from storage.database.pair_rows import PairColumns
from storage.database.records import complete_evaluation
from storage.database.session import transaction
from storage.datasets.crop_archive import Crop, SourceImage, pack_crops, stage_crops
from storage.datasets.pixels import unpack_pixels
from storage.threads import available_cores

PAINTED = (1600, 1200)  # pixels, as photographs of paintings have
EDGES = 2 * 4 * 16  # bytes of an image's edges in the graph
DIFFERENT = 40  # paintings, of which a larger collection has copies
ASKED_FOR = 100_000_000
TIMES, GRAPH_TIMES = (2, 4, 8), (1.5, 2, 3)
DAY = 24 * 3600


@dataclass(frozen=True, slots=True)
class Cost:
    """What a stage costs for some images: seconds of one core, and bytes that stay."""

    core_seconds: float
    kept: float


@dataclass(frozen=True, slots=True)
class Law:
    """An image takes ``each`` core-seconds among ``images``, and ``more`` with each doubling."""

    images: int
    each: float
    more: float
    kept: float

    def cost(self, count: float) -> Cost:
        """The cost for ``count`` images.

        >>> Law(images=1_000, each=0.002, more=0.001, kept=10).cost(4_000)
        Cost(core_seconds=16.0, kept=40000)
        """
        each = self.each + self.more * math.log2(count / self.images)
        return Cost(each * count, self.kept * count)


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage, the images that it is measured at, and how many times as many it is checked at.

    In a ``graph``, the paths to an image grow with the number of images.
    """

    run: Callable[[int], Cost]
    images: int
    checked: tuple[float, ...] = TIMES
    graph: bool = False

    def law(self) -> Law:
        """Measure it; in a graph at half the images as well, for what a doubling adds."""
        self.run(16)  # the first one also loads libraries
        measured = self.run(self.images)
        each, more = measured.core_seconds / self.images, 0.0
        if self.graph:
            half = self.images // 2
            more = max(0.0, each - self.run(half).core_seconds / half)
        return Law(self.images, each, more, measured.kept / self.images)


def measure(*, share: float = 1.0) -> Table:
    """Measure each stage, check its law at larger sizes, and ask it about 100 million images."""
    rows = [row for name, stage in stages(share).items() for row in _told(name, stage)]
    work = "stages of a collection: predicted cost over measured, and the cost of 100 million"
    return Table("scale", work, tuple(rows))


def stages(share: float = 1.0) -> Mapping[str, Stage]:
    """Every stage of an atlas and its evaluation, with images in proportion to ``share``."""

    def of(count: int) -> int:
        return max(16, round(share * count))

    return {
        "crop": Stage(crop_paintings, of(160)),
        "unpack": Stage(unpack_crops, of(1_600)),
        "embed": Stage(EmbedAll(), of(64)),
        "find neighbours": Stage(find_neighbours, of(12_000), GRAPH_TIMES, graph=True),
        "store neighbours": Stage(store_neighbours, of(16_000)),
        "store a pair": Stage(store_evaluation, of(100_000)),
    }


def _told(name: str, stage: Stage) -> Iterator[Row]:
    """The rows of a stage: measured, predicted against measured, and at 100 million."""
    law = stage.law()
    note = f"{law.kept:,.0f} bytes" + (f", + {1e3 * law.more:.3g} ms a doubling" * stage.graph)
    yield Row(name, 1e3 * law.each, "core-ms each", None, note)
    for times in stage.checked:
        count = round(times * stage.images)
        found, predicted = stage.run(count), law.cost(count)
        ratio = predicted.core_seconds / found.core_seconds
        note = f"bytes: {predicted.kept / found.kept:.3g}"
        yield Row(f"{name}, {count:,}", found.core_seconds, "core-s", ratio, note)
    whole = law.cost(ASKED_FOR)
    note = f"{whole.kept / 1e12:,.3f} TB"
    yield Row(f"{name}, {ASKED_FOR:,}", whole.core_seconds / DAY, "core-days", None, note)


def crop_paintings(count: int) -> Cost:
    """Crop photographs of paintings into a zip."""
    files = [paint(*PAINTED, seed, seed) for seed in range(min(count, DIFFERENT))]
    with TemporaryDirectory() as folder:
        target = Path(folder) / "crops.zip"
        started = time.perf_counter()
        _crop_all(files, count, target)
        return Cost(_on_all_cores(started), target.stat().st_size)


def unpack_crops(count: int) -> Cost:
    """Decode crops into the array that everything else reads."""
    size = resolve("best", {}).crop_size
    files = paint_crops(np.arange(min(count, DIFFERENT)), size)
    with TemporaryDirectory() as folder:
        archive, target = Path(folder) / "crops.zip", Path(folder) / "pixels.npy"
        names = _crop_all(files, count, archive)
        started = time.perf_counter()
        unpack_pixels(archive, names, target, size, _silent)
        return Cost(_on_all_cores(started), target.stat().st_size)


def _crop_all(files: list[bytes], count: int, target: Path) -> list[str]:
    """Crop ``count`` images, which repeat the files, into a zip; return their names."""
    rules = resolve("best", {}).crop_rules()
    images = [SourceImage(f"{n}.jpg", f"{n}", f"{n % 9}", "train") for n in range(count)]

    def read(number: str) -> bytes:
        """Return a file with a number behind its end: copies would be cropped only once."""
        return files[int(number) % len(files)] + number.encode()

    made = stage_crops(images, read, target, rules, _silent)
    pack_crops([one for one in made if isinstance(one, Crop)], target, rules)
    return [image.name for image in images]


class EmbedAll:
    """Embed crops with the network of a preset, and keep features and embeddings."""

    def __init__(self, preset: str = "best") -> None:
        """Wait with making the network until it is needed."""
        self._settings = resolve(preset, {})
        self._made: tuple[object, float] | None = None

    def __call__(self, count: int) -> Cost:
        """Embed ``count`` crops."""
        settings = self._settings
        if self._made is None:
            network = build_network(settings.network_shape(), settings.weights, seed=0).eval()
            shown = 2 if settings.mirrored else 1
            size = network.backbone.feature_shape(settings.crop_size).numel()
            with TemporaryDirectory() as folder:
                path = Path(folder) / "network.onnx"
                export_network(network, path, {})
                self._made = open_exported(path), 4.0 * shown * size
        exported, of_features = self._made
        files = paint_crops(np.arange(min(count, DIFFERENT)), settings.crop_size)
        pixels = np.resize(pixels_of(files), (count, settings.crop_size, settings.crop_size, 3))
        started = time.perf_counter()
        vectors = embed_exported(exported, pixels, np.arange(count))  # type: ignore[arg-type]
        return Cost(_on_all_cores(started), vectors.nbytes + count * of_features)


def find_neighbours(count: int, size: int = 768) -> Cost:
    """Build an index of artists' embeddings, and look each of them up; it stays in memory."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(max(2, count // 20), size))
    points = 0.8 * centres[np.arange(count) % len(centres)] + rng.normal(size=(count, size))
    points = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
    started = time.perf_counter()
    search = build_index(points, NEAREST + SPARE)
    for start in range(0, count, 256):
        search(points[start : start + 256])
    return Cost(_on_all_cores(started), points.nbytes + EDGES * count)


def store_neighbours(count: int) -> Cost:
    """Store ten neighbours and six artists of each picture in SQLite."""
    names = [f"{number}.jpg" for number in range(count)]
    images = pd.DataFrame({"image_name": names, "artist_name": "x", "split": "test"})
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/results.db"
        with transaction(url) as session:
            evaluation_id, known = begin(session, images, "split", "test")
            begun = session.get_one(Evaluation, evaluation_id)
            atlas = Atlas(
                run_id=begun.run_id,
                model_id=begun.model_id,
                dataset_id=begun.dataset_id,
                n_images=count,
                n_artists=1,
            )
            artist = artist_ids_of(session, begun.dataset_id)["x"]
        ids = [known[name] for name in names]
        near: Iterator[dict[str, object]] = (
            {"image_id": one, "rank": rank, "neighbour_id": ids[-rank], "distance": 0.5}
            for one in ids
            for rank in range(1, 11)
        )
        likely: Iterator[dict[str, object]] = (
            {"image_id": one, "rank": rank, "artist_id": artist, "probability": 0.1}
            for one in ids
            for rank in range(6)
        )
        before = _size_of(url)
        started = time.perf_counter()
        with transaction(url) as session:
            record_atlas(session, atlas, near, likely, ())
        return Cost(time.perf_counter() - started, _size_of(url) - before)


def store_evaluation(count: int) -> Cost:
    """Store pairs of an evaluation in SQLite, and what they are found by."""
    images = pd.DataFrame({"image_name": ["a", "b"], "artist_name": ["x", "y"], "split": "test"})
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/results.db"
        with transaction(url) as session:
            evaluation_id, ids = begin(session, images, "split", "test")
        ends = (np.full(count, ids["a"]), np.full(count, ids["b"]))
        distance, same = np.full(count, 1.5), np.zeros(count, np.bool_)
        pairs = PairColumns(np.arange(count), *ends, distance, same)
        before = _size_of(url)
        started = time.perf_counter()
        store_pairs(url, evaluation_id, pairs)
        with transaction(url) as session:
            complete_evaluation(session, evaluation_id, Evaluation(n_pairs=count))
        return Cost(time.perf_counter() - started, _size_of(url) - before)


def _size_of(url: str) -> int:
    """Bytes of an SQLite file with all that was written to it."""
    engine = open_database(url)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    return Path(str(engine.url.database)).stat().st_size


def _on_all_cores(started: float) -> float:
    return (time.perf_counter() - started) * available_cores()


def _silent(done: int, total: int) -> None:
    """Show no progress."""

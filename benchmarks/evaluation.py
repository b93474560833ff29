"""Judge a network on fixed triplets: embed each image once, or again for every triplet."""

from collections.abc import Callable
from functools import partial

import numpy as np

from benchmarks.limits import PRECISIONS, Rates, operations
from benchmarks.paintings import paint_crops, pixels_of
from benchmarks.reference import embed_reference, evaluate_reference, reference_network
from benchmarks.report import Row, Table
from benchmarks.timing import alternate, compared
from model.compute import Compute, Precision
from model.distances import Float32, TripletDistances
from model.embedding import embed
from model.evaluation import distances_of
from model.metrics import triplet_accuracy
from model.network import NetworkShape, build_network
from model.triplets import Triplets, draw_triplets

ARTISTS = 91  # as many test artists as the reference has


def measure(
    device: str,
    rates: Rates,
    *,
    size: int = 224,
    images: int = 873,
    triplets: int = 6_000,
    part: int = 40,
    rounds: int = 3,
) -> Table:
    """Measure the reference's way on ``part`` of the ``triplets``, ours on all of them."""
    artists = np.arange(images) % ARTISTS
    files = paint_crops(artists, size)
    pixels = pixels_of(files)
    drawn = draw_triplets(artists, triplets, np.random.default_rng(0))
    some = Triplets(drawn.anchor_idx[:part], drawn.positive_idx[:part], drawn.negative_idx[:part])
    network = build_network(NetworkShape(crop_size=size), "none", seed=0).to(device)
    reference = reference_network(network)

    def ours(compute: Compute) -> TripletDistances:
        return distances_of(embed(network, pixels, np.arange(images), compute), drawn)

    ways: dict[str, Callable[[], object]] = {
        "the reference's way": partial(evaluate_reference, reference, files, some),
        "float32, each image once": partial(ours, Compute(device, "float32")),
        "bfloat16, each image once": partial(ours, Compute(device, "bfloat16")),
    }
    seconds = alternate(ways, rounds, device)
    seconds["the reference's way"] *= triplets / part
    limit = operations(images, size, training=False) / rates.most
    notes = {"the reference's way": f"{triplets / part:g} times what {part:,} triplets take"}
    rows = compared(seconds | {"limit: its operations at the highest rate measured": limit}, notes)
    expected = embed_reference(reference, files)
    for precision in PRECISIONS:
        found = embed(network, pixels, np.arange(images), Compute(device, precision))
        rows += _agreement(precision, found, expected, drawn)
    work = f"{triplets:,} triplets over {images:,} images of {size} x {size}, {device}"
    return Table("evaluation", work, tuple(rows))


def _agreement(
    precision: Precision, found: Float32, expected: Float32, triplets: Triplets
) -> tuple[Row, Row]:
    """How far embeddings are from the reference's, and triplet accuracy from what it finds."""
    error = float(np.linalg.norm(found - expected) / np.linalg.norm(expected))
    ours, theirs = (triplet_accuracy(distances_of(each, triplets)) for each in (found, expected))
    note = f"{100 * ours:.2f} %, the reference's {100 * theirs:.2f} %"
    return (
        Row(f"{precision}: relative error of the embeddings", error, ""),
        Row(f"{precision}: triplet accuracy apart", 100 * abs(ours - theirs), "points", None, note),
    )

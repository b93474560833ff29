"""Where the likeness of two pictures comes from, by hiding one part after another.

Occlusion sensitivity (Zeiler & Fergus 2014, "Visualizing and Understanding Convolutional
Networks"), with the distance of two embeddings in place of a class's probability.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from model.distances import Float64, finite_points

PARTS = 8
"""Each side is divided into so many parts."""

Pixels = npt.NDArray[np.uint8]


def occlude(crop: Pixels, parts: int = PARTS) -> Pixels:
    """Return copies of a crop (S, S, 3), each with one part hidden: (parts * parts, S, S, 3).

    The part is filled with the mean colour, row by row of the crop.
    """
    edges = np.linspace(0, len(crop), parts + 1).astype(int)
    copies = np.repeat(crop[None], parts * parts, axis=0)
    colour = crop.mean(axis=(0, 1)).round()
    for number, copy in enumerate(copies):
        row, column = divmod(number, parts)
        copy[edges[row] : edges[row + 1], edges[column] : edges[column + 1]] = colour
    return copies


def likeness(
    embed: Callable[[Pixels], npt.NDArray[np.float32]],
    crop: Pixels,
    other: Pixels,
    parts: int = PARTS,
) -> Float64:
    """How much farther from ``other`` a crop (S, S, 3) is without each part: (parts, parts).

    Parts above 0 make the two alike; parts below 0 set them apart.
    """
    points = finite_points(embed(np.concatenate([other[None], crop[None], occlude(crop, parts)])))
    distance = np.linalg.norm(points[1:] - points[0], axis=1)
    farther: Float64 = (distance[1:] - distance[0]).reshape(parts, parts)
    return farther

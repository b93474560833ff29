"""The reference's random warp of training images, a whole batch at once, on CPU or GPU.

The reference applies five nearest-neighbour transforms in a row. Each only moves pixels, so index
maps do the same for a whole batch. Given the same random numbers, the result equals that of
torchvision and Pillow bit for bit.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from model.compute import send
from model.errors import ModelInputError
from model.index_maps import (
    affine_map,
    affine_matrix,
    affine_walks,
    perspective_coefficients,
    perspective_map,
    rotation_matrix,
)
from model.warp_draws import WarpDraws, WarpRanges, draw_warps

__all__ = ["WarpDraws", "WarpRanges", "draw_warps", "warp"]

# Pixels moved at a time: about a CPU's cache, or far less than a GPU's memory.
PIXELS_ON_CPU, PIXELS_ON_GPU = 1 << 20, 1 << 26


def warp(pixels: Tensor, draws: WarpDraws) -> Tensor:
    """Warp images (B, size, size, 3), uint8, as drawn; the result has their shape and device.

    The order is rotation; vertical and horizontal flip; affine with rotation, scale and shear;
    perspective. Pixels from outside an image are black. Index maps are warped instead of pixels,
    so pixels are read only once. Raises `ModelInputError` if images and draws do not match.
    """
    expected = (len(draws.rotation), draws.size, draws.size, 3)
    if pixels.shape != expected or pixels.dtype != torch.uint8:
        raise ModelInputError(
            f"warp got {pixels.dtype} images {tuple(pixels.shape)}; it needs uint8 {expected}"
        )
    device = pixels.device
    rotations, affines = send(_rotations(draws), device), send(_affines(draws), device)
    tilts = send(_tilts(draws), device)
    at_once = PIXELS_ON_CPU if device.type == "cpu" else PIXELS_ON_GPU
    share = max(1, at_once // draws.size**2)
    # Pixels are numbered from 1, in frames of 0, which stands for black.
    shape = (min(share, len(pixels)), draws.size, draws.size)
    numbers = torch.arange(1, math.prod(shape) + 1, dtype=torch.int32, device=device)
    framed = pad(numbers.view(shape), (1, 1, 1, 1))
    warped = torch.empty_like(pixels, memory_format=torch.contiguous_format)
    for start in range(0, len(pixels), share):
        part = slice(start, start + share)
        origins = framed[: len(pixels[part])].clone()
        _move(origins, affine_map(rotations[part]))
        _move(origins, affine_map(affines[part]))
        _tilt(origins, tilts[part], np.flatnonzero(draws.perspective[part]))
        _look_up(pixels[part], origins[:, 1:-1, 1:-1], out=warped[part])
    return warped


def _rotations(draws: WarpDraws) -> Tensor:
    """Compute the tables (B, 4, size) of the rotations."""
    matrices = [rotation_matrix(degrees, draws.size) for degrees in draws.rotation.tolist()]
    unflipped = np.zeros(len(matrices), dtype=np.bool_)
    return affine_walks(matrices, unflipped, unflipped, draws.size)


def _affines(draws: WarpDraws) -> Tensor:
    """Compute the tables (B, 4, size) of the flips and the affine transforms after them."""
    # Python's math functions are much faster on Python floats than on NumPy's.
    rotations, scales = draws.affine_rotation.tolist(), draws.scale.tolist()
    drawn = zip(rotations, scales, draws.shear.tolist(), strict=True)
    matrices = [affine_matrix(*numbers, size=draws.size) for numbers in drawn]
    return affine_walks(matrices, draws.horizontal_flip, draws.vertical_flip, draws.size)


def _tilts(draws: WarpDraws) -> Tensor:
    """Compute the coefficients (B, 8) of the perspectives, zeros for images without one."""
    tilts = torch.zeros(len(draws.perspective), 8, dtype=torch.float64)
    tilted = perspective_coefficients(draws.corners[draws.perspective], draws.size)
    tilts[torch.from_numpy(draws.perspective)] = tilted
    return tilts


def _move(framed: Tensor, positions: Tensor) -> None:
    """Replace framed images, in place, by their values at flat positions (B, size, size)."""
    moved = framed.flatten().index_select(0, positions.flatten())
    framed[:, 1:-1, 1:-1] = moved.view_as(positions)


def _tilt(framed: Tensor, tilts: Tensor, chosen: NDArray[np.intp]) -> None:
    """Put the chosen framed images in perspective, in place."""
    if chosen.size:
        images = send(torch.from_numpy(chosen), framed.device)
        tilted = framed[images]
        _move(tilted, perspective_map(tilts[images], tilted.shape[-1] - 2))
        framed[images] = tilted


def _look_up(pixels: Tensor, origins: Tensor, out: Tensor) -> None:
    """Write the pixels with these numbers to `out` (B, size, size, 3); 0 is black."""
    black = pixels.new_zeros(1, 3)
    source, target = torch.cat([black, pixels.flatten(0, 2)]), out.view(-1, 3)
    wanted = origins.flatten()
    for channel in range(3):  # several times faster than gathering rows of three
        torch.index_select(source[:, channel], 0, wanted, out=target[:, channel])

"""The reference's random warp of training images, a whole batch at once and on any device.

The reference warps each image by five nearest-neighbour transforms in a row. Each of them only
moves pixels, so here a batch is moved by index maps, and comes out exactly as torchvision and
Pillow would have it, bit for bit, given the same random numbers.
"""

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

# Pixels moved at a time: about what a CPU's cache holds, or far less than a GPU's memory.
PIXELS_ON_CPU, PIXELS_ON_GPU = 1 << 20, 1 << 26


def warp(pixels: Tensor, draws: WarpDraws) -> Tensor:
    """Warp images (B, size, size, 3), uint8, as drawn; the result has their shape and device.

    In this order: rotation; vertical and horizontal flip; affine with rotation, scale and shear;
    perspective. What comes from outside an image is black. Not the pixels are moved but their
    numbers, so that pixels are read once, at the end. The device is a CPU or a CUDA GPU.

    Raises `ModelInputError` if the images are not those that the numbers were drawn for.
    """
    expected = (len(draws.rotation), draws.size, draws.size, 3)
    if pixels.shape != expected or pixels.dtype != torch.uint8:
        raise ModelInputError(
            f"warp got {pixels.dtype} images {tuple(pixels.shape)}: give it uint8 ones {expected}"
        )
    device = pixels.device
    rotations, affines = send(_rotations(draws), device), send(_affines(draws), device)
    tilts = send(_tilts(draws), device)
    at_once = PIXELS_ON_CPU if device.type == "cpu" else PIXELS_ON_GPU
    share = max(1, at_once // draws.size**2)
    numbers = _numbered(min(share, len(pixels)), draws.size, device)
    warped = torch.empty_like(pixels, memory_format=torch.contiguous_format)
    for start in range(0, len(pixels), share):
        part = slice(start, start + share)
        origins = numbers[: len(pixels[part])].clone()
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
    """Compute the tables (B, 4, size) of the affine transforms, with the flips before them."""
    # As Python's own numbers, which its functions of one number take far faster than NumPy's.
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


def _numbered(count: int, size: int, device: torch.device) -> Tensor:
    """Number the pixels of `count` images from 1, inside frames that are 0 for black."""
    numbers = torch.arange(1, count * size**2 + 1, dtype=torch.int32, device=device)
    return pad(numbers.view(count, size, size), (1, 1, 1, 1))


def _move(framed: Tensor, positions: Tensor) -> None:
    """Replace what is in the frames by what is at flat positions (B, size, size), in place."""
    moved = framed.flatten().index_select(0, positions.flatten())
    framed[:, 1:-1, 1:-1] = moved.view_as(positions)


def _tilt(framed: Tensor, tilts: Tensor, chosen: NDArray[np.intp]) -> None:
    """Put the chosen ones of the framed images in perspective, in place."""
    if chosen.size:
        images = send(torch.from_numpy(chosen), framed.device)
        tilted = framed[images]
        _move(tilted, perspective_map(tilts[images], tilted.shape[-1] - 2))
        framed[images] = tilted


def _look_up(pixels: Tensor, origins: Tensor, out: Tensor) -> None:
    """Write to `out` the pixels (B, size, size, 3) that have these numbers, 0 being black."""
    black = pixels.new_zeros(1, 3)
    source, target = torch.cat([black, pixels.flatten(0, 2)]), out.view(-1, 3)
    wanted = origins.flatten()
    for channel in range(3):  # several times faster than looking up rows of three
        torch.index_select(source[:, channel], 0, wanted, out=target[:, channel])

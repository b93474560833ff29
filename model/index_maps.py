"""Index maps: which input pixel each output pixel of a geometric transform reads, as in Pillow.

A nearest-neighbour transform moves whole pixels, so a table of positions describes it. These tables
reproduce Pillow's arithmetic pixel for pixel (`Image.rotate` and `Image.transform` in `Image.py`,
`affine_fixed`, `ImagingScaleAffine` and `perspective_transform` in `Geometry.c`), for square images
of `size` pixels a side.

A map holds flat positions in a *framed* image, (size + 2) x (size + 2), whose black frame stands
for all pixels outside the image. Coefficients and tables are small and computed on the CPU in
float64; a map is computed on its table's device.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

FRACTION_BITS = 16  # Pillow uses 16.16 fixed point for rotated images


def rotation_matrix(degrees: float, size: int) -> tuple[float, ...]:
    """Return the six affine coefficients of a rotation, as in `PIL.Image.Image.rotate`.

    They map output (x, y) to input (ax + by + c, dx + ey + f), in pixels. Positive degrees rotate
    counter-clockwise. Pillow rounds sine and cosine to 15 digits.
    """
    radians = -math.radians(degrees % 360.0)
    cosine, sine = round(math.cos(radians), 15), round(math.sin(radians), 15)
    return _about_centre(cosine, sine, -sine, cosine, size)


def affine_matrix(degrees: float, scale: float, shear: float, size: int) -> tuple[float, ...]:
    """Return the six affine coefficients of a shear along x, then a scaling, then a rotation.

    As in torchvision's `affine`, M = R(degrees) * scale * [[1, -tan(shear)], [0, 1]] is applied
    about the centre, clockwise in degrees. Pillow needs the coefficients of M's inverse.
    """
    rotation = math.radians(degrees)
    cosine, sine, slope = math.cos(rotation), math.sin(rotation), math.tan(math.radians(shear))
    # Products before sums and the division last, to match torchvision to the last bit.
    x_by_y, y_by_y = -cosine * slope - sine, -sine * slope + cosine
    return _about_centre(y_by_y / scale, -x_by_y / scale, -sine / scale, cosine / scale, size)


def _about_centre(a: float, b: float, d: float, e: float, size: int) -> tuple[float, ...]:
    """Complete a 2 x 2 matrix with the offsets that keep the centre fixed."""
    centre = size / 2
    c = a * -centre + b * -centre + centre
    f = d * -centre + e * -centre + centre
    return a, b, c, d, e, f


def perspective_coefficients(corners: Integers, size: int) -> Tensor:
    """Return the coefficients (n, 8) that map the image into quadrilaterals (n, 4, 2).

    Corners are (x, y), clockwise from the top left. Output (x, y) reads input
    ((ax + by + c) / (gx + hy + 1), (dx + ey + f) / (gx + hy + 1)); each corner gives two equations
    linear in a ... h (Heckbert, "Fundamentals of Texture Mapping and Image Warping", 1989,
    section 2.2.3). Solver and rounding to float32 are torchvision's.
    """
    far = float(size - 1)
    source = torch.tensor([[0.0, 0.0], [far, 0.0], [far, far], [0.0, far]], dtype=torch.float64)
    target = torch.from_numpy(corners).to(torch.float64)
    ones = torch.ones_like(target[..., :1])
    point = torch.cat([target, ones], dim=-1)
    equations = torch.zeros(len(corners), 4, 2, 8, dtype=torch.float64)
    equations[:, :, 0, 0:3] = point
    equations[:, :, 1, 3:6] = point
    equations[:, :, :, 6:8] = -source[:, :, None] * target[:, :, None, :]
    right = source.flatten().expand(len(corners), 8).unsqueeze(-1)
    solution: Tensor = torch.linalg.lstsq(equations.flatten(1, 2), right, driver="gels").solution
    return solution.squeeze(-1).to(torch.float32).to(torch.float64)


def affine_walks(
    matrices: Sequence[tuple[float, ...]], mirror_x: Flags, mirror_y: Flags, size: int
) -> Tensor:
    """Return the tables (B, 4, size), int32, of affine transforms of mirrored images.

    `matrices` are B times six coefficients; the flags (B,) say which images are first mirrored left
    to right (x) and top to bottom (y). In fixed point, an output pixel reads input x = first table
    at its column + second at its row, and y = third + fourth likewise.
    """
    a, b, c, d, e, f = np.array(matrices, dtype=np.float64).reshape(-1, 6).T
    upright = (b == 0) & (d == 0)
    x_by_column, x_by_row = _walk(c + a * 0.5 + b * 0.5, a, b, upright, mirror_x, size)
    y_by_row, y_by_column = _walk(f + d * 0.5 + e * 0.5, e, d, upright, mirror_y, size)
    return torch.from_numpy(np.stack([x_by_column, x_by_row, y_by_column, y_by_row], axis=1))


def _walk(
    first: Floats, along: Floats, aside: Floats, upright: Flags, mirror: Flags, size: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return one input coordinate in fixed point, as a sum of two tables (B, size).

    The coordinate is `first` at the first output pixel and grows by `along` per pixel in its own
    direction, by `aside` in the other. Pillow accumulates fixed-point steps, except for upright
    images (neither rotated nor sheared), where it accumulates floats.
    """
    # size - 1 - floor(v) = floor(size - v - the smallest fraction), so mirroring is exact.
    last, sign = (size << FRACTION_BITS) - 1, np.where(mirror, -1, 1)
    start = np.where(mirror, last, 0) + sign * _to_fixed(first)
    steps = np.arange(size, dtype=np.int32)
    own = _wrapped(start) + _wrapped(sign * _to_fixed(along)) * steps
    other = _wrapped(sign * _to_fixed(aside)) * steps
    if upright.any():
        floats = np.repeat(along[upright, None], size, axis=1)
        floats[:, 0] = first[upright]
        pixels = np.floor(np.cumsum(floats, axis=1)).clip(-1, size).astype(np.int64)
        whole = pixels << FRACTION_BITS
        own[upright] = np.where(mirror[upright, None], last - whole, whole)
    return own, other


def _wrapped(values: Integers) -> NDArray[np.int32]:
    """Cast (B,) to (B, 1), int32: one table may overflow, but the sum of two wraps back."""
    return values.astype(np.int32)[:, None]


def _to_fixed(values: Floats) -> Integers:
    """Round to fixed point as Pillow's FIX does."""
    return np.floor(values * (1 << FRACTION_BITS) + 0.5).astype(np.int64)


def affine_map(walks: Tensor) -> Tensor:
    """Return the positions (B, size, size), int32, that affine transforms read."""
    size = walks.shape[-1]
    x_by_column, x_by_row, y_by_column, y_by_row = walks.unbind(dim=1)
    x = x_by_column[:, None, :] + x_by_row[:, :, None]
    y = y_by_column[:, None, :] + y_by_row[:, :, None]
    x.bitwise_right_shift_(FRACTION_BITS).clamp_(-1, size)
    y.bitwise_right_shift_(FRACTION_BITS).clamp_(-1, size)
    return _positions(x, y)


def perspective_map(coefficients: Tensor, size: int) -> Tensor:
    """Return the positions (B, size, size), int32, that perspectives (B, 8) read.

    Pillow computes them in floats at pixel centres; float64 gives the same on any device.
    """
    device = coefficients.device
    centres = torch.arange(size, dtype=torch.float64, device=device) + 0.5
    a, b, c, d, e, f, g, h = coefficients.T[..., None, None]

    def plane(by_x: Tensor, by_y: Tensor, constant: Tensor | float) -> Tensor:
        return (by_x * centres + by_y * centres[:, None]).add_(constant)

    divisor = plane(g, h, 1.0)
    # 0 / 0 is no pixel, so it goes to the frame.
    x = plane(a, b, c).div_(divisor).floor_().nan_to_num_(nan=-1.0).clamp_(-1, size)
    y = plane(d, e, f).div_(divisor).floor_().nan_to_num_(nan=-1.0).clamp_(-1, size)
    return _positions(x.to(torch.int32), y.to(torch.int32))


def _positions(x: Tensor, y: Tensor) -> Tensor:
    """Turn input pixels (B, size, size), from -1 to size, into positions in framed images."""
    count, size, _ = x.shape
    side = size + 2
    origins = torch.arange(count, dtype=torch.int32, device=x.device) * side**2 + side + 1
    return y.mul_(side).add_(x).add_(origins[:, None, None])

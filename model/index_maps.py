"""Index maps: where each output pixel of a geometric transform reads its input, as in Pillow.

A nearest-neighbour transform moves whole pixels, so it is a table of positions. The tables made
here are those of Pillow's own arithmetic, pixel for pixel (`Image.rotate` and `Image.transform`
in `Image.py`, `affine_fixed`, `ImagingScaleAffine` and `perspective_transform` in `Geometry.c`),
for square images of `size` pixels a side.

Each map holds flat positions in a *framed* image: the image inside a frame one pixel wide, so
(size + 2) x (size + 2). What Pillow finds outside its input is found in the frame, which is
black. Coefficients and tables are small and computed on the CPU in float64; a map is made where its
table lies, on the CPU or a GPU.
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

FRACTION_BITS = 16  # Pillow walks rotated images in fixed point, 16 bits before and after the point


def rotation_matrix(degrees: float, size: int) -> tuple[float, ...]:
    """Give the six affine coefficients of a rotation, as `PIL.Image.Image.rotate` has them.

    The coefficients lead from output (x, y) to input (ax + by + c, dx + ey + f), in pixels;
    positive degrees turn the picture counter-clockwise. Pillow rounds sine and cosine to 15 digits.
    """
    radians = -math.radians(degrees % 360.0)
    cosine, sine = round(math.cos(radians), 15), round(math.sin(radians), 15)
    return _about_centre(cosine, sine, -sine, cosine, size)


def affine_matrix(degrees: float, scale: float, shear: float, size: int) -> tuple[float, ...]:
    """Give the six affine coefficients of a rotation after a scaling after a shear along x.

    The picture is moved by M = R(degrees) * scale * [[1, -tan(shear)], [0, 1]] about its centre,
    clockwise in degrees, as torchvision's `affine` does; these are the coefficients of M's
    inverse, which Pillow wants. Without the scale, M's determinant is 1.
    """
    rotation = math.radians(degrees)
    cosine, sine, slope = math.cos(rotation), math.sin(rotation), math.tan(math.radians(shear))
    # Products before sums, and the division last: the last bit of each is to be torchvision's.
    x_by_y, y_by_y = -cosine * slope - sine, -sine * slope + cosine
    return _about_centre(y_by_y / scale, -x_by_y / scale, -sine / scale, cosine / scale, size)


def _about_centre(a: float, b: float, d: float, e: float, size: int) -> tuple[float, ...]:
    """Complete a 2 x 2 matrix with the offsets that keep the image's centre in its place."""
    centre = size / 2
    c = a * -centre + b * -centre + centre
    f = d * -centre + e * -centre + centre
    return a, b, c, d, e, f


def perspective_coefficients(corners: Integers, size: int) -> Tensor:
    """Give the coefficients (n, 8) that read the whole image into quadrilaterals (n, 4, 2).

    Corners are (x, y) from the top left clockwise. Output (x, y) reads input
    ((ax + by + c) / (gx + hy + 1), (dx + ey + f) / (gx + hy + 1)); a corner gives two equations
    linear in a ... h (Heckbert, "Fundamentals of Texture Mapping and Image Warping", 1989,
    section 2.2.3). Solver and rounding to float32 are torchvision's, so are the last bits.
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
    """Give the tables (B, 4, size), int32, of affine transforms of images mirrored before.

    `matrices` are B times six coefficients; the flags (B,) say which images are mirrored left to
    right (x) and top to bottom (y). In fixed point, an output pixel reads the input at x = the
    first table at its column + the second at its row, and y = the third + the fourth likewise.
    """
    a, b, c, d, e, f = np.array(matrices, dtype=np.float64).reshape(-1, 6).T
    upright = (b == 0) & (d == 0)
    x_by_column, x_by_row = _walk(c + a * 0.5 + b * 0.5, a, b, upright, mirror_x, size)
    y_by_row, y_by_column = _walk(f + d * 0.5 + e * 0.5, e, d, upright, mirror_y, size)
    return torch.from_numpy(np.stack([x_by_column, x_by_row, y_by_column, y_by_row], axis=1))


def _walk(
    first: Floats, along: Floats, aside: Floats, upright: Flags, mirror: Flags, size: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Give one input coordinate in fixed point, as a sum of two tables (B, size).

    The coordinate is `first` at the first output pixel and grows by `along` with each pixel in
    its own direction, by `aside` in the other. Pillow adds up fixed-point steps, except for
    upright images, neither rotated nor sheared, where it adds up floats.
    """
    # size - 1 - floor(v) = floor(size - v - the smallest fraction), so mirroring costs no pixel.
    last, sign = (size << FRACTION_BITS) - 1, np.where(mirror, -1, 1)
    start = np.where(mirror, last, 0) + sign * _to_fixed(first)
    steps = np.arange(size, dtype=np.int32)
    own = _wrapped(start) + _wrapped(sign * _to_fixed(along)) * steps
    other = _wrapped(sign * _to_fixed(aside)) * steps
    if upright.any():
        whole = _added_up(first[upright], along[upright], size)
        own[upright] = np.where(mirror[upright, None], last - whole, whole)
    return own, other


def _added_up(first: Floats, along: Floats, size: int) -> Integers:
    """Add up floats from one output pixel to the next, and give the input pixels (n, size)."""
    steps = np.repeat(along[:, None], size, axis=1)
    steps[:, 0] = first
    floats = np.cumsum(steps, axis=1)
    return np.floor(floats).clip(-1, size).astype(np.int64) << FRACTION_BITS


def _wrapped(values: Integers) -> NDArray[np.int32]:
    """Give (B,) numbers as (B, 1) of 32 bits.

    A table alone may wrap around in them; the sum of two, which is what counts, wraps back.
    """
    return values.astype(np.int32)[:, None]


def _to_fixed(values: Floats) -> Integers:
    """Round to fixed point as Pillow's FIX does."""
    return np.floor(values * (1 << FRACTION_BITS) + 0.5).astype(np.int64)


def affine_map(walks: Tensor) -> Tensor:
    """Give the positions (B, size, size), int32, that affine transforms with these tables read."""
    size = walks.shape[-1]
    x_by_column, x_by_row, y_by_column, y_by_row = walks.unbind(dim=1)
    x = x_by_column[:, None, :] + x_by_row[:, :, None]
    y = y_by_column[:, None, :] + y_by_row[:, :, None]
    x.bitwise_right_shift_(FRACTION_BITS).clamp_(-1, size)
    y.bitwise_right_shift_(FRACTION_BITS).clamp_(-1, size)
    return _positions(x, y)


def perspective_map(coefficients: Tensor, size: int) -> Tensor:
    """Give the positions (B, size, size), int32, that perspectives with coefficients (B, 8) read.

    Pillow computes these in floats at the pixels' centres; float64 does the same on any device.
    """
    device = coefficients.device
    centres = torch.arange(size, dtype=torch.float64, device=device) + 0.5
    a, b, c, d, e, f, g, h = coefficients.T[..., None, None]

    def plane(by_x: Tensor, by_y: Tensor, constant: Tensor | float) -> Tensor:
        return (by_x * centres + by_y * centres[:, None]).add_(constant)

    divisor = plane(g, h, 1.0)
    # 0 / 0 lies on no pixel, so it goes to the frame.
    x = plane(a, b, c).div_(divisor).floor_().nan_to_num_(nan=-1.0).clamp_(-1, size)
    y = plane(d, e, f).div_(divisor).floor_().nan_to_num_(nan=-1.0).clamp_(-1, size)
    return _positions(x.to(torch.int32), y.to(torch.int32))


def _positions(x: Tensor, y: Tensor) -> Tensor:
    """Turn input pixels (B, size, size), from -1 to size, into flat positions in framed images."""
    count, size, _ = x.shape
    side = size + 2
    origins = torch.arange(count, dtype=torch.int32, device=x.device) * side**2 + side + 1
    return y.mul_(side).add_(x).add_(origins[:, None, None])

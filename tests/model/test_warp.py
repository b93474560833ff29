"""The batched warp against torchvision and Pillow."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from torchvision.transforms import RandomPerspective

from benchmarks.reference import warp_one
from model.errors import ModelInputError
from model.index_maps import perspective_map
from model.warp import WarpDraws, WarpRanges, draw_warps, warp

Pixels = NDArray[np.uint8]

REFERENCE = WarpRanges()
STILL = WarpRanges(
    rotation=0.0,
    vertical_flip=0.0,
    horizontal_flip=0.0,
    affine_rotation=0.0,
    scale_low=1.0,
    scale_high=1.0,
    shear=0.0,
    perspective=0.0,
)


def noise(count: int, size: int, seed: int = 0) -> Pixels:
    """Random images (count, size, size, 3)."""
    shape = (count, size, size, 3)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def warp_with_pillow(pixels: Pixels, draws: WarpDraws) -> Pixels:
    """The same warp, image by image and transform by transform."""
    images = [Image.fromarray(image) for image in pixels]
    return np.stack([np.asarray(warp_one(image, draws, i)) for i, image in enumerate(images)])


def assert_warped_as_by_pillow(pixels: Pixels, draws: WarpDraws) -> None:
    warped = warp(torch.from_numpy(pixels), draws).numpy()
    np.testing.assert_array_equal(warped, warp_with_pillow(pixels, draws))


@pytest.mark.parametrize(("size", "count"), [(2, 50), (32, 300), (64, 100), (97, 50), (224, 25)])
def test_a_batch_is_warped_bit_for_bit_as_by_pillow(size: int, count: int) -> None:
    draws = draw_warps(REFERENCE, count, size, np.random.default_rng(size))
    assert_warped_as_by_pillow(noise(count, size), draws)


@pytest.mark.parametrize(
    "ranges",
    [
        replace(STILL, rotation=15.0),
        replace(STILL, vertical_flip=0.5),
        replace(STILL, horizontal_flip=0.5),
        replace(STILL, affine_rotation=15.0),
        replace(STILL, scale_low=0.8, scale_high=1.2),
        replace(STILL, shear=10.0),
        replace(STILL, perspective=1.0),
    ],
    ids=["rotation", "vertical flip", "horizontal flip", "turn", "scale", "shear", "perspective"],
)
@pytest.mark.parametrize("size", [32, 97])
def test_each_single_transform_equals_pillows(ranges: WarpRanges, size: int) -> None:
    draws = draw_warps(ranges, 40, size, np.random.default_rng(7))
    assert_warped_as_by_pillow(noise(40, size), draws)


@pytest.mark.parametrize("size", [33, 64])
def test_the_widest_ranges_equal_pillows(size: int) -> None:
    ranges = WarpRanges(
        rotation=180.0,
        affine_rotation=180.0,
        scale_low=0.1,
        scale_high=10.0,
        shear=45.0,
        distortion=0.66,
        perspective=0.5,
    )
    draws = draw_warps(ranges, 150, size, np.random.default_rng(3))
    assert_warped_as_by_pillow(noise(150, size), draws)


def test_scales_and_flips_of_upright_images_equal_pillows() -> None:
    ranges = replace(STILL, scale_low=0.1, scale_high=10.0, vertical_flip=0.5, horizontal_flip=0.5)
    draws = draw_warps(ranges, 150, 47, np.random.default_rng(4))
    assert_warped_as_by_pillow(noise(150, 47), draws)


@given(seed=st.integers(0, 2**32 - 1), size=st.integers(11, 40))
def test_any_draw_at_any_size_equals_pillows(seed: int, size: int) -> None:
    ranges = replace(REFERENCE, perspective=0.5)
    draws = draw_warps(ranges, 3, size, np.random.default_rng(seed))
    assert_warped_as_by_pillow(noise(3, size, seed), draws)


@pytest.mark.parametrize("size", [32, 33])
def test_right_angles_equal_pillows_shortcuts(size: int) -> None:
    angles = np.array([0.0, 90.0, 180.0, 270.0, 360.0, -90.0, -180.0, -1e-20])
    draws = replace(draw_warps(STILL, len(angles), size, np.random.default_rng(0)), rotation=angles)
    pixels = noise(len(angles), size)
    assert_warped_as_by_pillow(pixels, draws)
    quarter = warp(torch.from_numpy(pixels), draws)[1].numpy()
    np.testing.assert_array_equal(quarter, np.rot90(pixels[1]))


def test_corners_that_form_a_smaller_square_equal_pillows() -> None:
    # Such coefficients are integers, so input pixels are read at their edges.
    draws = draw_warps(replace(STILL, perspective=1.0), 4, 33, np.random.default_rng(0))
    insets = np.array([0, 4, 8, 8])
    low, high = insets, 32 - np.array([0, 4, 8, 0])
    x, y = np.stack([low, high, high, low], axis=1), np.stack([low, low, high, high], axis=1)
    assert_warped_as_by_pillow(noise(4, 33), replace(draws, corners=np.stack([x, y], axis=2)))


def test_a_pixel_where_the_perspective_is_undefined_is_black_as_in_pillow() -> None:
    coefficients = (1.0, 0.0, -2.5, 0.0, 1.0, 0.0, -0.4, 0.0)  # at x = 2.5: 0 / 0 and y / 0
    size = 5
    framed = np.pad(np.arange(1, size**2 + 1, dtype=np.uint8).reshape(size, size), 1)
    rows = torch.tensor([coefficients], dtype=torch.float64)
    read = framed.flatten()[perspective_map(rows, size)[0].numpy()]
    image = Image.fromarray(framed[1:-1, 1:-1])
    expected = image.transform((size, size), Image.Transform.PERSPECTIVE, coefficients)
    np.testing.assert_array_equal(read, np.asarray(expected))
    assert not read[:, 2].any()


def test_a_warp_without_transforms_does_not_change_images() -> None:
    pixels = noise(5, 32)
    draws = draw_warps(STILL, 5, 32, np.random.default_rng(0))
    np.testing.assert_array_equal(warp(torch.from_numpy(pixels), draws).numpy(), pixels)


def test_flips_by_hand() -> None:
    a, b, c, d = [[1, 2, 3], [4, 5, 6], [7, 8, 9], [10, 11, 12]]
    pixels = torch.tensor([[[a, b], [c, d]]] * 4, dtype=torch.uint8)
    draws = replace(
        draw_warps(STILL, 4, 2, np.random.default_rng(0)),
        vertical_flip=np.array([False, True, False, True]),
        horizontal_flip=np.array([False, False, True, True]),
    )
    assert warp(pixels, draws).tolist() == [
        [[a, b], [c, d]],
        [[c, d], [a, b]],
        [[b, a], [d, c]],
        [[d, c], [b, a]],
    ]


def test_any_memory_layout_works_and_images_are_not_changed() -> None:
    pixels = torch.from_numpy(noise(6, 32))
    across = pixels.permute(0, 3, 1, 2).contiguous().permute(0, 2, 3, 1)
    draws = draw_warps(REFERENCE, 6, 32, np.random.default_rng(1))
    before = across.clone()
    assert torch.equal(warp(across, draws), warp(pixels, draws))
    assert torch.equal(across, before)


def test_an_empty_batch_gives_an_empty_batch() -> None:
    draws = draw_warps(REFERENCE, 0, 32, np.random.default_rng(0))
    assert warp(torch.from_numpy(noise(0, 32)), draws).shape == (0, 32, 32, 3)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no GPU for torch")
def test_a_gpu_warps_like_the_cpu() -> None:
    pixels = torch.from_numpy(noise(100, 224))
    draws = draw_warps(REFERENCE, 100, 224, np.random.default_rng(2))
    on_gpu = warp(pixels.cuda(), draws)
    assert on_gpu.is_cuda
    assert torch.equal(on_gpu.cpu(), warp(pixels, draws))


@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.integers(2, 300),
    distortion=st.floats(0.0, 0.66),
    rotation=st.floats(0.0, 180.0),
    scale_low=st.floats(0.1, 10.0),
    shear=st.floats(0.0, 45.0),
)
def test_draws_stay_within_their_ranges(
    seed: int, size: int, distortion: float, rotation: float, scale_low: float, shear: float
) -> None:
    ranges = WarpRanges(
        rotation=rotation, scale_low=scale_low, scale_high=10.0, shear=shear, distortion=distortion
    )
    draws = draw_warps(ranges, 20, size, np.random.default_rng(seed))
    assert (np.abs(draws.rotation) <= rotation).all()
    assert (np.abs(draws.affine_rotation) <= 15.0).all()
    assert ((scale_low <= draws.scale) & (draws.scale <= 10.0)).all()
    assert (np.abs(draws.shear) <= shear).all()
    moved = np.abs(draws.corners - [[0, 0], [size - 1, 0], [size - 1, size - 1], [0, size - 1]])
    assert moved.max() <= distortion * size / 2
    assert ((draws.corners >= 0) & (draws.corners < size)).all()


def test_draws_fill_their_ranges_uniformly() -> None:
    draws = draw_warps(REFERENCE, 20_000, 224, np.random.default_rng(0))
    flags = [draws.vertical_flip, draws.horizontal_flip, draws.perspective]
    assert [flag.mean() for flag in flags] == pytest.approx([0.5, 0.5, 0.2], abs=0.02)
    # A uniform number between low and high has the deviation (high - low) / sqrt(12).
    numbers = [draws.rotation, draws.affine_rotation, draws.scale, draws.shear]
    spans = np.array([30.0, 30.0, 0.4, 20.0])
    assert [values.mean() for values in numbers] == pytest.approx([0, 0, 1, 0], abs=0.2)
    assert [values.std() for values in numbers] == pytest.approx(spans / 12**0.5, rel=0.02)


def test_corners_have_the_same_range_as_torchvisions() -> None:
    drawn = draw_warps(replace(REFERENCE, distortion=0.3), 2000, 20, np.random.default_rng(0))
    theirs = np.array([RandomPerspective.get_params(20, 20, 0.3)[1] for _ in range(2000)])
    for corner in range(4):
        for axis in range(2):
            places = np.unique(drawn.corners[:, corner, axis])
            np.testing.assert_array_equal(places, np.unique(theirs[:, corner, axis]))


def test_the_same_seed_draws_the_same_warps() -> None:
    pixels = torch.from_numpy(noise(8, 32))
    first, same, other = (
        warp(pixels, draw_warps(REFERENCE, 8, 32, np.random.default_rng(seed)))
        for seed in (5, 5, 6)
    )
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rotation", -1.0),
        ("vertical_flip", 1.1),
        ("horizontal_flip", -0.1),
        ("affine_rotation", 181.0),
        ("scale_low", 0.0),
        ("scale_low", 1.3),
        ("scale_high", 11.0),
        ("shear", 90.0),
        ("distortion", 1.0),
        ("perspective", float("nan")),
    ],
)
def test_a_range_out_of_bounds_is_named(field: str, value: float) -> None:
    with pytest.raises(ModelInputError, match=rf"^{field} is {value}: .*$") as caught:
        replace(REFERENCE, **{field: value})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("size", [1, 3001])
def test_images_that_cannot_be_warped_are_refused(size: int) -> None:
    with pytest.raises(ModelInputError, match=f"^images are {size} pixels a side: "):
        draw_warps(REFERENCE, 1, size, np.random.default_rng(0))


@pytest.mark.parametrize(
    "pixels",
    [torch.zeros(2, 32, 32, 3), torch.zeros(3, 32, 32, 3, dtype=torch.uint8)],
    ids=["floats", "another count"],
)
def test_images_that_do_not_match_the_draws_are_refused(pixels: torch.Tensor) -> None:
    draws = draw_warps(REFERENCE, 2, 32, np.random.default_rng(0))
    with pytest.raises(ModelInputError, match=r"^warp got torch"):
        warp(pixels, draws)

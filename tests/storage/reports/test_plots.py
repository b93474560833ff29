"""Plots can be opened and show their data."""

import ast
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib.font_manager import fontManager
from PIL import Image, ImageColor

import storage.reports.plots
from storage.reports.plots import (
    DIFFERENT_COLOUR,
    SAME_COLOUR,
    SPLIT_COLOURS,
    ShownPair,
    plot_differences,
    plot_distances,
    plot_epochs,
    plot_pairs,
    plot_roc,
)


def opened(target: Path) -> npt.NDArray[np.int64]:
    """Pixels of the picture, (H, W, 3)."""
    with Image.open(target) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB")).astype(np.int64)


def count(pixels: npt.NDArray[np.int64], colour: str, opacity: float = 1.0) -> int:
    """Pixels that look like the colour over white."""
    wanted = np.array(ImageColor.getrgb(colour)) * opacity + 255 * (1 - opacity)
    return int((np.abs(pixels - wanted).max(axis=2) <= 3).sum())


def epochs_table(n_epochs: int, **columns: list[float | None]) -> pd.DataFrame:
    table: dict[str, object] = {"epoch": list(range(1, n_epochs + 1))}
    for split in SPLIT_COLOURS:
        for measure in ("loss", "accuracy"):
            values = columns.get(f"{split}_{measure}", [None] * n_epochs)
            table[f"{split}_{measure}"] = values
    return pd.DataFrame(table)


@pytest.mark.parametrize("n_epochs", [1, 2, 300])
def test_only_splits_with_values_are_drawn(tmp_path: Path, n_epochs: int) -> None:
    falling = list(np.linspace(2, 1, n_epochs))
    table = epochs_table(n_epochs, train_loss=falling, validation_loss=[1.5] * n_epochs)
    plot_epochs(table, "loss", 1, tmp_path / "plots" / "loss.png")
    pixels = opened(tmp_path / "plots" / "loss.png")
    assert pixels.shape == (462, 704, 3)
    assert count(pixels, SPLIT_COLOURS["train"]) > 50
    assert count(pixels, SPLIT_COLOURS["validation"]) > 50
    assert count(pixels, SPLIT_COLOURS["test"]) == 0


def test_the_requested_measure_is_drawn_with_its_gaps(tmp_path: Path) -> None:
    table = epochs_table(3, train_loss=[3, 2, 1], test_accuracy=[0.5, None, 0.9])
    plot_epochs(table, "accuracy", 3, tmp_path / "accuracy.png")
    pixels = opened(tmp_path / "accuracy.png")
    assert count(pixels, SPLIT_COLOURS["test"]) > 50
    assert count(pixels, SPLIT_COLOURS["train"]) == 0


def test_the_best_epoch_is_marked(tmp_path: Path) -> None:
    table = epochs_table(9, train_loss=[1.0] * 9)
    places = []
    for best in (2, 8):
        plot_epochs(table, "loss", best, tmp_path / "loss.png")
        dark = (opened(tmp_path / "loss.png")[250:390] < 60).all(axis=2).sum(axis=0)
        inside = dark[110:670]  # without the frame
        places.append(int(inside.argmax()))
    assert 0 < places[0] < 280 < places[1]


def test_a_better_curve_is_drawn_higher(tmp_path: Path) -> None:
    rate = np.linspace(0, 1, 50)
    heights = []
    for power in (5.0, 0.2):
        plot_roc(rate, rate**power, "ROC", tmp_path / "roc.png")
        pixels = opened(tmp_path / "roc.png")
        wanted = np.array(ImageColor.getrgb(SPLIT_COLOURS["test"]))
        rows = np.nonzero(np.abs(pixels - wanted).max(axis=2) <= 3)[0]
        assert len(rows) > 200
        heights.append(rows.mean())
    assert heights[1] < heights[0] - 80  # rows count downwards


def test_both_kinds_of_pairs_are_drawn_where_their_distances_are(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    distances = np.concatenate([rng.normal(1, 0.1, 500), rng.normal(3, 0.1, 300)])
    plot_distances(distances, np.arange(800) < 500, 2.0, tmp_path / "distances.png")
    pixels = opened(tmp_path / "distances.png")
    left, right = pixels[:, 80:340], pixels[:, 400:]
    assert count(left, SAME_COLOUR, 0.6) > 500 > count(left, DIFFERENT_COLOUR, 0.6)
    assert count(right[150:], DIFFERENT_COLOUR, 0.6) > 500 > count(right[150:], SAME_COLOUR, 0.6)


@pytest.mark.parametrize(("n_pairs", "rows"), [(1, 1), (4, 1), (5, 2)])
def test_both_crops_of_every_pair_are_shown(tmp_path: Path, n_pairs: int, rows: int) -> None:
    red, blue = (np.full((16, 16, 3), colour, np.uint8) for colour in ((255, 0, 0), (0, 0, 255)))
    pairs = [ShownPair(red, blue, f"pair {i}") for i in range(n_pairs)]
    plot_pairs(pairs, "The hardest pairs", tmp_path / "pairs.png")
    pixels = opened(tmp_path / "pairs.png")
    height = (2.02 * rows + 0.4) * 110
    assert pixels.shape == (pytest.approx(height, abs=1), 1408, 3)
    assert count(pixels, "#ff0000") == pytest.approx(count(pixels, "#0000ff"), rel=0.05)
    assert count(pixels, "#ff0000") > 10_000 * n_pairs


def test_dollar_signs_in_names_are_not_parsed_as_formulas(tmp_path: Path) -> None:
    crop = np.zeros((16, 16, 3), np.uint8)
    plot_pairs([ShownPair(crop, crop, "Ca$h / Ke$ha")], "Mistakes", tmp_path / "pairs.png")
    table = {"recipe": ["best:weights=a$b$"], "rival": ["demo"], "metric": ["roc_auc"]}
    differences = pd.DataFrame(table | {"value": [0.1], "low": [0.0], "high": [0.2]})
    plot_differences(differences, tmp_path / "differences.png")
    assert opened(tmp_path / "pairs.png").size
    assert opened(tmp_path / "differences.png").size


def test_names_in_any_script_are_drawn_without_a_warning(tmp_path: Path) -> None:
    crop = np.zeros((16, 16, 3), np.uint8)
    pair = ShownPair(crop, crop, "葛飾北斎 / 김홍도 / Ἀπελλῆς / خط / 🎨")
    plot_pairs([pair], "Mistakes", tmp_path / "pairs.png")  # warnings are errors here
    assert opened(tmp_path / "pairs.png").size


@pytest.fixture
def east_asian_font(tmp_path: Path) -> Iterator[None]:
    """An installed font whose only character is a black square."""
    builder = FontBuilder(1000, isTTF=True)
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for corner in ((0, 1000), (1000, 1000), (1000, 0)):
        pen.lineTo(corner)
    pen.closePath()
    empty = TTGlyphPen(None).glyph()
    builder.setupGlyphOrder([".notdef", "uni5317"])
    builder.setupCharacterMap({0x5317: "uni5317"})
    builder.setupGlyf({".notdef": empty, "uni5317": pen.glyph()})
    builder.setupHorizontalMetrics({".notdef": (1000, 0), "uni5317": (1000, 0)})
    builder.setupHorizontalHeader(ascent=1000, descent=0)
    builder.setupNameTable({"familyName": "Noto Sans CJK JP", "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=1000, usWinAscent=1000)
    builder.setupPost()
    builder.save(tmp_path / "square.ttf")
    known = list(fontManager.ttflist)
    fontManager.addfont(tmp_path / "square.ttf")
    yield
    fontManager.ttflist[:] = known


def test_an_installed_font_draws_east_asian_names(tmp_path: Path, east_asian_font: None) -> None:
    white = np.full((16, 16, 3), 255, np.uint8)
    dark = []
    for caption in ("", "北" * 10):
        plot_pairs([ShownPair(white, white, caption)], "", tmp_path / "pairs.png")
        dark.append(int((opened(tmp_path / "pairs.png") < 60).all(axis=2).sum()))
    side = 7 / 72 * 110  # a character of 7 points, in pixels
    assert dark[1] - dark[0] == pytest.approx(10 * side**2, rel=0.2)


def test_long_names_lose_their_middle(tmp_path: Path) -> None:
    crop = np.zeros((16, 16, 3), np.uint8)
    for count in (49, 4900):
        caption = f"A{'b' * count}C\ntaken for one artist"
        plot_pairs([ShownPair(crop, crop, caption)], "Mistakes", tmp_path / f"{count}.png")
    short, long = ((opened(tmp_path / f"{count}.png") < 60).sum() for count in (49, 4900))
    assert long == pytest.approx(short, rel=0.02)


def test_without_pairs_only_the_title_is_drawn(tmp_path: Path) -> None:
    plot_pairs([], "The hardest pairs", tmp_path / "pairs.png")
    assert (opened(tmp_path / "pairs.png") < 60).all(axis=2).sum() > 100


def test_pyplot_is_not_used() -> None:
    tree = ast.parse(Path(storage.reports.plots.__file__).read_text(encoding="utf-8"))
    imported = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, IMPORTS)]
    assert any("matplotlib" in line for line in imported)
    assert not any("pyplot" in line for line in imported)


IMPORTS = (ast.Import, ast.ImportFrom)

"""Pictures that open, show their lines, and leave nothing behind in the process."""

import ast
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from PIL import Image, ImageColor

import storage.reports.plots
from storage.reports.plots import (
    DIFFERENT_COLOUR,
    SAME_COLOUR,
    SPLIT_COLOURS,
    Verdict,
    plot_distances,
    plot_epochs,
    plot_roc,
    plot_verdicts,
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
def test_only_splits_with_figures_are_drawn(tmp_path: Path, n_epochs: int) -> None:
    falling = list(np.linspace(2, 1, n_epochs))
    table = epochs_table(n_epochs, train_loss=falling, validation_loss=[1.5] * n_epochs)
    plot_epochs(table, "loss", 1, tmp_path / "plots" / "loss.png")
    pixels = opened(tmp_path / "plots" / "loss.png")
    assert pixels.shape == (462, 704, 3)
    assert count(pixels, SPLIT_COLOURS["train"]) > 50
    assert count(pixels, SPLIT_COLOURS["validation"]) > 50
    assert count(pixels, SPLIT_COLOURS["test"]) == 0


def test_the_measure_that_is_asked_for_is_drawn_with_its_gaps(tmp_path: Path) -> None:
    table = epochs_table(3, train_loss=[3, 2, 1], test_accuracy=[0.5, None, 0.9])
    plot_epochs(table, "accuracy", 3, tmp_path / "accuracy.png")
    pixels = opened(tmp_path / "accuracy.png")
    assert count(pixels, SPLIT_COLOURS["test"]) > 50
    assert count(pixels, SPLIT_COLOURS["train"]) == 0


def test_the_best_epoch_is_marked_where_it_is(tmp_path: Path) -> None:
    table = epochs_table(9, train_loss=[1.0] * 9)
    places = []
    for best in (2, 8):
        plot_epochs(table, "loss", best, tmp_path / "loss.png")
        dark = (opened(tmp_path / "loss.png")[250:390] < 60).all(axis=2).sum(axis=0)
        inside = dark[110:670]  # without the frame
        places.append(int(inside.argmax()))
    assert 0 < places[0] < 280 < places[1]


def test_a_better_curve_leaves_less_above_it(tmp_path: Path) -> None:
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
    verdicts = [Verdict(red, blue, f"pair {i}") for i in range(n_pairs)]
    plot_verdicts(verdicts, "The hardest pairs", tmp_path / "verdicts.png")
    pixels = opened(tmp_path / "verdicts.png")
    height = (2.3 * rows + 0.5) * 110
    assert pixels.shape == (pytest.approx(height, abs=1), 1408, 3)
    assert count(pixels, "#ff0000") == pytest.approx(count(pixels, "#0000ff"), rel=0.05)
    assert count(pixels, "#ff0000") > 10_000 * n_pairs


def test_no_pair_at_all_gives_a_picture_with_its_title(tmp_path: Path) -> None:
    plot_verdicts([], "The hardest pairs", tmp_path / "verdicts.png")
    assert (opened(tmp_path / "verdicts.png") < 60).all(axis=2).sum() > 100


def test_pyplot_with_its_list_of_figures_is_not_used() -> None:
    tree = ast.parse(Path(storage.reports.plots.__file__).read_text(encoding="utf-8"))
    imported = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, IMPORTS)]
    assert any("matplotlib" in line for line in imported)
    assert not any("pyplot" in line for line in imported)


IMPORTS = (ast.Import, ast.ImportFrom)

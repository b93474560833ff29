"""The report's page in a real Chromium, against numbers computed with NumPy."""

from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from storage.datasets.crop_archive import entry_name
from storage.errors import InputError
from storage.pages.report_page import (
    ArtistRow,
    ErrorCurve,
    Evidence,
    MistakenRow,
    Painting,
    PaintingPair,
    write_report_page,
)
from storage.reports.report import Contender, Fact, Figure, Picture, Report
from tests.storage.pages.conftest import HOSTILE, Open, contrast, jpeg, overflows

RNG = np.random.default_rng(0)
SAME, DIFFERENT = RNG.normal(1.0, 0.3, 40).round(3), RNG.normal(1.6, 0.3, 900).round(3)
THRESHOLD, ACCEPT_WITHIN, REJECT_BEYOND = 1.25, 0.9, 1.7
STEPS = np.unique([*np.linspace(0, 3, 61), THRESHOLD, ACCEPT_WITHIN, REJECT_BEYOND])
ARTISTS = [
    ArtistRow("Zoë", 9, 0.5, 0.4, 0.6, 0.75, HOSTILE[0]),
    ArtistRow(HOSTILE[0], 30, 0.95, 0.9, 1.0, 0.99, "Zoë"),
    ArtistRow(HOSTILE[1], 1, None, None, None, None, HOSTILE[2]),
    ArtistRow(HOSTILE[2], 100, 0.75, 0.7, 0.8, 0.8, HOSTILE[3]),
    ArtistRow(HOSTILE[3], 12, 0.8, 0.5, 0.9, 0.85, HOSTILE[4]),
]


def painting(number: int) -> Painting:
    name = f"{number} {HOSTILE[number % 5]}".replace("/", "-")
    return Painting(f"folder/{name}.png", HOSTILE[number % 5], "" if number == 7 else name)


PAIRS = [
    PaintingPair(painting(2 * each), painting(2 * each + 1), each % 2 == 1, 0.5 + each, 0.875)
    for each in range(6)
]
REPORT = Report(
    title=f"Run 7: train-flow on {HOSTILE[2]}",
    summary="It works.",
    contenders=[
        Contender(
            "trained network",
            {
                ("triplet_accuracy", "all"): Figure(0.9, 0.85, 0.95),
                ("roc_auc", "all"): Figure(0.8, 0.7, 0.875),
                ("roc_auc", "matched"): Figure(0.7),
                ("cllr", "all"): Figure(0.5, 0.4, 0.6),
            },
        ),
        Contender(HOSTILE[0], {("triplet_accuracy", "all"): Figure(0.6, 0.5, 0.7)}),
    ],
    matched_on="style",
    facts=[Fact("dataset", HOSTILE[1])],
    epochs=pd.DataFrame(
        {
            "epoch": [1],
            **{f"{split}_{what}": [0.5] for split in ("train", "validation", "test")
               for what in ("loss", "accuracy")},
        }
    ),
    pictures=[Picture("roc.png", HOSTILE[0]), Picture("mistakes.png", "drawn anew")],
)  # fmt: skip
EVIDENCE = Evidence(
    curve=ErrorCurve(
        STEPS.tolist(),
        [int((step >= SAME).sum()) for step in STEPS],
        [int((step >= DIFFERENT).sum()) for step in STEPS],
    ),
    threshold=THRESHOLD,
    accept_within=ACCEPT_WITHIN,
    reject_beyond=REJECT_BEYOND,
    prior=0.5,
    hardest=PAIRS,
    artists=ARTISTS,
    mistaken=[MistakenRow(HOSTILE[0], HOSTILE[1], 9, 12, 0.25)],
)


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    with ZipFile(folder / "crops.zip", "w") as crops:
        for number in range(12):
            crops.writestr(entry_name(painting(number).file_name), jpeg((20 * number, 99, 150)))
    Image.new("RGB", (640, 420), "white").save(folder / "roc.png")
    target = folder / "report.html"
    write_report_page(target, REPORT, EVIDENCE, folder / "crops.zip", folder)
    return target


def errors(threshold: float) -> list[str]:
    """What the page should say of a threshold."""
    right, wrong = int((threshold >= SAME).sum()), int((threshold >= DIFFERENT).sum())
    lost = len(SAME) - right
    precision = f"{100 * right / (right + wrong):.1f} %" if right + wrong else "–"
    return [
        f"{threshold:.3f}",
        f"{100 * wrong / len(DIFFERENT):.1f} %",
        f"{wrong} of {len(DIFFERENT)}",
        f"{100 * lost / len(SAME):.1f} %",
        f"{lost} of {len(SAME)}",
        precision,
        f"{right} of {right + wrong}",
    ]


SHOWN = """["threshold-value", "false-acceptance", "false-acceptance-count", "false-rejection",
    "false-rejection-count", "precision", "precision-count"].map(
    (id) => document.getElementById(id).textContent.replace("\\u00a0", " "))"""


def test_the_slider_moves_both_errors(page_file: Path, opened: Open) -> None:
    with opened(page_file) as page:
        assert page.evaluate(SHOWN) == errors(THRESHOLD)
        slider = page.locator("#slider")
        for step in (0, 20, 45, len(STEPS) - 1):
            slider.fill(str(step))
            assert page.evaluate(SHOWN) == errors(STEPS[step])
        slider.press("ArrowLeft")
        assert page.evaluate(SHOWN) == errors(STEPS[-2])
        assert slider.get_attribute("aria-valuetext") == f"{STEPS[-2]:.3f}"
        for name, mark in (("Same", ACCEPT_WITHIN), ("Different", REJECT_BEYOND)):
            page.get_by_role("button", name=name).click()
            assert page.evaluate(SHOWN) == errors(mark)


def test_the_line_and_the_histograms_lie_where_the_distances_do(
    page_file: Path, opened: Open
) -> None:
    with opened(page_file) as page:
        line = float(str(page.locator(".threshold-line").get_attribute("x1")))
        assert line == pytest.approx(1000 * THRESHOLD / 3)
        band = page.locator(".undecided-band")
        assert float(str(band.get_attribute("width"))) == pytest.approx(1000 * 0.8 / 3)
        peaks = page.evaluate("""[data.same, data.different].map((counts) => {
            const heights = histogram(counts, 60);
            return [heights.indexOf(Math.max(...heights)), heights.reduce((a, b) => a + b)];
        })""")
        for (peak, total), distances in zip(peaks, (SAME, DIFFERENT), strict=True):
            assert peak / 20 == pytest.approx(float(np.median(distances)), abs=0.3)
            assert total == pytest.approx(1)


@pytest.mark.parametrize(
    ("heading", "first", "then"),
    [
        ("Images", [100, 30, 12, 9, 1], [1, 9, 12, 30, 100]),
        ("Triplet accuracy", [30, 12, 100, 9, 1], [9, 100, 12, 30, 1]),  # blanks stay last
        ("95 % interval", [12, 9, 100, 30, 1], [30, 100, 9, 12, 1]),  # by its width
    ],
)
def test_a_heading_sorts_the_artists(
    page_file: Path, opened: Open, heading: str, first: list[int], then: list[int]
) -> None:
    with opened(page_file) as page:
        button = page.locator("#artists").get_by_role("button", name=heading, exact=True)
        images = (
            "[...document.querySelectorAll('#artists tbody tr')].map(r => +r.cells[1].innerText)"
        )
        for order in (first, then):
            button.press("Enter")
            assert page.evaluate(images) == order
        assert page.locator("#artists th[aria-sort]:not([aria-sort=none])").count() == 1


def test_names_are_sorted_from_a_to_z_first(page_file: Path, opened: Open) -> None:
    with opened(page_file) as page:
        names = page.locator("#artists tbody th")
        button = page.locator("#artists").get_by_role("button", name="Artist", exact=True)
        button.click()
        upwards = names.all_text_contents()
        assert sorted(upwards) == sorted(artist.name for artist in ARTISTS)
        assert upwards[-1] == "Zoë"
        button.click()
        assert names.all_text_contents() == upwards[::-1]


TEXTS = """(part) => [...document.querySelectorAll(".pair .words")].map((words) => {
    const chosen = { artist: ":not([class])", title: ".title", file_name: ".file" }[part];
    return words.querySelector(chosen)?.textContent ?? "";
})"""


def test_names_are_shown_literally(page_file: Path, opened: Open) -> None:
    with opened(page_file) as page:
        assert page.locator("#artists tbody th").all_text_contents() == [a.name for a in ARTISTS]
        assert page.locator("h1").text_content() == REPORT.title
        words = page.locator(".pair .words")
        shown = [each for pair in PAIRS for each in (pair.first, pair.second)]
        for part in ("artist", "title", "file_name"):
            written = page.evaluate(TEXTS, part)
            assert sorted(written) == sorted(getattr(each, part) for each in shown)
        assert words.count() == 12
        assert page.get_by_text(HOSTILE[1], exact=True).count() >= 3
        assert page.locator("script").count() == 2
        assert page.locator("a, iframe, object").count() == 0


def test_each_painting_is_shown_once_with_a_text(page_file: Path, opened: Open) -> None:
    with opened(page_file) as page:
        texts = page.evaluate("[...document.querySelectorAll('.pair img')].map(i => i.alt)")
        assert len(set(texts)) == 12
        whole = page.evaluate("[...document.images].map(i => [i.alt.length > 0, i.naturalWidth])")
        assert [width for has_text, width in whole if has_text] == [64] * 12 + [640]
        boxes = page.evaluate(
            "[...document.querySelectorAll('.pair img')].map(i => i.getBoundingClientRect().width)"
        )
        assert min(boxes) > 220


def test_headlines_have_their_intervals(page_file: Path, opened: Open) -> None:
    with opened(page_file) as page:
        cards = page.locator(".headlines li").all_inner_texts()
        assert [card.split("\n")[:3] for card in cards] == [
            ["Triplet accuracy", "90.00 %", "95 % interval 85.0\xa0–\xa095.0"],
            ["ROC AUC", "0.800", "95 % interval 0.700\xa0–\xa00.875"],
            ["Cllr", "0.500", "95 % interval 0.400\xa0–\xa00.600"],
            ["ROC AUC, same style", "0.700", "a pair by one artist is closer than a pair by two"],
        ]


@pytest.mark.parametrize("width", [400, 1600])
@pytest.mark.parametrize("colours", ["light", "dark"])
def test_it_fits_and_can_be_read(page_file: Path, opened: Open, width: int, colours: str) -> None:
    with opened(page_file, width, colours) as page:
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert not overflows(page)
        for selector in ("h1", ".headlines small", ".errors .same b", ".errors .different b"):
            assert contrast(page, selector) > 4.5
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (paper == "rgb(23, 20, 17)") == (colours == "dark")


def test_nothing_else_can_run_or_be_loaded(page_file: Path, opened: Open) -> None:
    with opened(page_file) as page:
        policy = page.locator("meta[http-equiv]").get_attribute("content")
        assert policy is not None
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        assert "http" not in policy


def test_a_page_without_mistakes_says_so(tmp_path: Path, opened: Open) -> None:
    with ZipFile(tmp_path / "crops.zip", "w"):
        pass
    alone = Evidence(EVIDENCE.curve, 1.25, 0.9, 1.7, 0.5, (), (), ())
    bare = Report("t", "s", REPORT.contenders, None, [], REPORT.epochs.head(0), [])
    write_report_page(tmp_path / "report.html", bare, alone, tmp_path / "crops.zip", tmp_path)
    with opened(tmp_path / "report.html") as page:
        assert page.get_by_text("None on these paintings.").count() == 3


def test_a_missing_crop_is_named(tmp_path: Path) -> None:
    with ZipFile(tmp_path / "crops.zip", "w"):
        pass
    with pytest.raises(InputError, match=r"crops\.zip: not a zip of these crops"):
        write_report_page(
            tmp_path / "report.html", REPORT, EVIDENCE, tmp_path / "crops.zip", tmp_path
        )

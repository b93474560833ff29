"""The report's page in a real browser."""

from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pandas as pd
import pytest
from PIL import Image
from playwright.sync_api import Page

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

NASTY = "<script>alert(1)</script> & **bold** =1+1"
REPORT = Report(
    title=f"Run 7 on {NASTY}",
    summary="It works.",
    contenders=[
        Contender("trained network", {("triplet_accuracy", "all"): Figure(0.8125, 0.78, 0.845)})
    ],
    matched_on=None,
    facts=[Fact("source", NASTY)],
    epochs=pd.DataFrame(
        {
            name: []
            for name in (
                "epoch",
                *(
                    f"{split}_{measure}"
                    for split in ("train", "validation", "test")
                    for measure in ("loss", "accuracy")
                ),
            )
        }
    ),
    pictures=[Picture("roc.png", "ROC curve"), Picture("distances.png", "Distances")],
)
EVIDENCE = Evidence(
    curve=ErrorCurve([0.5, 1.0, 1.5, 2.0], [4, 7, 9, 10], [0, 10, 60, 100]),
    threshold=1.0,
    accept_within=0.5,
    reject_beyond=1.5,
    prior=0.5,
    hardest=(
        PaintingPair(
            Painting("a.jpg", NASTY, NASTY), Painting("b.jpg", "Hals", ""), False, 0.25, 0.99
        ),
        PaintingPair(
            Painting("c.jpg", "Goya", "The Nude"), Painting("d.jpg", "Goya", ""), True, 1.75, 0.01
        ),
    ),
    artists=(
        ArtistRow("Goya", 12, 0.75, 0.5, 0.9, 0.7, "Hals"),
        ArtistRow(NASTY, 2, None, None, None, None, "Goya"),
        ArtistRow("Hals", 30, 0.95, 0.9, 1.0, 0.99, NASTY),
    ),
    mistaken=(MistakenRow(NASTY, "Hals", 3, 4, 0.25),),
)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    picture = BytesIO()
    Image.new("RGB", (64, 64), "teal").save(picture, "JPEG")
    with ZipFile(folder / "crops.zip", "w") as crops:
        for name in "abcd":
            crops.writestr(f"{name}.jpg", picture.getvalue())
    Image.new("RGB", (64, 64), "teal").save(folder / "roc.png")
    write_report_page(folder / "report.html", REPORT, EVIDENCE, folder / "crops.zip", folder)
    return folder / "report.html"


@pytest.fixture
def shown(tab: Page, written: Path) -> Page:
    tab.goto(written.as_uri())
    return tab


def test_the_slider_shows_what_a_threshold_does_to_both_errors(shown: Page) -> None:
    def errors() -> list[str]:
        names = ("threshold-value", "false-acceptance", "false-rejection", "precision")
        return [shown.inner_text(f"#{name}") for name in names]

    assert errors() == ["1.000", "10.0 %", "30.0 %", "41.2 %"]  # of 100, of 10, 7 of 17
    shown.focus("#slider")
    shown.keyboard.press("ArrowRight")
    assert errors() == ["1.500", "60.0 %", "10.0 %", "13.0 %"]  # 9 of 69
    shown.click("text=“Same” up to here")
    assert errors() == ["0.500", "0.0 %", "60.0 %", "100.0 %"]


def test_artists_are_sorted_by_any_column_blanks_last(shown: Page) -> None:
    def order() -> list[str]:
        return shown.locator("#artists tbody th").all_inner_texts()

    assert order() == ["Goya", NASTY, "Hals"]
    shown.click("#artists th >> text=Triplet accuracy")
    assert order() == ["Hals", "Goya", NASTY]
    shown.click("#artists th >> text=Triplet accuracy")
    assert order() == ["Goya", "Hals", NASTY]
    heading = shown.locator("#artists th", has_text="Triplet accuracy")
    assert heading.get_attribute("aria-sort") == "ascending"
    shown.focus("#artists th:first-child button")
    shown.keyboard.press("Enter")
    assert order()[-1] == "Hals"


def test_names_from_data_are_shown_as_they_are(shown: Page) -> None:
    assert shown.inner_text("h1") == f"Run 7 on {NASTY}"
    assert shown.title() == f"Run 7 on {NASTY}"
    assert shown.locator(".words").first.inner_text().splitlines()[:2] == [NASTY, NASTY]
    assert shown.locator("main script").count() == 0


def test_every_picture_is_there_and_has_words(shown: Page) -> None:
    pictures = shown.locator("img")
    assert pictures.count() == 5  # four paintings, and the plot that the page does not redraw
    for picture in pictures.all():
        assert picture.get_attribute("alt")
        assert (picture.get_attribute("src") or "").startswith("data:image/")


@pytest.mark.parametrize("width", [400, 1600])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_sticks_out_and_words_stand_out(
    tab: Page, written: Path, width: int, scheme: str
) -> None:
    tab.set_viewport_size({"width": width, "height": 900})
    tab.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    tab.goto(written.as_uri())
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    levels = tab.evaluate(
        """() => ["color", "backgroundColor"].map(name =>
            getComputedStyle(document.body)[name].match(/[0-9.]+/g).slice(0, 3)
            .reduce((sum, level) => sum + Number(level), 0))"""
    )
    words, paper = levels
    assert abs(words - paper) > 400
    assert (words > paper) == (scheme == "dark")

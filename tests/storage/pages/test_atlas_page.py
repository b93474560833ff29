"""The atlas page in a real Chromium: each picture has a colour of its own, to be told by."""

from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page

from storage.pages.atlas_page import AtlasPage, AtlasPicture, NearDuplicate, write_atlas_page
from storage.pages.thumbnails import PER_SHEET, SIDE, order_on_map, write_sheets
from tests.storage.pages.conftest import HOSTILE, Colours, Open, contrast, jpeg, overflows

COUNT = 300  # more than one sheet holds
ACROSS = 20


def artist(number: int) -> str:
    return HOSTILE[number % 5] if number % 3 else "Dürer"


def point(number: int) -> tuple[float, float]:
    """Where a picture lies, in units of the map's width."""
    return number % ACROSS / (ACROSS - 1), number // ACROSS / (ACROSS - 1)


def colour(number: int) -> tuple[int, int, int]:
    return 255 - number % ACROSS * 12, number // ACROSS * 15, number % 7 * 30


def picture(number: int) -> AtlasPicture:
    x, y = point(number)
    return AtlasPicture(
        file_name=f"folder {number}/{HOSTILE[number % 5]}.jpg",
        artist=artist(number),
        title=f"No. {number}" if number % 2 else "",
        split="test" if number % 4 else "",
        x=100 + 50 * x,  # any unit will do
        y=-3 + 50 * y,
        neighbours=tuple(((number + step) % COUNT, step / 8) for step in (1, 2, 20)),
        attribution=((artist(number + 1), 0.75), ("none of these", 0.2)),
        is_doubtful=number in (7, 11),
    )


PICTURES = [picture(number) for number in range(COUNT)]
PAGE = AtlasPage(
    f"Atlas of {HOSTILE[0]}",
    [f"Made by {HOSTILE[1]}."],
    PICTURES,
    [
        NearDuplicate(PICTURES[3].file_name, PICTURES[4].file_name, f"same pixels {HOSTILE[0]}"),
        NearDuplicate(f"gone/{HOSTILE[1]}.jpg", PICTURES[5].file_name, "a copy"),
    ],
)
NUMBERS = {each.file_name: number for number, each in enumerate(PICTURES)}


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("atlas")
    return write_atlas_page(folder, PAGE, lambda name: jpeg(colour(NUMBERS[name])))


def view(page: Page) -> tuple[float, float, float]:
    x, y, scale = page.evaluate("[view.x, view.y, view.scale / smallest]")
    return x, y, scale


def chosen(page: Page) -> Sequence[str]:
    return page.locator("#chosen > .title, #chosen > .name, #chosen > .file").all_text_contents()


def words(number: int) -> list[str]:
    one = PICTURES[number]
    return [one.title or one.file_name.split("/")[-1], one.artist, one.file_name]


def middle_colour(page: Page, selector: str) -> list[int]:
    """The colour in the middle of an element, as it is on the screen."""
    shot = Image.open(BytesIO(page.locator(selector).first.screenshot())).convert("RGB")
    middle: list[int] = np.asarray(shot)[shot.height // 2, shot.width // 2].tolist()
    return middle


def test_the_search_filters_by_artist_title_and_file(page_file: Path, opened: Open) -> None:
    with opened(page_file) as page:
        assert page.locator("#found").inner_text() == "300 pictures"
        query = page.locator("#query")
        query.fill("DURER")  # with or without accents
        assert page.locator("#found").inner_text() == "100 of 300 pictures"
        assert page.locator("#results button").count() == 30
        assert set(page.locator("#results .name").all_text_contents()) == {"Dürer"}
        query.fill("durer folder 123/")
        assert page.locator("#found").inner_text() == "1 of 300 pictures"
        page.locator("#results button").press("Enter")
        assert chosen(page) == words(123)
        query.fill("No. 45")
        found = page.locator("#results .title").all_text_contents()
        assert sorted(found) == ["No. 145", "No. 245", "No. 45"]
        query.fill("nobody")
        assert page.locator("#found").inner_text() == "0 of 300 pictures"
        query.fill("")
        assert page.locator("#found").inner_text() == "300 pictures"
        assert page.locator("#results button").count() == 0


def test_the_keyboard_moves_zooms_and_selects(page_file: Path, opened: Open) -> None:
    with opened(page_file) as page:
        canvas = page.locator("#map")
        canvas.focus()
        assert view(page) == (0.5, 0.5, 1)
        canvas.press("+")
        canvas.press("ArrowRight")
        canvas.press("ArrowDown")
        x, y, scale = view(page)
        assert scale == pytest.approx(1.5)
        pixels = float(page.evaluate("smallest")) * 1.5
        assert (x, y) == pytest.approx((0.5 + 60 / pixels, 0.5 + 60 / pixels))
        for _ in range(4):
            canvas.press("+")
        canvas.press("Enter")
        places = np.array([point(number) for number in range(COUNT)])
        places[:, 1] += 0.5 - places[:, 1].max() / 2  # the map is centred
        nearest = np.hypot(*(places - view(page)[:2]).T).argmin()
        assert chosen(page) == words(int(nearest))
        canvas.press("-")
        assert view(page)[2] == pytest.approx(1.5**4)
        canvas.press("0")
        assert view(page) == (0.5, 0.5, 1)


def test_the_wheel_zooms_about_the_pointer_and_a_drag_moves(page_file: Path, opened: Open) -> None:
    with opened(page_file) as page:
        box = page.locator("#map").bounding_box()
        assert box is not None
        x, y = box["x"] + 200, box["y"] + 150
        under = (
            "[view.x + (200 - width / 2) / view.scale, view.y + (150 - height / 2) / view.scale]"
        )
        before = page.evaluate(under)
        page.mouse.move(x, y)
        page.mouse.wheel(0, -200)
        page.wait_for_function("view.scale > 1.3 * smallest")
        assert page.evaluate(under) == pytest.approx(before)
        start = view(page)
        page.mouse.down()
        page.mouse.move(x + 90, y - 30)
        page.mouse.up()
        pixels = float(page.evaluate("view.scale"))
        moved = (start[0] - 90 / pixels, start[1] + 30 / pixels, start[2])
        assert view(page) == pytest.approx(moved)
        assert chosen(page) == []  # a drag selects nothing
        for name, factor in (("Zoom in", 1.5), ("Zoom out", 1.0)):
            page.get_by_role("button", name=name).click()
            assert view(page)[2] == pytest.approx(start[2] * factor)
        page.get_by_role("button", name="Show all").click()
        assert view(page) == (0.5, 0.5, 1)


@pytest.mark.parametrize("number", [0, 137, 299])
def test_a_picture_is_drawn_selected_and_shown_with_what_is_like_it(
    page_file: Path, opened: Open, number: int
) -> None:
    with opened(page_file) as page:
        page.evaluate("(idx) => { Object.assign(view, { x: data.x[idx], y: data.y[idx],"
                      " scale: 30 * smallest }); drawSoon(); }", number)  # fmt: skip
        page.wait_for_function("pictured(thumbnailSize()).length > 0")
        page.wait_for_function("drawing === 0")
        assert middle_colour(page, "#map") == pytest.approx(colour(number), abs=6)
        page.locator("#map").click()
        assert chosen(page) == words(number)
        assert middle_colour(page, "#chosen > canvas") == pytest.approx(colour(number), abs=6)
        like = [(number + step) % COUNT for step in (1, 2, 20)]
        near = page.locator("#chosen .grid button")
        assert near.locator(".name").all_text_contents() == [artist(each) for each in like]
        assert near.locator(".file").all_text_contents() == ["0.125", "0.250", "2.500"]
        shares = page.locator("#chosen .bars li").all_inner_texts()
        assert [share.split("\n")[-1] for share in shares] == ["75.0\u00a0%", "20.0\u00a0%"]
        near.nth(2).click()
        assert chosen(page) == words(like[2])
        text = page.locator("#chosen > canvas").get_attribute("aria-label")
        assert text == f"{words(like[2])[0]}, by {artist(like[2])}"


def test_doubtful_attributions_and_duplicates_are_listed(page_file: Path, opened: Open) -> None:
    with opened(page_file) as page:
        cards = page.locator("#doubtful .card")
        assert page.locator("#doubtful-count").inner_text() == "2"
        assert cards.count() == 2
        assert cards.nth(0).locator(".head .title").inner_text() == "No. 7"
        assert f"catalogued as {artist(7)}" in str(cards.nth(0).text_content())
        assert cards.nth(1).locator(".near button").count() == 3
        pair, gone = page.locator("#duplicates .card").all()
        assert gone.locator(".file").all_text_contents()[0] == f"gone/{HOSTILE[1]}.jpg"
        assert gone.get_by_role("button").count() == 1
        assert pair.locator(".file").all_text_contents() == [PICTURES[n].file_name for n in (3, 4)]
        assert HOSTILE[0] in str(pair.locator("p").text_content())
        pair.get_by_role("button").nth(1).click()
        assert chosen(page) == words(4)
        assert page.locator("#more-doubtful").is_hidden()


def test_long_lists_are_shown_bit_by_bit(tmp_path: Path, opened: Open) -> None:
    many = [replace(each, is_doubtful=number < 30) for number, each in enumerate(PICTURES)]
    file = write_atlas_page(tmp_path, AtlasPage("Atlas", [], many), lambda name: jpeg((9, 9, 9)))
    with opened(file) as page:
        assert page.locator("#doubtful .card").count() == 12
        page.locator("#more-doubtful").click()
        page.locator("#more-doubtful").click()
        assert page.locator("#doubtful .card").count() == 30
        assert page.locator("#more-doubtful").is_hidden()
        assert page.locator("#duplicates-section").is_hidden()


def test_names_are_shown_literally(page_file: Path, opened: Open) -> None:
    with opened(page_file) as page:
        assert page.locator("h1").text_content() == PAGE.title
        assert page.locator("footer p").first.text_content() == PAGE.notes[0]
        for number in (1, 4, 7, 8, 13):  # one by each artist with an odd name
            page.evaluate("(idx) => choose(idx)", number)
            assert chosen(page) == words(number)
        assert page.locator("script").count() == 2
        assert page.locator("img, a, iframe, object").count() == 0


@pytest.mark.parametrize("width", [400, 1600])
@pytest.mark.parametrize("colours", ["light", "dark"])
def test_it_fits_and_can_be_read(
    page_file: Path, opened: Open, width: int, colours: Colours
) -> None:
    with opened(page_file, width, colours) as page:
        page.locator("#query").fill("d")
        page.evaluate("choose(2)")
        assert not overflows(page)
        for selector in ("h1", "#found", "#chosen .file", "#chosen h3"):
            assert contrast(page, selector) > 4.5
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (paper == "rgb(23, 20, 17)") == (colours == "dark")
        box = page.locator("#map").bounding_box()
        assert box is not None
        assert box["width"] > 0.6 * width
        assert box["height"] > 300


@pytest.mark.parametrize("count", [0, 1])
def test_a_map_of_hardly_any_pictures_opens(tmp_path: Path, opened: Open, count: int) -> None:
    alone = [replace(each, neighbours=()) for each in PICTURES[:count]]
    file = write_atlas_page(tmp_path, AtlasPage("Atlas", [], alone), lambda name: jpeg((9, 9, 9)))
    with opened(file) as page:
        assert page.locator("#found").inner_text() == ("1 picture" if count else "0 pictures")
        page.locator("#map").press("Enter")
        assert chosen(page) == (words(0) if count else [])


def test_each_thumbnail_is_at_its_place(tmp_path: Path) -> None:
    names = [str(number) for number in range(PER_SHEET + 3)]
    steps: list[tuple[int, int]] = []
    write_sheets(
        tmp_path,
        names,
        lambda name: jpeg((int(name) % 16 * 16, int(name) // 16 * 15, 50), side=256),
        lambda done, total: steps.append((done, total)),
    )
    assert steps == [(1, 2), (2, 2)]
    sheets = [
        np.asarray(Image.open(tmp_path / f"sheet-{number}.jpg")).astype(int) for number in (0, 1)
    ]
    assert [sheet.shape for sheet in sheets] == [(2048, 2048, 3), (SIDE, 2048, 3)]
    for number in (0, 1, 17, 255, 256, 258):
        row, column = divmod(number % PER_SHEET, 16)
        middle = sheets[number // PER_SHEET][row * SIDE + 64, column * SIDE + 64]
        assert middle == pytest.approx([number % 16 * 16, number // 16 * 15, 50], abs=6)


def test_pictures_of_any_shape_and_mode_become_thumbnails(tmp_path: Path) -> None:
    Image.new("RGBA", (400, 30), (200, 10, 10, 255)).save(buffer := BytesIO(), "PNG")
    write_sheets(tmp_path, ["wide"], lambda name: buffer.getvalue(), lambda done, total: None)
    sheet = np.asarray(Image.open(tmp_path / "sheet-0.jpg")).astype(int)
    assert sheet[64, 64] == pytest.approx([200, 10, 10], abs=6)


def test_the_first_sheet_spans_the_map_and_the_others_are_each_in_one_region() -> None:
    x, y = np.random.default_rng(0).random((2, 5000))
    order = order_on_map(x, y)
    assert sorted(order.tolist()) == list(range(5000))
    first, *others = (order[start : start + PER_SHEET] for start in range(0, 5000, PER_SHEET))
    assert np.ptp(x[first]) > 0.95
    assert np.ptp(y[first]) > 0.95
    spans = [np.ptp(x[own]) * np.ptp(y[own]) for own in others]
    assert np.median(spans) < 0.15

"""A real Chromium, and names that try to be more than names."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from io import BytesIO
from pathlib import Path
from typing import Literal

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(2)</script>",
    "**Bold** _Painter_ [link](http://127.0.0.1:9/) # `x` | y",
    '=HYPERLINK("http://127.0.0.1:9/";"$E=mc^2$")',
    "{{ 7 * 7 }} {% raw %} &lt;b&gt; 'quoted' \"twice\" \u2028",
)
"""HTML, a script's end, Markdown, formulas, and templates."""

Colours = Literal["light", "dark"]
Open = Callable[..., AbstractContextManager[Page]]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The system's browser; for one module, as it keeps an event loop running."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def opened(chromium: Browser) -> Open:
    """Open a page from disk; fail on an error, a dialog, or a request outside its folder."""

    @contextmanager
    def open_page(file: Path, width: int = 1600, colours: Colours = "light") -> Iterator[Page]:
        page = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=colours)
        page.set_default_timeout(10_000)
        faults: list[str] = []
        own = (file.parent.as_uri(), "data:")

        page.on("console", lambda message: faults.append(message.text))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("dialog", lambda dialog: faults.append(dialog.message))
        page.on(
            "request",
            lambda request: None if request.url.startswith(own) else faults.append(request.url),
        )
        page.goto(file.as_uri())
        yield page
        page.close()
        assert faults == []

    return open_page


def jpeg(colour: tuple[int, int, int], side: int = 64) -> bytes:
    """A picture of one colour."""
    buffer = BytesIO()
    Image.new("RGB", (side, side), colour).save(buffer, "JPEG")
    return buffer.getvalue()


def overflows(page: Page) -> bool:
    """Whether the page is wider than its window."""
    return bool(page.evaluate("document.documentElement.scrollWidth > innerWidth"))


def contrast(page: Page, selector: str) -> float:
    """Contrast of an element's text with the page, from 1 to 21 (WCAG 2.2)."""
    lights = []
    for where, what in ((selector, "color"), ("body", "backgroundColor")):
        script = f"getComputedStyle(document.querySelector('{where}')).{what}"
        colour = str(page.evaluate(script)).removeprefix("rgb(").removesuffix(")").split(",")
        linear = [_linear(int(part) / 255) for part in colour]
        lights.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(lights) + 0.05) / (min(lights) + 0.05)


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)

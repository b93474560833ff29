"""What people see: a run and its report in Prefect's UI, in a real browser."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.operations.conftest import Site, tiny

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")


@pytest.fixture(scope="module")
def trained_run(site: Site, paintings: Path) -> str:
    """A training run that has ended."""
    site.ensure_up()
    run = site.run("train-flow", source=str(paintings), settings=tiny())
    site.wait_until(run, "COMPLETED", "FAILED", "CRASHED")
    assert site.state(run) == "COMPLETED"
    assert site.status(run) == "complete"
    return run


def browse(site: Site, path: str, *options: str) -> str:
    """Open a page of the UI and wait until it has settled; returns its document."""
    command = [
        str(CHROMIUM),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--window-size=1300,4000",
        f"--user-data-dir={site.root / 'browser'}",
        "--virtual-time-budget=15000",
        *options,
        f"http://127.0.0.1:{site.port}/{path}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return done.stdout


def artifact(site: Site, run: str, key: str) -> str:
    body = {"artifacts": {"flow_run_id": {"any_": [run]}, "key": {"any_": [key]}}}
    return str(site.ask("artifacts/filter", body)[0]["id"])


def test_a_runs_page_shows_what_ran_and_how_it_ended(
    site: Site, trained_run: str, paintings: Path
) -> None:
    page = browse(site, f"runs/flow-run/{trained_run}", "--dump-dom")
    assert f"train {paintings} (demo)" in page
    assert "Completed" in page
    assert "Artifacts" in page


def test_the_report_is_shown_with_its_pictures(site: Site, trained_run: str) -> None:
    path = f"artifacts/artifact/{artifact(site, trained_run, 'report')}"
    page = browse(site, path, "--dump-dom")
    for words in ("trained network", "untrained network", "mean colour", "equal error rate"):
        assert words in page
    assert page.count('src="data:image/png;base64,') == 6
    written = Path(next(iter(re.findall(r"<a[^>]*>([^<]*report\.html)</a>", page))))
    assert '<svg id="distances"' in written.read_text()
    picture = site.root / "report.png"
    browse(site, path, f"--screenshot={picture}")
    with Image.open(picture) as image:
        pixels = np.asarray(image.convert("RGB"))
    white = (pixels == 255).all(axis=2).mean()
    assert white > 0.1  # the plots' paper; the page itself is dark


def test_the_curve_is_published_after_every_epoch(site: Site, trained_run: str) -> None:
    body = {"artifacts": {"flow_run_id": {"any_": [trained_run]}}}
    keys = [one["key"] for one in site.ask("artifacts/filter", body)]
    assert keys.count("accuracy-by-epoch") == keys.count("loss-by-epoch") == 2
    path = f"artifacts/artifact/{artifact(site, trained_run, 'accuracy-by-epoch')}"
    page = browse(site, path, "--dump-dom")
    assert 'src="data:image/png;base64,' in page

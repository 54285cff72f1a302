"""The page in headless Chromium: it renders, wide and narrow, light and dark, without script or complaint."""

import shutil
import subprocess

import numpy as np
import pytest

from gputrain.app import reporting
from tests.app.reporting.reports import classifier_report, images

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
    None,
)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium or google-chrome on the PATH")

SCRIPT = "<script>document.title = 'taken over'; console.error('taken over')</script>"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    names = [*(str(digit) for digit in range(9)), SCRIPT]
    report = classifier_report(names, name="run 1 " + SCRIPT, samples={"images": images(6)}, log=SCRIPT)
    reporting.write_html(path, report)
    return path


def chromium(tmp_path, page, *options):
    """What Chromium prints and what it complains of."""
    fixed = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr")
    command = [CHROMIUM, *fixed, f"--user-data-dir={tmp_path / 'profile'}", *options, page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if ":CONSOLE" in line]


def screenshot(tmp_path, page, width, height, *options):
    """Pixels (height, width, 3) in 0..1. No script runs: the page's own policy forbids it."""
    image = pytest.importorskip("matplotlib.image", reason="reading a screenshot needs the extra plot")
    target = tmp_path / "shot.png"
    size = f"--window-size={width},{height}"
    _, complaints = chromium(tmp_path, page, f"--screenshot={target}", size, *options)
    assert complaints == []
    pixels = image.imread(target)[..., :3]
    assert pixels.shape == (height, width, 3)
    return pixels


def test_sections_are_there_without_complaint(tmp_path, page):
    dom, complaints = chromium(tmp_path, page, "--dump-dom")
    assert complaints == []
    for name in ("results", "advice", "confusion", "classes", "worst", "history", "model", "settings", "log"):
        assert f'<section id="{name}"' in dom
    assert "<script" not in dom
    assert "<title>run 1 &lt;script&gt;" in dom


def test_script_would_be_stopped_and_complaints_seen(tmp_path, page):
    broken = tmp_path / "broken.html"
    broken.write_text(page.read_text(encoding="utf-8").replace("<main>", "<main>" + SCRIPT), encoding="utf-8")
    dom, complaints = chromium(tmp_path, broken, "--dump-dom")
    assert "violates the following Content Security Policy" in complaints[0]
    assert "<title>run 1 " in dom


def test_wide_page_is_light_and_full(tmp_path, page):
    pixels = screenshot(tmp_path, page, 1200, 1600)
    assert pixels[5, 5].mean() > 0.9
    assert 0.01 < (pixels.mean(-1) < 0.3).mean() < 0.2
    rows_with_ink = (pixels.std(axis=(1, 2)) > 0.01).mean()
    assert rows_with_ink > 0.6


def test_narrow_page_keeps_within_its_margins(tmp_path, page):
    pixels = screenshot(tmp_path, page, 500, 2500)  # Chromium makes no window narrower than that
    np.testing.assert_array_equal(pixels[:, -5:], np.broadcast_to(pixels[0, 0], (2500, 5, 3)))
    assert (pixels.mean(-1) < 0.3).mean() > 0.01


def test_dark_page_has_dark_charts(tmp_path, page):
    pixels = screenshot(tmp_path, page, 1200, 1600, "--blink-settings=preferredColorScheme=0")
    assert pixels[5, 5].mean() < 0.1
    assert (pixels.mean(-1) > 0.9).mean() < 0.02
    assert (pixels.mean(-1) > 0.7).mean() > 0.005

"""The film player of the notebooks: in a real browser, its slider moves the film."""

import ctypes
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from browser import ABSENT, CHROMIUM
from playwright.sync_api import sync_playwright

from mic.errors import ConfigError
from mic.publishing import player

GRAYS = [20, 90, 160, 230]
SEEN = """() => {
    const film = document.querySelector("video"), canvas = document.createElement("canvas");
    const pen = canvas.getContext("2d");
    pen.drawImage(film, 0, 0);
    return pen.getImageData(8, 8, 1, 1).data[0];
}"""


@pytest.fixture
def frames():
    return np.stack([np.full((48, 64, 3), gray, np.uint8) for gray in GRAYS])


@pytest.mark.browser
def test_the_slider_shows_each_frame_and_its_label(frames, tmp_path):
    assert CHROMIUM, ABSENT
    labels = ["q 2", "q <b> 4", 'q "8"', "q 31"]
    shown = player.show(frames, rate=2, crf=10, labels=labels, caption="Quantisers & more")
    (tmp_path / "page.html").write_text(f"<!doctype html>{shown.data}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_page()
        page.set_default_timeout(300_000)
        page.goto(Path(tmp_path / "page.html").as_uri())
        page.wait_for_function("document.querySelector('video').readyState >= 2")
        slider, label = page.get_by_role("slider", name="frame shown"), page.locator("output")
        assert label.inner_text() == "q 2"
        for number in (3, 1, 2, 0):
            slider.fill(str(number))
            page.wait_for_function("!document.querySelector('video').seeking")
            assert label.inner_text() == labels[number]
            # The frame that was sought is drawn when it is.
            page.wait_for_function(f"Math.abs(({SEEN})() - {GRAYS[number]}) < 12")
        page.evaluate("document.querySelector('video').play()")
        page.wait_for_function("document.querySelector('input').value > 0")
        browser.close()


def test_a_film_says_its_frames_and_needs_nothing_else(frames):
    shown = player.show(frames, caption="a <film>").data
    assert "frame 0 of 3" in shown
    assert "a &lt;film&gt;" in shown
    assert not re.search(r"(src|href)=\"(?!data:)", shown)
    with pytest.raises(ConfigError, match="2 labels for 4 frames"):
        player.show(frames, labels=["a", "b"], caption="")


@pytest.mark.skipif(sys.platform != "linux", reason="fills memory by the allocator of glibc")
def test_a_film_does_not_depend_on_what_memory_held():
    y, x = np.mgrid[:180, :320]
    planes = [[x + 3 * k, 2 * y + k, x * y // 50 + 5 * k] for k in range(10)]
    film = np.stack([np.stack(plane, -1) for plane in planes]).astype(np.uint8)
    fill, perturb = ctypes.CDLL(None).mallopt, -6
    films = set()
    try:
        for byte in (165, 1):
            assert fill(perturb, byte)
            films.add(player.encode_preview(film))
    finally:
        fill(perturb, 0)
    assert len(films) == 1

"""The demo's page in a real browser: a camera made of generated faces, a film, and neither."""

import shutil
import threading
import time

import av
import numpy as np
import pytest
import recogniser_factory
from playwright.sync_api import expect, sync_playwright

from mic import codec, synthface
from mic.demo import DemoServer
from mic.recognition.live import LiveSession
from mic.recognition.recogniser import Recogniser

pytestmark = pytest.mark.browser

# What a browser in a sandbox without network and GPU needs; the last ones keep it from calling
# its maker.
expect.set_options(timeout=300_000)  # what a busy machine does not reach
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A camera's film with a face, a film file and a picture of nobody."""
    path = tmp_path_factory.mktemp("page")
    manifest = synthface.generate("synth-ck", path / "made", subset=1, size=128)
    face = np.stack(list(codec.decode(manifest.path(manifest.clips[0]))))
    face = face.repeat(2, axis=1).repeat(2, axis=2)
    room = np.full((len(face), 480, 640, 3), 96, np.uint8)
    room[:, 112:368, 192:448] = face
    with av.open(path / "camera.mjpeg", "w", format="mjpeg") as camera:
        stream = camera.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuvj420p"
        for picture in [*room, *room[::-1]]:
            frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="yuvj420p")
            camera.mux(stream.encode(frame))
        camera.mux(stream.encode(None))
    codec.encode_frames(room[:, 60:420, 140:500], path / "film.avi", frame_rate=10)
    codec.encode_frames([room[0, :90, :120]] * 3, path / "nobody.mp4", frame_rate=10)
    (path / "broken.mp4").write_bytes(b"no film" * 500)
    return path


@pytest.fixture(scope="module")
def server(folder):
    recogniser = Recogniser.load(recogniser_factory.write(folder), device="cpu")
    server = DemoServer(
        lambda: LiveSession(recogniser), classes=recogniser.card.classes, card="Random weights."
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def open_page(server, folder):
    """Opens the page, with a camera or without; the test fails on any error in its console."""
    with sync_playwright() as playwright:
        found = {}

        def opened(*, camera):
            extra = [
                "--use-fake-ui-for-media-stream",
                "--use-fake-device-for-media-stream",
                f"--use-file-for-fake-video-capture={folder / 'camera.mjpeg'}",
            ]
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"),
                args=[*_ARGUMENTS, *(extra if camera else [])],
            )
            page = browser.new_page(viewport={"width": 1180, "height": 1050})
            found.update(browser=browser, complaints=[], asked=[])
            page.on("pageerror", lambda error: found["complaints"].append(str(error)))
            page.on("request", lambda request: found["asked"].append(request.url))
            page.goto(server.address)
            expect(page.locator(".row")).to_have_count(len(recogniser_factory.CLASSES))
            return page

        yield opened
        found["browser"].close()
        assert found["complaints"] == []
        outside = [url for url in found["asked"] if not url.startswith((server.address, "data:"))]
        assert outside == []


def _painted(page, name):
    """How many different colours a canvas shows."""
    return page.evaluate(
        """(name) => {
          const canvas = document.getElementById(name);
          const context = canvas.getContext("2d");
          const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
          return new Set(new Uint32Array(data.buffer)).size;
        }""",
        name,
    )


def _until_painted(page, name, more_than):
    """Waits for a frame of so many colours; one in which nothing moves has few."""
    deadline = time.monotonic() + 300
    while (found := _painted(page, name)) <= more_than:
        assert time.monotonic() < deadline, f"{name} shows {found} colours"
        page.wait_for_timeout(100)


def test_the_camera_by_keyboard(open_page):
    page = open_page(camera=True)
    assert _painted(page, "residual") == 1
    page.keyboard.press("c")
    expect(page.locator("#verdict")).to_contain_text("%")
    expect(page.locator("#kind")).to_contain_text("P-frame")
    expect(page.locator("#rate")).not_to_have_text("–")
    shares = page.locator(".share").all_inner_texts()
    assert abs(sum(int(text.removesuffix(" %")) for text in shares) - 100) <= 2
    _until_painted(page, "picture", 50)
    _until_painted(page, "residual", 10)
    assert page.locator(".row.top").count() >= 1
    assert page.evaluate("document.querySelector('.row canvas').width") > 100
    page.keyboard.press("n")
    page.locator("#quant").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#quant-value")).to_have_text("3")
    page.keyboard.press("s")
    expect(page.locator("#status")).to_contain_text("Stopped")
    expect(page.locator("#stop")).to_be_disabled()
    # All controls are reached in order, and show that they are.
    page.locator("body").click(position={"x": 2, "y": 2})
    reached = []
    for _ in range(5):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id"))
    assert reached[:4] == ["camera", "open", "quant", "gop"]


def test_without_a_camera_a_film_does(open_page, folder):
    page = open_page(camera=False)
    page.click("#camera")
    expect(page.locator("#status")).to_contain_text("There is no camera")
    assert page.locator("#status").get_attribute("data-kind") == "problem"
    page.set_input_files("#film", folder / "broken.mp4")
    expect(page.locator("#status")).to_contain_text("Cannot be opened as a video")
    page.set_input_files("#film", folder / "nobody.mp4")
    expect(page.locator("#status")).to_contain_text("nobody.mp4 has ended")
    expect(page.locator("#face")).to_have_text("· no face")
    page.set_input_files("#film", folder / "film.avi")
    expect(page.locator("#verdict")).to_contain_text("%")
    _until_painted(page, "picture", 50)
    page.click("#neutral")
    expect(page.locator("#status")).to_contain_text("film.avi has ended")


def test_a_server_that_has_gone_is_said(open_page, server):
    page = open_page(camera=False)
    page.route("**/camera*", lambda route: route.abort())
    page.route("**/film*", lambda route: route.abort())
    page.set_input_files("#film", {"name": "x.mp4", "mimeType": "video/mp4", "buffer": b"x"})
    expect(page.locator("#status")).to_contain_text("The server does not answer")


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1180, "dark")])
def test_it_fits_every_window_and_stays_readable(open_page, width, scheme):
    page = open_page(camera=False)
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    ratios = page.evaluate(_CONTRAST)
    assert len(ratios) > 10
    assert min(ratios.values()) >= 4.5, ratios


# Contrast of every visible text with its background (WCAG 2.2, relative luminance).
_CONTRAST = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const luminance = (rgb) => rgb.slice(0, 3)
    .map((value) => value / 255)
    .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
    .reduce((sum, value, index) => sum + value * [0.2126, 0.7152, 0.0722][index], 0);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const found = {};
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || element.disabled || !element.checkVisibility()) continue;
    const pair = [luminance(parse(getComputedStyle(element).color)), luminance(behind(element))];
    const [low, high] = pair.sort((a, b) => a - b);
    found[`${element.tagName}.${element.id || element.className}`] = (high + 0.05) / (low + 0.05);
  }
  return found;
}"""

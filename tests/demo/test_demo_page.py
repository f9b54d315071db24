"""The demo's page in a real browser: a camera that sees a person, films, and neither."""

import re
import threading
import time
from pathlib import Path

import av
import numpy as np
import pytest
from browser import CHROMIUM
from playwright.sync_api import expect, sync_playwright

from mic import codec
from mic.demo import DemoServer
from mic.faces.landmarks import BLENDSHAPES
from mic.recognition.people import CLASSES
from mic.storage import assets

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
    """A camera's film with a person, film files and a picture of nobody."""
    path = tmp_path_factory.mktemp("page")
    faces = [frame[::2, ::2] for frame in codec.decode(assets.path("single_face"))]
    with av.open(path / "camera.mjpeg", "w", format="mjpeg") as camera:
        stream = camera.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuvj420p"
        for picture in [*faces, *faces[::-1]]:
            frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="yuvj420p")
            camera.mux(stream.encode(frame))
        camera.mux(stream.encode(None))
    # The second half is slower by its time stamps.
    times = [0.04 * k for k in range(25)] + [1.0 + 0.1 * k for k in range(20)]
    codec.encode_frames(faces[20:65], path / "film.mp4", frame_rate=25, times=times)
    two = [np.hstack([face, face[:, ::-1]]) for face in faces[40:50]]
    codec.encode_frames(two, path / "two.avi", frame_rate=10)
    room = np.full((90, 120, 3), 96, np.uint8)
    codec.encode_frames([room] * 3, path / "nobody.mp4", frame_rate=10)
    (path / "broken.mp4").write_bytes(b"no film" * 500)
    return path


@pytest.fixture(scope="module")
def server():
    server = DemoServer()
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
                executable_path=CHROMIUM,
                args=[*_ARGUMENTS, *(extra if camera else [])],
            )
            page = browser.new_page(viewport={"width": 1180, "height": 1050})
            found.update(browser=browser, complaints=[], asked=[])
            page.on("pageerror", lambda error: found["complaints"].append(str(error)))
            page.on("request", lambda request: found["asked"].append(request.url))
            page.goto(server.address)
            expect(page.locator("#rows .row")).to_have_count(len(CLASSES))
            expect(page.locator("#movements .row")).to_have_count(len(BLENDSHAPES) - 1)
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


def _share(page, row):
    return int(page.locator(f"{row} .share").inner_text().removesuffix(" %"))


def test_the_camera_by_keyboard(open_page):
    page = open_page(camera=True)
    assert _painted(page, "region") == 1
    page.keyboard.press("c")
    expect(page.locator("#verdict")).to_contain_text("%")
    expect(page.locator("#looked")).to_contain_text(" s")
    expect(page.locator("#rate")).not_to_have_text("–")
    _until_painted(page, "picture", 50)
    _until_painted(page, "region", 50)
    shares = page.locator("#rows .share").all_inner_texts()
    assert abs(sum(int(text.removesuffix(" %")) for text in shares) - 100) <= 3
    expect(page.locator("#verdict")).to_contain_text("happiness")  # once in each round
    assert page.locator("#rows .row.top").count() >= 1
    assert page.evaluate("document.querySelector('.row canvas').width") > 100
    assert int(page.locator("#looks").inner_text()) <= int(page.locator("#shown").inner_text())
    page.keyboard.press("s")
    expect(page.locator("#status")).to_contain_text("Stopped")
    expect(page.locator("#stop")).to_be_disabled()
    # All controls are reached in order, and show that they are.
    page.locator("body").click(position={"x": 2, "y": 2})
    reached = []
    for _ in range(3):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id"))
    assert reached[:2] == ["camera", "open"]


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
    expect(page.locator("#verdict")).to_have_text("")
    began = time.monotonic()
    page.set_input_files("#film", folder / "film.mp4")
    expect(page.locator("#status")).to_contain_text("film.mp4 has ended")
    assert time.monotonic() - began > 2.9  # its time stamps say so; its rate would say 1.8
    expect(page.locator("#verdict")).to_contain_text("happiness")
    expect(page.locator("#clock")).to_have_text("2.9")
    expect(page.locator("#shown")).to_have_text("45")
    # One every 0.8 s of 2.9 s, and one between two that differ.
    expect(page.locator("#looks")).to_have_text(re.compile("^[4-7]$"))
    assert int(page.locator("#decoded").inner_text()) <= 2  # MPEG-4: of 45
    assert int(page.locator("#regions").inner_text()) >= 5
    _until_painted(page, "picture", 50)
    _until_painted(page, "region", 50)
    smile = BLENDSHAPES.index("mouthSmileLeft")  # the first, "neutral", has no row
    assert _share(page, f"#movements .row:nth-child({smile})") > 30


def test_each_person_can_be_chosen(open_page, folder):
    page = open_page(camera=False)
    page.set_input_files("#film", folder / "two.avi")
    expect(page.locator("#status")).to_contain_text("two.avi has ended")
    buttons = page.locator("#people button")
    expect(buttons).to_have_text(["Person 0", "Person 1"])
    assert buttons.evaluate_all("all => all.map(b => b.ariaPressed).sort()") == ["false", "true"]


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


def test_whoever_opens_something_else_meanwhile_sees_that_alone(open_page, folder, server):
    _forget(server)
    page = open_page(camera=True)
    page.locator("#film").set_input_files(folder / "film.mp4")
    page.locator("#film").set_input_files(folder / "two.avi")  # at once
    expect(page.locator("#people button")).to_have_count(2)
    expect(page.locator("#status")).to_contain_text("two.avi has ended")
    page.locator("#film").set_input_files(folder / "film.mp4")
    page.keyboard.press("c")
    page.keyboard.press("s")
    expect(page.locator("#status")).to_contain_text("Stopped")
    expect(page.locator("#stop")).to_be_disabled()
    _wait_for(lambda: not server.sources and not any(Path(server.films.name).iterdir()))
    page.click("#camera")
    _until_painted(page, "picture", 50)
    page.set_input_files("#film", folder / "film.mp4")
    page.keyboard.press("s")  # while the film is read
    expect(page.locator("#status")).to_contain_text("Stopped")
    _wait_for(lambda: not server.sources and not any(Path(server.films.name).iterdir()))


def test_a_page_that_is_closed_leaves_no_film(open_page, folder, server):
    _forget(server)
    page = open_page(camera=False)
    page.locator("#film").set_input_files(folder / "film.mp4")
    _wait_for(lambda: server.sources)
    _until_painted(page, "picture", 50)
    page.goto("about:blank")
    _wait_for(lambda: not server.sources and not any(Path(server.films.name).iterdir()))


def _forget(server):
    """What browsers that were killed left behind."""
    for name in list(server.sources):
        server.leave(name)


def _wait_for(condition):
    deadline = time.monotonic() + 300  # what a busy machine does not reach
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)

"""What a person sees: JupyterLab in a real browser, Run All, no error, pictures there."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import NamedTuple

import pytest
from browser import ABSENT, CHROMIUM
from environment_file import ROOT
from playwright.sync_api import sync_playwright

from mic.publishing import results

NOTEBOOKS = [path.stem for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]
QUICK = "02_residuals"
PATIENCE = 900  # seconds, for what a person would give up after one


class Lab(NamedTuple):
    """A running JupyterLab: its address, and the file that it logs to."""

    address: str
    log: Path


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A JupyterLab on copies of the notebooks."""
    root = tmp_path_factory.mktemp("lab")
    shutil.copytree(ROOT / "notebooks", root / "notebooks")
    for path in (root / "notebooks").glob("*.ipynb"):
        text = path.read_text()
        place = json.dumps(str(root / "results"))[1:-1]
        path.write_text(text.replace('results_folder = \\"\\"', f'results_folder = \\"{place}\\"'))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root"]
    command += [f"--port={port}", "--IdentityProvider.token=", "--ServerApp.password="]
    command += [f"--notebook-dir={root / 'notebooks'}", "--LabApp.news_url=None"]
    # By default a kernel that needs a minute to start is given up, on however busy a machine.
    command += [f"--MappingKernelManager.kernel_info_timeout={PATIENCE}"]
    environment = os.environ | {"MIC_PROFILE": "smoke", "JUPYTER_CONFIG_DIR": str(root / "config")}
    with (root / "log").open("w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                urllib.request.urlopen(f"{address}/api", timeout=30).read()
                break
            except OSError:
                assert time.monotonic() < deadline, (root / "log").read_text()[-2000:]
                time.sleep(0.3)
        yield Lab(address, root / "log")
        server.terminate()
        server.wait(timeout=60)


@pytest.mark.browser
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name == QUICK else pytest.mark.long) for name in NOTEBOOKS],
)
def test_run_all_shows_pictures_and_no_error(lab, name, tmp_path):
    assert CHROMIUM, ABSENT
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.goto(f"{lab.address}/lab/tree/{name}.ipynb?reset", wait_until="domcontentloaded")
        page.locator(".jp-Notebook").wait_for(timeout=PATIENCE * 1000)
        page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").first.wait_for(
            timeout=PATIENCE * 1000
        )
        # While there is no kernel yet, the indicator says idle too.
        page.locator(".jp-Toolbar-kernelName", has_text="Python 3").wait_for(
            timeout=PATIENCE * 1000
        )
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_text("Run All Cells", exact=True).click()
        saved = _await_completion(lab, name, page)
        page.screenshot(path=tmp_path / f"{name}.png")
        outputs = [output for cell in saved for output in cell.get("outputs", [])]
        assert not [output for output in outputs if output["output_type"] == "error"]
        assert any("image/png" in output.get("data", {}) for output in outputs)
        _picture_in_sight(page)
        page.screenshot(path=tmp_path / f"{name}-picture.png")
        browser.close()


def _await_completion(lab, name, page):
    """Saves until the completion marker stands in the last cell; returns the cells."""
    address = f"{lab.address}/api/contents/{name}.ipynb?content=1"
    indicator = page.locator(".jp-Notebook-ExecutionIndicator").first
    before, outputs = None, "never saved"
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        time.sleep(1)
        # One save at a time, as a person would: the next cell may be writing to the page.
        if (shown := indicator.get_attribute("data-status")) != "idle":
            before = []
            continue
        page.keyboard.press("Control+s")
        time.sleep(1)
        try:
            cells = json.load(urllib.request.urlopen(address))["content"]["cells"]
        except urllib.error.HTTPError:
            continue  # the server answers 500 while it writes the file
        code = [cell for cell in cells if cell["cell_type"] == "code"]
        if any(o["output_type"] == "error" for cell in code for o in cell["outputs"]):
            return cells
        outputs = code[-1]["outputs"]
        text = "".join(str(output.get("text", "")) for output in outputs)
        started = before is not None or code[-1]["execution_count"] is None
        before = cells if started else None
        if started and f"{results.MARKER} {name}:" in text:
            return cells
    kernels = urllib.request.urlopen(f"{lab.address}/api/kernels").read().decode()
    log = lab.log.read_text("utf-8")[-2000:]
    pytest.fail(f"{name}: {outputs}; the page shows {shown}, the server {kernels}\n{log}")


# Widths of the outputs' pictures in sight, asked in one call: between two the page may drop one.
_PICTURES_IN_SIGHT = """() =>
    [...document.querySelectorAll(".jp-OutputArea-output img")].filter(picture => {
        const box = picture.getBoundingClientRect();
        return picture.naturalWidth && box.y >= 80 && box.y + box.height / 2 < innerHeight;
    }).map(picture => picture.naturalWidth)
"""


def _picture_in_sight(page):
    """Scrolls up and down until an output's picture is seen; only what is near is in the page."""
    page.mouse.move(800, 500)
    deadline = (
        time.monotonic() + PATIENCE
    )  # a busy machine draws a page long after it was scrolled
    step = 0
    while not (widths := page.evaluate(_PICTURES_IN_SIGHT)):
        assert time.monotonic() < deadline, "no picture came into sight"
        page.mouse.wheel(0, -300 if step // 80 % 2 == 0 else 300)
        page.wait_for_timeout(150)
        step += 1
    assert min(widths) > 100

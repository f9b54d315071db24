"""Long files first, notebooks in their order, and at the end what the exactness tests counted."""

import contextlib
import os
import sys
import tempfile
from pathlib import Path

import pytest
import warm_kernels

from mic import synthface
from mic.manifest import Manifest
from mic.storage.home import locked

# Begun last, they would keep one worker busy and the other idle: those of over ten seconds, the
# longest first, but for notebooks under nbval, of some five seconds each, which follow.
LONG_FILES = (
    "test_smoke_run_speed.py",
    "test_smoke_run_training.py",
    "test_smoke_run_data.py",
    "test_given_studies.py",
    "test_given_data.py",
    "test_notebook_sabotage.py",
    "test_jupyterlab.py",
    "test_mi.py",
    "test_lowrate.py",
    "test_notebook_runner.py",
    "test_cluster.py",
    "test_experiments.py",
    "test_synthface.py",
    "test_synthface_faces.py",
    "test_lowrate_residuals.py",
    "test_bitstream_damage.py",
    "test_fitting.py",
    "test_kills.py",
    "test_prediction_memory.py",
    "test_readme.py",
    "test_real_clips.py",
)


def pytest_addoption(parser):
    parser.addoption(
        "--kept",
        type=Path,
        metavar="FOLDER",
        help="where trees and results of test_given_data_long.py stay, for the next run to go on",
    )


# Where Jupyter finds the kernelspec of `warm_kernels`, in every process of a session with one.
_WARM = "MIC_TESTS_WARM_KERNELS"


# Tests that run them, besides nbval.
_RUN_NOTEBOOKS = (
    "test_smoke_run_data.py",
    "test_smoke_run_speed.py",
    "test_smoke_run_training.py",
    "test_given_studies.py",
    "test_given_data.py",
)


class _Kernels:
    """Gives the repository's notebooks warm kernels, all others a user's.

    A plugin of its own, since the hooks of a conftest.py do not see items of other folders.
    """

    @pytest.hookimpl(tryfirst=True)  # before nbval starts a kernel
    def pytest_runtest_setup(self, item):
        if item.path.suffix == ".ipynb" or item.path.name in _RUN_NOTEBOOKS:
            os.environ["JUPYTER_PATH"] = os.environ[_WARM]
        else:
            os.environ.pop("JUPYTER_PATH", None)


def pytest_configure(config):
    worker = hasattr(config, "workerinput")
    if not worker and config.getoption("nbval_lax", default=False) and sys.platform == "linux":
        kernels = contextlib.ExitStack()
        config.add_cleanup(kernels.close)
        folder = Path(kernels.enter_context(tempfile.TemporaryDirectory()))
        os.environ[_WARM] = str(kernels.enter_context(warm_kernels.serving(folder)))
    if _WARM in os.environ:
        config.pluginmanager.register(_Kernels())


def _place(item: pytest.Item) -> tuple[int, str, int]:
    """Where an item belongs: long files, notebooks cell after cell, all others as they are."""
    if item.path.name in LONG_FILES:
        return LONG_FILES.index(item.path.name), "", 0
    if item.path.suffix == ".ipynb":
        return len(LONG_FILES), str(item.path), item.cell_num
    return len(LONG_FILES) + 1, "", 0


@pytest.hookimpl(trylast=True)  # after the random order, which holds within and among the others
def pytest_collection_modifyitems(items):
    items.sort(key=_place)


@pytest.fixture(scope="session")
def generated(tmp_path_factory) -> Manifest:
    """Ten generated people, a clip each of 128 x 128; whoever changes a file copies it first.

    The first of pytest-xdist's workers to ask makes them, the other finds them there.
    """
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with locked(folder / "made.lock"):
        return synthface.generate("synth-ck", folder / "made", subset=10, size=128)


def pytest_terminal_summary(terminalreporter):
    totals = {}
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for name, value in report.user_properties:
                if name.startswith("counted "):
                    totals[name] = totals.get(name, 0) + value
    for name, value in sorted(totals.items()):
        terminalreporter.write_line(f"{name.removeprefix('counted ')}: {value:,}")

"""Long files first, and at the end what the exactness tests counted, summed over workers."""

from pathlib import Path

import pytest

from mic import synthface
from mic.manifest import Manifest

# Of a few long tests each: begun last, they would keep one worker busy and the other idle.
LONG_FILES = (
    "test_smoke_run_data.py",
    "test_smoke_run_speed.py",
    "test_smoke_run_training.py",
    "test_kills.py",
    "test_jupyterlab.py",
    "test_given_data.py",
    "test_real_clips.py",
)


@pytest.hookimpl(trylast=True)  # after the random order, which holds among the other files
def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: Path(item.path).name not in LONG_FILES)


@pytest.fixture(scope="session")
def generated(tmp_path_factory) -> Manifest:
    """Ten generated people, a clip each of 128 x 128; whoever changes a file copies it first."""
    return synthface.generate("synth-ck", tmp_path_factory.mktemp("made"), subset=10, size=128)


def pytest_terminal_summary(terminalreporter):
    totals = {}
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for name, value in report.user_properties:
                if name.startswith("counted "):
                    totals[name] = totals.get(name, 0) + value
    for name, value in sorted(totals.items()):
        terminalreporter.write_line(f"{name.removeprefix('counted ')}: {value:,}")

"""The commands of the README, run as they stand there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from environment_file import ROOT

import mic
from mic.storage import assets

README = (ROOT / "README.md").read_text()
COMMANDS = Path(sys.executable).parent


def _commands(heading):
    """The indented lines of a section."""
    section = re.search(rf"(?ms)^## {re.escape(heading)}\n(.*?)(?=^## )", README)[1]
    return re.findall(r"(?m)^    (\S.*)$", section)


def _run(command, folder, home):
    environment = os.environ | {
        "PATH": f"{COMMANDS}{os.pathsep}{os.environ['PATH']}",
        "MIC_HOME": str(home),
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{command}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A cache of its own, with the face network that is fetched only once a machine."""
    path = tmp_path_factory.mktemp("home")
    network = assets.path("mobilefacenet").parent
    shutil.copytree(network, path / "assets" / network.name)
    return path


@pytest.fixture(scope="module")
def video(generated):
    return generated.path(generated.clips[0])


def test_two_commands_lead_from_a_clone_to_a_table(tmp_path, home, video):
    make, predict = _commands("A table of your own video")
    # `make test` has run it before the tests; here it must only be a target.
    assert "installed.lock" in _run(f"{make} --dry-run", ROOT, home)
    (tmp_path / ".venv").symlink_to(COMMANDS.parent)
    shutil.copy(video, tmp_path / "VIDEO.mp4")
    _run(predict, tmp_path, home)
    table = pd.read_csv(tmp_path / "expressions.csv")
    assert len(table) >= 1
    assert table["status"].tolist() == ["ok"] * len(table)
    same = mic.predict(tmp_path / "VIDEO.mp4", device="cpu")
    assert np.allclose(table["confidence"], same["confidence"], atol=1e-3)


@pytest.mark.long
def test_class_folders_become_a_network_and_what_it_is_worth(tmp_path, home, video):
    fetch, train, predict = _commands("Your own dataset in ten minutes")
    shutil.copy(video, tmp_path / "VIDEO.mp4")
    _run(fetch, tmp_path, home)
    classes = sorted(path.name for path in (tmp_path / "my-videos").iterdir())
    said = _run(train, tmp_path, home)
    assert "one person told from another by likeness: AUC" in said
    counts = pd.read_csv(tmp_path / "my-model" / "confusion.csv", index_col="true")
    assert counts.index.tolist() == counts.columns.tolist() == classes
    assert (tmp_path / "my-model" / "confusion.png").read_bytes().startswith(b"\x89PNG")
    leaked = pd.read_csv(tmp_path / "my-model" / "leakage.csv").set_index("probe")["value"]
    assert leaked["clips"] == counts.to_numpy().sum()
    _run(predict, tmp_path, home)
    table = pd.read_csv(tmp_path / "expressions.csv")
    assert {f"p_{name}" for name in classes} <= set(table)
    kept = re.search(r"(?s)`my-model/` keeps (.*?) and the network", README)[1]
    for name in re.findall(r"`(\S+)`", kept):
        assert (tmp_path / "my-model" / name).is_file(), name

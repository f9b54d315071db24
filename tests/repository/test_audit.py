"""The audit passes on what is here, and finds what it is there to find."""

import audit
import numpy as np
import pytest


def test_the_repository_passes():
    assert list(audit.faults(audit.tracked())) == []


@pytest.fixture
def faults(tmp_path):
    """Writes files into an otherwise empty repository and returns what is wrong with it."""
    (tmp_path / "Makefile").write_text("all:\n")

    def found(name, content):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return list(audit.faults([path], root=tmp_path))

    return found


@pytest.mark.parametrize(
    "code",
    [
        "import torch\ntorch.load(x)",
        "import torch\ntorch.load(x, weights_only=False)",
        "import torch\ntorch.load(x, weights_only=safe)",
        "import pickle\npickle.loads(x)",
        "from pickle import loads\nloads(x)",
        "import pickle\npickle.Unpickler(x).load()",
        "import joblib",
        "import dill.session",
        "import numpy as np\nnp.load(x, allow_pickle=True)",
        "import pandas as pd\npd.read_pickle(x)",
        "import subprocess\nsubprocess.run(x, shell=True)",
        "from pathlib import Path\nPath(x).read_text()",
        "eval(x)",
    ],
)
def test_code_that_may_run_what_it_reads_is_found(faults, code):
    assert len(faults("mic/some.py", code)) >= 1
    assert faults("tests/some.py", code) == [], "tests may build what they refuse"


@pytest.mark.parametrize(
    "code",
    [
        "import torch\ntorch.load(x, weights_only=True)",
        "import pickle\ntry:\n    f()\nexcept pickle.UnpicklingError:\n    pass",
        "import numpy as np\nnp.load(x)",
        "import ast\nast.literal_eval(x)",
        "model.eval()",
    ],
)
def test_code_that_does_not_is_not_found(faults, code):
    assert faults("mic/some.py", code) == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("weights.pt", b"x"),
        ("weights.pth", b"x"),
        ("mic/weights/some.pkl", b"x"),
        ("data.npy", b"x"),
        ("video.mp4", b"x"),
        ("table.csv", b"\x80\x04\x95"),
        ("weights.safetensors", b"PK\x03\x04"),
        ("README.md", "get it from " + "pypi" + ".org"),
        ("notebooks/01_a.ipynb", '{"text/html": ["<script>alert(1)</script>"]}'),
        ("requirements.lock", "numpy==2.0\n    --hash=sha256:00\nscipy==1.0\n"),
    ],
)
def test_files_that_do_not_belong_here_are_found(faults, name, content):
    assert len(faults(name, content)) == 1


def test_an_archive_of_objects_is_found(faults, tmp_path):
    np.savez(tmp_path / "good.npz", a=np.arange(3), names=np.array(["a", "b"]))
    np.savez(tmp_path / "bad.npz", a=np.array([{}, None], dtype=object))
    assert faults("good.npz", (tmp_path / "good.npz").read_bytes()) == []
    assert len(faults("bad.npz", (tmp_path / "bad.npz").read_bytes())) == 1


def test_an_install_past_the_lock_is_found(faults, tmp_path):
    (tmp_path / "Makefile").write_text("a:\n\tpip install numpy\nb:\n\tpip install -r x \\\n")
    past = "Makefile: installs past the lock: pip install"
    assert faults("README.md", "") == [f"{past} numpy", f"{past} -r x"]

"""What an installation needs: the parser alone little, everything else an extra that is named."""

import ast
import re
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest
from environment_file import ROOT

from mic import cli, extras
from mic.errors import ExtraError

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# What is imported by another name than it is installed by.
IMPORTED = {
    "ai-edge-litert": "ai_edge_litert",
    "dlib-bin": "dlib",
    "facenet-pytorch": "facenet_pytorch",
    "mic-bitstream": "mic_bitstream",
    "pillow": "PIL",
    "scikit-learn": "sklearn",
}
# Needed though nobody imports it: pandas' Parquet files, kernels of notebooks, JupyterLab itself.
UNSEEN = {"ipykernel", "jupyterlab", "pyarrow"}
# Installed with another of the same extra.
BROUGHT = {"IPython": "ipykernel", "dask": "distributed", "nbformat": "papermill"}


def named(lines):
    """What is imported of requirements; extras that contain others are left out."""
    found = {re.split(r"[<>=!~; \[]", line, maxsplit=1)[0] for line in lines}
    return {IMPORTED.get(name, name) for name in found - {PROJECT["name"]}}


def imported():
    """The third-party packages that a file of `mic` imports."""
    found = set()
    for path in (ROOT / "mic").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {name.name.partition(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add(node.module.partition(".")[0])
    # Type checkers bring `_typeshed`; nothing imports it when it runs.
    return found - set(sys.stdlib_module_names) - {"mic", "_typeshed"}


def test_all_that_is_imported_is_required_and_the_other_way_round():
    parts = PROJECT["optional-dependencies"]
    required = {"": named(PROJECT["dependencies"])}
    for extra in ("predict", "train", "export", "cluster", "notebooks"):
        required[extra] = named(parts[extra])
    everything = set().union(*required.values())
    assert everything - imported() == UNSEEN
    assert imported() - everything == set(BROUGHT)
    for name, extra in extras.EXTRAS.items():
        assert BROUGHT.get(name, name) in required[extra], name
    assert set(extras.EXTRAS) | required[""] | UNSEEN == everything | set(BROUGHT)


def test_the_distribution_has_the_name_that_messages_say():
    assert PROJECT["name"] == extras.DISTRIBUTION != "mic"
    texts = [*(ROOT / "mic").rglob("*.py"), *(ROOT / "mic").rglob("*.md")]
    wrong = [
        path for path in texts if re.search(r"pip install '?mic(\[|\b(?!-))", path.read_text())
    ]
    assert wrong == []


def test_extraction_needs_neither_torch_nor_pandas_nor_jupyter(tmp_path):
    program = f"""
        import sys
        for name in {sorted(extras.EXTRAS)!r}:
            sys.modules[name] = None
        import numpy as np
        import mic
        from mic import cli, codec
        pictures = np.random.default_rng(0).integers(0, 255, (5, 48, 64, 3), np.uint8)
        codec.encode_frames(pictures, "clip.mp4", frame_rate=25)
        mic.extract("clip.mp4", "clip.npz")
        assert cli.main(["extract", "clip.mp4", "--to", "out"]) == 0
        assert codec.reencode_tree(".", "tree", jobs=1).of("written")
        for command, extra in [
            (["predict", "clip.mp4"], "predict"),
            (["train", "."], "predict"),
            (["export", "--out", "x.onnx"], "export"),
            (["demo"], "predict"),
            (["run"], "notebooks"),
            (["extract", "clip.mp4", "--scheduler", "local"], "cluster"),
        ]:
            print(extra, file=sys.stderr)
            assert cli.main(command) == 1, command
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 12
    for extra, said in zip(lines[::2], lines[1::2], strict=True):
        assert f"run `pip install 'mic-faces[{extra}]'`" in said


def test_a_package_that_is_not_there_is_named_with_its_extra():
    needed = [
        ("onnxruntime", "mic.export", "export"),
        ("ai_edge_litert", "mic.faces.tflite", "predict"),
        ("distributed", "mic.processes.cluster.executors", "cluster"),
    ]
    # In one process, since each takes seconds to import what is there.
    program = f"""
        import importlib, sys
        from mic import extras
        from mic.errors import ExtraError
        for package, module, _ in {needed!r}:
            sys.modules[package] = None
            try:
                with extras.needed():
                    importlib.import_module(module)
            except ExtraError as error:
                print(error)
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for said, (package, _, extra) in zip(done.stdout.splitlines(), needed, strict=True):
        assert said.startswith(f"the package {package} is not installed")
        assert f"'mic-faces[{extra}]'" in said


def test_a_fault_of_our_own_is_no_missing_extra(monkeypatch):
    with pytest.raises(ModuleNotFoundError, match="no_such_module"), extras.needed():
        import mic.no_such_module  # noqa: F401

    def broken(options):
        raise ModuleNotFoundError("no", name="mic.no_such_module")

    monkeypatch.setattr("mic.cli.data._fetch", broken)
    with pytest.raises(ModuleNotFoundError):
        cli.main(["fetch"])
    with pytest.raises(ExtraError, match="or wait"), extras.needed("wait"):
        raise ModuleNotFoundError("no", name="scipy.signal")


def test_types_are_shipped():
    assert Path(extras.__file__).with_name("py.typed").is_file()

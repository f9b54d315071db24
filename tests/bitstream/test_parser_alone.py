"""The parser as a distribution of its own: its wheel, alone with NumPy in an empty environment."""

import ast
import dataclasses
import os
import re
import subprocess
import sys
import textwrap
import venv
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import pytest
from environment_file import ROOT
from oracles.encoders import Options, synthetic

import mic_bitstream
from mic_bitstream import extras

SMALL = Options(width=64, height=48, frames=4)
LIGHT = {"numpy", "mic_bitstream"}


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """The interpreter of a fresh environment that holds the wheel and NumPy, nothing else."""
    folder = tmp_path_factory.mktemp("alone")
    tools = str(Path(sys.executable).parent)
    environment = os.environ | {"PATH": f"{tools}:{os.environ['PATH']}"}
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    subprocess.run([*build, str(ROOT / "native")], check=True, env=environment)
    (wheel,) = folder.glob("mic_bitstream-*.whl")
    assert wheel.stat().st_size <= 1 << 20
    home = folder / "environment"
    venv.create(home)
    python = home / "bin" / "python"
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    run = subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True)
    packages = Path(run.stdout.strip())
    install = [*pip, "install", "--no-deps", "--no-index", "--target", str(packages), str(wheel)]
    subprocess.run(install, check=True)
    # NumPy as it is installed here: nothing is fetched, and nothing beside it comes along.
    for name in ("numpy", "numpy.libs"):
        place = Path(np.__file__).parents[1] / name
        if place.is_dir():
            (packages / name).symlink_to(place)
    return python


def alone(python, program, *arguments):
    command = [str(python), "-I", "-c", textwrap.dedent(program), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_three_lines_in_an_empty_environment(empty, tmp_path):
    """Raw streams, by whatever name, and plain MP4 files need nothing else."""
    stream = synthetic(tmp_path, SMALL)
    (tmp_path / "renamed.bin").write_bytes(stream.read_bytes())
    for path in (stream, tmp_path / "renamed.bin"):
        done = alone(
            empty,
            """
            import mic_bitstream, sys
            clip = mic_bitstream.read(sys.argv[1])
            print(clip.residual.y.shape, int(abs(clip.residual.y.astype(int)).sum()))
            """,
            path,
        )
        y = mic_bitstream.read(path).residual.y
        assert done.stderr == ""
        assert done.stdout == f"{y.shape} {abs(y.astype(int)).sum()}\n"


def test_a_container_without_pyav_names_the_extra(empty, tmp_path):
    """MP4 is read, Matroska asks for the extra, and neither loads what is not there."""
    mp4, mkv = (
        synthetic(tmp_path, dataclasses.replace(SMALL, suffix=suffix))
        for suffix in (".mp4", ".mkv")
    )
    program = """
        import mic_bitstream, sys
        print(mic_bitstream.open(sys.argv[1]).frame_count)
    """
    done = alone(empty, program, mp4)
    assert (done.stdout, done.stderr) == ("4\n", "")
    done = alone(empty, program, mkv)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"mic_bitstream.errors.ExtraError: {mkv}: ")
    assert last.endswith("Remedy: run `pip install 'mic-bitstream[containers]'`")
    # Nor is it taken for a stream whose beginning is hurt.
    done = alone(empty, program.replace("[1])", "[1], on_error='mask')"), mkv)
    assert done.stderr.splitlines()[-1] == last


def test_the_check_of_the_workflow_passes(empty):
    """The one that runs on each system that wheels are built for."""
    command = [str(empty), "-I", str(ROOT / "native" / "check_wheel.py")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == (
        f"{mic_bitstream.__version__}: three frames parsed\n",
        "",
    )


def test_packets_in_memory(tmp_path):
    """The bytes of an elementary stream need no file."""
    path = synthetic(tmp_path, SMALL)
    stream = mic_bitstream.PacketStream()
    assert stream.append(path.read_bytes()) == SMALL.frames - 1
    assert np.array_equal(stream.residual().y, mic_bitstream.read(path).residual.y)


def test_importing_it_loads_numpy_and_nothing_else(empty):
    program = """
        import sys, sysconfig
        before = set(sys.modules)
        import mic_bitstream
        print(*{name.partition(".")[0] for name in set(sys.modules) - before}
              - set(sys.stdlib_module_names))
    """
    assert set(alone(empty, program).stdout.split()) <= LIGHT
    heavy = "import sys, mic_bitstream; print(*{'av', 'torch', 'tqdm', 'PIL'} & set(sys.modules))"
    here = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True)
    assert here.stdout == "\n", here.stderr


def test_what_it_imports_is_what_it_requires():
    """NumPy always; PyAV in modules that are loaded for containers only."""
    found = {}
    for path in Path(mic_bitstream.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [name.name for name in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module]
            for name in {name.partition(".")[0] for name in names}:
                found.setdefault(name, set()).add(path.stem)
    third = set(found) - set(sys.stdlib_module_names) - LIGHT
    assert third == set(extras.EXTRAS)
    # Never loaded by `import mic_bitstream`; "vectors" names a type of it and loads nothing, and
    # "side_data" is asked about a picture, which PyAV has made.
    demuxing = {"containers", "demuxed", "promises"}
    assert found["torch"] == {"datasets"}
    assert found["av"] == demuxing | {"coviar", "decoding", "side_data", "vectors", "videocap"}
    required = distribution("mic-bitstream").requires
    optional = [line for line in required if "extra ==" in line]
    assert [re.match(r"[\w-]+", line)[0] for line in required] == ["numpy", *extras.EXTRAS]
    assert [re.match(r"[\w-]+", line)[0] for line in optional] == [*extras.EXTRAS]
    for line, extra in zip(optional, extras.EXTRAS.values(), strict=True):
        assert line.endswith(f'extra == "{extra}"')

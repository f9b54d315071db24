"""Under ASan and UBSan: the fuzzers' corpora, every input that once broke something."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from mic.storage.home import locked

REPOSITORY = Path(__file__).resolve().parents[2]
FUZZ = REPOSITORY / "native" / "fuzz"
BUILD = REPOSITORY / "build" / "fuzz"
HARNESSES = ("headers", "packets", "clips")


@pytest.fixture(scope="module")
def binaries():
    """The harnesses with a main of their own; `make test` has built them before any test."""
    assert shutil.which(os.environ.get("CXX", "c++")), "the native part needs a compiler anyway"
    BUILD.mkdir(parents=True, exist_ok=True)
    with locked(BUILD / ".lock"):
        subprocess.run(["make", "-s", "-j2", "-C", FUZZ, "binaries-replay"], check=True)
    return BUILD / "replay"


@pytest.mark.timeout(0)  # without `make test`, the first builds them
@pytest.mark.parametrize("harness", HARNESSES)
def test_corpus_and_regressions(harness, binaries):
    inputs = [FUZZ / folder / harness for folder in ("corpus", "regressions")]
    inputs = [folder for folder in inputs if folder.is_dir()]
    count = sum(len(list(folder.iterdir())) for folder in inputs)
    assert count >= 20
    done = subprocess.run(
        [binaries / harness, *inputs], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout == f"{count} inputs\n"


# Processes of their own: forks while threads are at work, and counts, which no clock disturbs, of
# how often the index is looked at to accumulate all of a group.
@pytest.mark.timeout(0)
@pytest.mark.parametrize("program", ["threads", "groups"])
def test_programs_find_nothing_wrong(program, binaries):
    done = subprocess.run([binaries / program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr[-3000:]

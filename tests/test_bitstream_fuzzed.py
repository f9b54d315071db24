"""The fuzzers' corpora and every input that once broke something, under ASan and UBSan."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

FUZZ = Path(__file__).resolve().parents[1] / "native" / "fuzz"


@pytest.mark.parametrize("harness", ["headers", "packets", "clips"])
def test_corpus_and_regressions(harness, tmp_path):
    compiler = shutil.which(os.environ.get("CXX", "c++"))
    assert compiler, "the native part needs a C++ compiler anyway"
    subprocess.run(
        ["make", "-s", "-C", FUZZ, f"build={tmp_path}", f"{tmp_path}/replay/{harness}"],
        check=True,
    )
    inputs = [folder / harness for folder in (FUZZ / "corpus", FUZZ / "regressions")]
    count = sum(len(list(folder.glob("*"))) for folder in inputs)
    assert count >= 20
    done = subprocess.run(
        [tmp_path / "replay" / harness, *inputs], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout == f"{count} inputs\n"

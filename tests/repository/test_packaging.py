"""What a fresh machine relies on: pins that agree, all hashed, no address of an index."""

import re
import subprocess
import sys
import tomllib

import pytest
from environment_file import ROOT, expected

from mic.publishing import report


def _tracked(*patterns):
    command = ["git", "-C", str(ROOT), "ls-files", *patterns]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def test_environment_file_equals_the_lock():
    assert (ROOT / "environment.yml").read_text() == expected()


def test_every_pin_of_the_lock_has_a_hash():
    entries = re.split(r"\n(?=\S)", (ROOT / "requirements.lock").read_text().strip())
    assert len(entries) > 100
    without = [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry]
    assert without == []


def test_every_pin_of_the_lock_is_exact():
    for line in (ROOT / "requirements.lock").read_text().splitlines():
        if not line.startswith("    "):
            assert re.match(r"[\w.-]+==[\w.!+-]+( ;| \\)", line), line


@pytest.mark.parametrize("host", ["pypi" + ".org", "python" + "hosted", "conda" + ".anaconda"])
def test_no_tracked_file_names_a_registry_host(host):
    offenders = []
    for path in _tracked():
        data = path.read_bytes()
        if b"\0" not in data[:4096] and host.encode() in data:
            offenders.append(path.name)
    assert offenders == []


def test_only_the_fixed_names_stand_at_the_top():
    fixed = {
        "environment.yml",
        "README.md",
        "notebooks",
        "mic",
        "native",
        "results",
        "tests",
        "docs",
    }
    build = {"Makefile", "pyproject.toml", "requirements.lock", "docs"}
    papers = {"LICENSE", "CITATION.cff", "CHANGELOG.md", "CONTRIBUTING.md", "REPRODUCIBILITY.md"}
    top = {path.relative_to(ROOT).parts[0] for path in _tracked()}
    assert {name for name in top if not name.startswith(".")} <= fixed | build | papers


def test_source_files_stay_short():
    long = {
        path.relative_to(ROOT).as_posix(): lines
        for path in _tracked(
            "mic/*.py", "native/*.py", "native/*.cpp", "native/*.hpp", "tests/*.py"
        )
        if (lines := path.read_text().count("\n")) > 400
    }
    assert long == {}, "longer than 400 lines: split the file by what it is asked"


def test_the_version_is_the_same_everywhere():
    import mic
    import mic_bitstream

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    parser = tomllib.loads((ROOT / "native" / "pyproject.toml").read_text())["project"]
    assert f"mic-bitstream=={parser['version']}" in project["dependencies"]
    citation = re.search(r"(?m)^version: (\S+)$", (ROOT / "CITATION.cff").read_text())[1]
    changelog = re.search(r"(?m)^## (\S+)", (ROOT / "CHANGELOG.md").read_text())[1]
    assert parser["version"] == mic_bitstream.__version__
    assert project["version"] == mic.__version__ == citation == changelog == parser["version"]
    assert (ROOT / "native" / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()


def test_importing_mic_is_light():
    code = "import sys, mic; sys.exit('torch' in sys.modules or 'av' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_readme_is_a_front_door():
    size = len((ROOT / "README.md").read_bytes())
    assert size <= 9000, "README.md is over 9000 bytes: shorten it, or move text to docs/"


def test_the_tables_on_the_page_of_results_are_those_of_the_results():
    text = (ROOT / "results" / "README.md").read_text()
    assert len(report.names_in(text)) >= 4
    assert report.filled(text, ROOT / "results") == text, "mic report --fill results/README.md"


def test_every_notebook_is_in_the_readme():
    text = (ROOT / "README.md").read_text()
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        assert f"(notebooks/{path.name})" in text


def test_what_only_maintainers_call_is_not_in_the_wheel():
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["scikit-build"]["wheel"]
    assert "mic/synthface/tools/build_head.py" in wheel["exclude"]
    for name in wheel["exclude"]:
        assert (ROOT / name).is_file()
        module = name.removesuffix(".py").replace("/", ".")
        users = [
            path
            for path in (ROOT / "mic").rglob("*.py")
            if module in path.read_text() and path != ROOT / name
        ]
        assert not users

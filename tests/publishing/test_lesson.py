"""The line that every notebook begins with: what it opens, what it refuses, how mic gets there."""

import os
import re
import subprocess
import sys
import tomllib

import nbformat
import pytest
from environment_file import ROOT

from mic.errors import ConfigError, ExtraError, ResultError
from mic.publishing import lesson
from mic.storage import provenance

NOTEBOOK = "02_residuals"


def _preamble():
    return nbformat.read(ROOT / "notebooks" / f"{NOTEBOOK}.ipynb", 4).cells[2].source


def _variables(tmp_path, **others):
    return {"profile": "smoke", "results_folder": str(tmp_path), "seed": 3, **others}


def test_it_gives_the_profile_and_a_run_with_the_declared_outputs(tmp_path):
    profile, run = lesson.start(NOTEBOOK, _variables(tmp_path, clip="generated", In=[], _=1))
    assert (profile.name, profile.seed) == ("smoke", 3)
    assert run.config is profile
    assert run.folder == tmp_path
    declared = lesson.LESSONS[NOTEBOOK]
    assert (run.tables, run.figures) == (declared.tables, declared.figures)
    assert (list(run.datasets), run.show_people) == ([], False)


def test_given_data_reach_the_run(tmp_path):
    given = {"datasets": ["ckplus"], "show_people": True}
    _, run = lesson.start("04_training", _variables(tmp_path, **given))
    assert (run.datasets, run.show_people) == (["ckplus"], True)


@pytest.mark.parametrize("name", ["epochz", "datasets"])
def test_a_parameter_that_this_notebook_does_not_have_is_an_error(tmp_path, name):
    with pytest.raises(ConfigError, match=name):
        lesson.start(NOTEBOOK, _variables(tmp_path, **{name: ["ckplus"]}))


def test_an_output_that_is_not_declared_is_an_error(tmp_path):
    _, run = lesson.start(NOTEBOOK, _variables(tmp_path))
    with pytest.raises(ResultError, match="not declared"):
        run.figure(None, "another")


def test_a_notebook_that_nobody_declared_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match=r"12_mine.*LESSONS"):
        lesson.start("12_mine", _variables(tmp_path))


def test_the_preamble_runs_in_a_namespace_that_holds_the_parameters_alone(tmp_path):
    namespace = {"__name__": "__main__", **_variables(tmp_path)}
    exec(f"{_preamble()}\nprint(config.name, run.notebook)", namespace)
    assert namespace["run"].notebook == NOTEBOOK


def test_where_mic_is_missing_the_cell_shows_the_command_that_installs_it(tmp_path):
    """As on Colab: an interpreter without mic; git and pip that do what they are asked here."""
    without = subprocess.run(
        [sys.executable, "-S", "-c", _preamble()], cwd=tmp_path, capture_output=True, text=True
    )
    assert "No module named 'mic'" in without.stderr
    [command] = re.findall(r"(?m)^# !(.*)$", _preamble())
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "git").write_text(f'#!/bin/sh\n[ "$1" = clone ] && ln -s "{ROOT}" "$3"\n')
    (tools / "pip").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    for tool in tools.iterdir():
        tool.chmod(0o755)
    asked = subprocess.run(
        command,
        shell=True,
        cwd=tmp_path,
        env=os.environ | {"PATH": f"{tools}:{os.environ['PATH']}"},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert asked[:2] == ["install", "-q"]
    names = {}
    for wanted in asked[2:]:
        folder, _, extra = wanted.rstrip("]").partition("[")
        project = tomllib.loads((tmp_path / folder / "pyproject.toml").read_text())["project"]
        names[project["name"]] = project
        assert not extra or extra in project["optional-dependencies"]
    assert list(names) == ["mic-bitstream", "mic-faces"]
    # A clone called `mic` beside the notebook would be taken for the package itself.
    assert not (tmp_path / "mic").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("show_people", "false"),  # as papermill takes it from `-p show_people false`
        ("show_people", 0),
        ("datasets", "ckplus"),
        ("datasets", {"ckplus": 1}),
        ("datasets", [1]),
        ("results_folder", None),
        ("profile", 1),
    ],
)
def test_a_value_of_another_kind_is_refused(tmp_path, name, value):
    with pytest.raises(ConfigError, match=name):
        lesson.start("06_confusion_matrices", _variables(tmp_path, **{name: value}))


def test_a_second_start_in_one_kernel_says_what_to_do(tmp_path):
    profile, run = lesson.start(NOTEBOOK, _variables(tmp_path))
    with pytest.raises(ConfigError, match="restart the kernel"):
        lesson.start(NOTEBOOK, _variables(tmp_path, config=profile, run=run))


def test_an_installed_mic_finds_the_clone_or_says_that_it_needs_one(tmp_path, monkeypatch):
    monkeypatch.setattr("mic.__file__", str(tmp_path / "site-packages" / "mic" / "__init__.py"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="mic-source"):
        lesson.start("04_training", _variables(tmp_path))
    lesson.start(NOTEBOOK, _variables(tmp_path))  # which reads nothing that is committed
    (tmp_path / "mic-source").symlink_to(ROOT)
    lesson.start("04_training", _variables(tmp_path))
    assert provenance.repository() == tmp_path / "mic-source"
    monkeypatch.chdir(ROOT / "notebooks" / "solutions")
    assert provenance.repository() == ROOT


@pytest.mark.parametrize(("name", "extra"), [("sklearn", "train"), ("IPython", "notebooks")])
def test_a_package_that_lessons_need_is_named_before_they_begin(
    name, extra, monkeypatch, tmp_path
):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ExtraError, match=extra):
        lesson.start(NOTEBOOK, _variables(tmp_path))

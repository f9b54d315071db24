"""The notebook contract of the project, rule by rule, over every committed notebook."""

import ast
import os
import re
import subprocess
import sys

import nbformat
import pytest
from environment_file import ROOT

from mic.publishing import results

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SECTIONS = ["Aim", "Theory", "Practice", "Discussion", "Exercises"]


@pytest.fixture(params=NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def path(request):
    return request.param


@pytest.fixture
def notebook(path):
    return nbformat.read(path, 4)


def _code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _names(line):
    return sorted(re.findall(r"`([\w.-]+)`", line))


def _outputs(notebook):
    return _names(re.search(r"(?m)^\*\*Outputs:\*\* (.*)$", notebook.cells[0].source)[1])


def test_no_notebook_escapes():
    tracked = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "*.ipynb"], capture_output=True, text=True, check=True
    ).stdout.split()
    assert sorted(tracked) == [path.relative_to(ROOT).as_posix() for path in NOTEBOOKS]
    assert all(re.fullmatch(r"\d\d_[a-z_]+", path.stem) for path in NOTEBOOKS)
    assert len(NOTEBOOKS) >= 4


def test_the_first_cell_says_what_it_is(notebook):
    first = notebook.cells[0]
    assert first.cell_type == "markdown"
    assert re.match(r"# \S", first.source)
    for field in ("Reproduces", "Inputs", "Outputs", "Run time"):
        assert re.search(rf"(?m)^\*\*{field}:\*\* \S", first.source), field
    time = r"(?m)^\*\*Run time:\*\* \d+ s \(\w+ profile, \d+ cores, (empty|filled) store\)"
    assert re.search(time, first.source)


def test_the_install_cell_is_the_same_everywhere_and_silent(notebook):
    first, *others = _code(notebook)
    assert first.metadata["tags"] == ["install"]
    assert first.source == _code(nbformat.read(NOTEBOOKS[0], 4))[0].source
    assert first.outputs == []
    assert not [cell for cell in others if "install" in cell.metadata.get("tags", [])]


@pytest.mark.parametrize("clone", ["around", "beside", "none"])
def test_where_mic_is_missing_it_is_installed_from_the_clone(tmp_path, clone):
    """As on Colab or Binder: an interpreter without mic, and a pip that tells what it is asked."""
    (tmp_path / "pip").mkdir()
    (tmp_path / "pip" / "__init__.py").touch()
    (tmp_path / "pip" / "__main__.py").write_text("import sys; print(sys.argv[1:])")
    root = tmp_path / "content" / "mic-clone"
    here = root / "notebooks" if clone == "around" else root.parent
    for folder in (here, *([root / "native"] if clone != "none" else [])):
        folder.mkdir(parents=True, exist_ok=True)
    if clone != "none":
        (root / "native" / "mpeg4.hpp").touch()
    source = _code(nbformat.read(NOTEBOOKS[0], 4))[0].source
    # Without site-packages there is no mic.
    done = subprocess.run(
        [sys.executable, "-S", "-c", source],
        cwd=here,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    if clone == "none":
        assert "clone the repository" in done.stderr
    else:
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == str(["install", "-q", f"{root}[notebooks]"])


def test_parameters_are_one_cell_of_literals_and_checked_in_the_next(notebook):
    code = _code(notebook)
    tagged = [i for i, c in enumerate(code) if "parameters" in c.metadata.get("tags", [])]
    assert tagged == [1]
    for statement in ast.parse(code[1].source).body:
        assert isinstance(statement, ast.Assign)
        ast.literal_eval(statement.value)
    assert "mic.config.from_notebook(vars()" in code[2].source


def test_cells_hold_no_algorithm_and_no_tricks(notebook):
    for cell in _code(notebook):
        tree = ast.parse(cell.source)  # also refuses magics and shell escapes
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno - node.lineno < 10, node.name
            assert not isinstance(node, ast.ClassDef)
        for trick in ("sys.path", "filterwarnings", "simplefilter", "get_ipython", "%%capture"):
            assert trick not in cell.source


def test_no_two_notebooks_declare_the_same_output():
    """`make test` runs them in several roots, `make reproduce` in one."""
    declared = [name for path in NOTEBOOKS for name in set(_outputs(nbformat.read(path, 4)))]
    assert len(declared) > len(NOTEBOOKS)
    assert len(declared) == len(set(declared))


def test_declared_outputs_are_those_of_the_first_cell(notebook, path):
    calls = [
        node
        for cell in _code(notebook)
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("results.Run")
    ]
    assert len(calls) == 1
    assert ast.literal_eval(calls[0].args[0]) == path.stem
    named = {k.arg: k.value for k in calls[0].keywords}
    declared = [
        name
        for key in ("tables", "figures")
        if key in named
        for name in ast.literal_eval(named[key])
    ]
    assert sorted(set(declared)) == sorted(set(_outputs(notebook)))


def test_nothing_is_written_but_through_the_run(notebook):
    for cell in _code(notebook):
        for writer in (".to_csv(", ".savefig(", "write_text(", "write_bytes(", "np.save", "open("):
            assert writer not in cell.source.replace("bitstream.open(", "")


def test_outputs_are_committed_whole_and_clean(notebook, path):
    assert path.stat().st_size <= 1_000_000
    assert notebook.metadata.kernelspec.name == "python3"
    code = _code(notebook)
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    for cell in code:
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr"
    shown = [output for cell in code for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in shown)


def test_nbval_has_something_to_compare(notebook):
    checked = [
        cell for cell in _code(notebook) if "nbval-check-output" in cell.metadata.get("tags", [])
    ]
    assert checked
    assert all(cell.outputs for cell in checked)


def test_the_last_cell_completes_the_run(notebook, path):
    last = notebook.cells[-1]
    assert last.cell_type == "code"
    assert ".complete()" in last.source
    printed = "".join(output.get("text", "") for output in last.outputs)
    assert f"{results.MARKER} {path.stem}:" in printed


def test_every_notebook_has_the_same_order(notebook):
    headings = [
        match
        for cell in notebook.cells
        if cell.cell_type == "markdown"
        for match in re.findall(r"(?m)^## (\w+)", cell.source)
    ]
    assert headings == SECTIONS


def test_metadata_names_no_machine(notebook):
    text = nbformat.writes(notebook)
    assert not re.search(r"[\"'(]/(tmp|root|home|work)/", text)
    assert "papermill" not in notebook.metadata

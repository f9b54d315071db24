"""The notebook contract of the project, rule by rule, over every committed notebook."""

import ast
import base64
import dataclasses
import re
import subprocess

import nbformat
import pytest
from environment_file import ROOT

from mic.config import Profile
from mic.publishing import declared, lesson, results

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SOLUTIONS = sorted((ROOT / "notebooks" / "solutions").glob("*.ipynb"))
PREAMBLE = """\
# Where mic is not installed yet, as on Colab, run first (ADDRESS is this repository's):
# !git clone ADDRESS mic-source && pip install -q ./mic-source/native "./mic-source[notebooks]"
from mic.publishing import lesson

config, run = lesson.start("{name}", vars())"""
SECTIONS = ["Aim", "Theory", "Practice", "Discussion", "Exercises"]
# Whose exercises nobody has solved in `notebooks/solutions` yet.
NOT_SOLVED: set[str] = set()


@pytest.fixture(params=NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def path(request):
    return request.param


@pytest.fixture
def notebook(path):
    return nbformat.read(path, 4)


def _code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _exercises(notebook):
    text = next(c.source for c in notebook.cells if c.source.startswith("## Exercises"))
    return re.findall(r"(?m)^\d+\. ", text)


def _names(line):
    return sorted(re.findall(r"`([\w.-]+)`", line))


def _outputs(notebook):
    return _names(re.search(r"(?m)^\*\*Outputs:\*\* (.*)$", notebook.cells[0].source)[1])


def test_no_notebook_escapes():
    tracked = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "*.ipynb"], capture_output=True, text=True, check=True
    ).stdout.split()
    known = sorted([*NOTEBOOKS, *SOLUTIONS])
    there = [path.relative_to(ROOT).as_posix() for path in known]
    assert sorted(tracked) == there, "git add the notebooks and their solutions"
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


def test_parameters_are_one_cell_of_literals_and_the_preamble_follows(notebook, path):
    parameters, preamble, *others = _code(notebook)
    assert parameters.metadata["tags"] == ["parameters"]
    for statement in ast.parse(parameters.source).body:
        assert isinstance(statement, ast.Assign)
        ast.literal_eval(statement.value)
    assert preamble.source == PREAMBLE.format(name=path.stem)
    assert parameters.outputs == preamble.outputs == []
    assert not [cell for cell in others if "parameters" in cell.metadata.get("tags", [])]
    assert not [cell for cell in others if "lesson.start" in cell.source]


def test_own_parameters_are_those_that_the_lesson_declares(notebook, path):
    assigned = {s.targets[0].id for s in ast.parse(_code(notebook)[0].source).body}
    known = {field.name for field in dataclasses.fields(Profile)}
    own = assigned - known - {"profile", "results_folder"}
    assert own == set(lesson.LESSONS[path.stem].parameters)


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
    declared = lesson.LESSONS[path.stem]
    assert sorted({*declared.tables, *declared.figures}) == sorted(set(_outputs(notebook)))


def test_what_is_read_of_the_committed_results_is_an_input(notebook, path):
    code = "\n".join(cell.source for cell in _code(notebook))
    names = [name for name in declared.input_names(path) if name.startswith("results/")]
    assert all((ROOT / name).exists() for name in names)
    reads = "provenance.repository()" in code
    assert lesson.LESSONS[path.stem].committed == bool(names) == reads
    for table in re.findall(r'read_table\("(\w+)", folder=committed\)', code):
        at = results.table_path(table, folder=ROOT / "results")
        assert any(at.is_relative_to(ROOT / name) for name in names)


def test_every_lesson_is_a_notebook():
    assert [*lesson.LESSONS] == [path.stem for path in NOTEBOOKS]


def test_nothing_is_written_but_through_the_run(notebook):
    for cell in _code(notebook):
        for writer in (".to_csv(", ".savefig(", "write_text(", "write_bytes(", "np.save"):
            assert writer not in cell.source
        assert not re.search(r"(?<![\w.])open\(", cell.source)  # but `bitstream.open` only reads


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
    pictures = [output for output in shown if "image/png" in output.get("data", {})]
    assert pictures, "shows no figure: draw with pyplot, so that a cell displays it"


def test_pictures_that_are_read_are_the_committed_ones(notebook):
    for cell in _code(notebook):
        for study, name in re.findall(r'Image\(str\(committed / "(.+)" / "(.+)"\)\)', cell.source):
            (shown,) = [output["data"]["image/png"] for output in cell.outputs]
            assert base64.b64decode(shown) == (ROOT / "results" / study / name).read_bytes(), name


def test_nbval_has_something_to_compare(notebook):
    checked = [
        cell for cell in _code(notebook) if "nbval-check-output" in cell.metadata.get("tags", [])
    ]
    assert len(checked) >= 3
    assert all(cell.outputs for cell in checked)


def test_no_code_cell_has_more_than_25_lines(notebook):
    lines = {cell.id: len(cell.source.splitlines()) for cell in _code(notebook)}
    long = {name: count for name, count in lines.items() if count > 25}
    assert long == {}, "at most 25 lines a cell: move the work into mic/"


def test_columns_are_described_where_the_table_is_made(notebook):
    """What a column means is said in the package beside its producer, once, and not in a cell."""
    for cell in _code(notebook):
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "run.table":
                (described,) = [k.value for k in node.keywords if k.arg == "columns"]
                assert isinstance(described, ast.Attribute | ast.Call), ast.unparse(node)


def test_tables_are_shown_in_one_way(notebook):
    """By `report.styled`: no text that wraps in narrow windows, no plain frame with its index."""
    for cell in _code(notebook):
        assert "to_string(" not in cell.source
        for output in cell.outputs:
            assert 'class="dataframe"' not in output.get("data", {}).get("text/html", "")


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


def test_every_lesson_has_its_solutions():
    solved = [path.stem for path in SOLUTIONS]
    assert solved == [path.stem for path in NOTEBOOKS if path.stem not in NOT_SOLVED]
    for stem in solved:
        lesson_text = (ROOT / "notebooks" / f"{stem}.ipynb").read_text()
        assert f"Solutions: `solutions/{stem}.ipynb`." in lesson_text


@pytest.mark.parametrize("solved", SOLUTIONS, ids=[path.stem for path in SOLUTIONS])
def test_solutions_answer_every_exercise(solved):
    notebook = nbformat.read(solved, 4)
    asked = _exercises(nbformat.read(ROOT / "notebooks" / solved.name, 4))
    headings = re.findall(r"(?m)^## (.*)$", "\n".join(c.source for c in notebook.cells))
    assert headings == [f"Exercise {number}" for number in range(1, len(asked) + 1)]


@pytest.mark.parametrize("solved", SOLUTIONS, ids=[path.stem for path in SOLUTIONS])
def test_solutions_keep_the_rules_of_cells(solved):
    notebook = nbformat.read(solved, 4)
    test_metadata_names_no_machine(notebook)
    test_cells_hold_no_algorithm_and_no_tricks(notebook)
    code = _code(notebook)
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert not [o for o in outputs if o.output_type == "error" or o.get("name") == "stderr"]
    assert max(len(cell.source.splitlines()) for cell in code) <= 25
    checked = [c for c in code if "nbval-check-output" in c.metadata.get("tags", [])]
    assert len(checked) >= 3
    assert all(cell.outputs for cell in checked)
    assert solved.stat().st_size <= 1_000_000

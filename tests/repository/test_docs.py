"""The pages of the repository lead somewhere; `make docs` builds the site from them."""

import ast
import importlib.util
import re

import pytest
from environment_file import ROOT


def _module(file):
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


links = _module(ROOT / "docs" / "links.py")
read_as_written = _module(ROOT / "docs" / "conf.py").read_as_written


def test_no_link_between_pages_is_broken():
    assert len(links.pages(ROOT)) > 8
    assert list(links.broken(ROOT)) == []


def test_a_broken_link_is_found(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text(
        "# One head\n[a](#one-head) [b](#none) [c](absent.md) `[d](e)` [f](https://g)\n"
    )
    monkeypatch.setattr(links, "pages", lambda root: [page])
    assert [line.split(": ", 1)[1] for line in links.broken(tmp_path)] == [
        "#none: no such heading",
        "absent.md: no such file",
    ]


def test_every_page_of_the_site_is_in_its_contents():
    index = (ROOT / "docs" / "index.md").read_text()
    entries = set(re.findall(r"(?m)^([\w/*-]+)$", index))
    for page in (ROOT / "docs").rglob("*.md"):
        name = page.relative_to(ROOT / "docs").with_suffix("").as_posix()
        folder = name.rpartition("/")[0]
        listed = name == "index" or name in entries or f"{folder}/*".lstrip("/") in entries
        assert listed, f"name {name} in docs/index.md"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (["Bound on |T| of <A, B> / (|A| |B|)."], [r"Bound on \|T\| of <A, B> / (\|A\| \|B\|)."]),
        (["`|x|` and ``a | b | c``; x | y | z"], ["`|x|` and ``a | b | c``; x | y | z"]),
        (["`on two", "lines |x|` |y|"], ["`on two", r"lines |x|` \|y\|"]),
        (["||I - D||^2"], [r"\|\|I - D\|\|^2"]),
        (
            ["As in", "", "    |x| = 1", "and |y|"],
            ["As in", "", ".. code-block:: text", "", "    |x| = 1", "", r"and \|y\|"],
        ),
        ([":param x: one", "    more |z|"], [":param x: one", r"    more \|z\|"]),
        ([], []),
    ],
)
def test_docstrings_read_as_they_are_written(written, read):
    lines = list(written)
    read_as_written(None, "", "", None, None, lines)
    assert lines == read


def test_no_docstring_names_a_substitution():
    """Sphinx takes `|x|` for one and fails; files of the clips' recipe cannot change for it."""
    files = [*(ROOT / "mic").rglob("*.py"), *(ROOT / "native" / "mic_bitstream").rglob("*.py")]
    met = 0
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                continue
            lines = (ast.get_docstring(node) or "").split("\n")
            before = "\n".join(lines)
            read_as_written(None, "", "", None, None, lines)
            text = "\n".join(lines)
            met += text != before
            prose = re.sub(r"`+[^`]*`+|\.\. code-block:: text\n\n(    .*\n|\n)+", "", text)
            assert not re.search(r"(?<!\\)\|\S", prose), (file, text)
    assert met > 3


def test_examples_in_docstrings_are_indented_and_so_read_as_code():
    """`ruff format` takes the indentation away where nothing but an example follows the title."""
    files = [*(ROOT / "mic").rglob("*.py"), *(ROOT / "native" / "mic_bitstream").rglob("*.py")]
    found = []
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                continue
            text = ast.get_docstring(node, clean=False) or ""
            margin = "" if isinstance(node, ast.Module) else " " * (node.col_offset + 4)
            for paragraph in text.split("\n\n")[1:]:
                lines = [line.removeprefix(margin) for line in paragraph.strip("\n").split("\n")]
                if _is_code("\n".join(lines)):
                    found.append(f"{file.relative_to(ROOT)}: {lines[0]}")
    assert not found
    assert _is_code("clip = read(path)\nclip.y  # int16")
    assert _is_code("import mic")
    assert not _is_code("Bound of a (see b).")
    assert not _is_code("    clip = read(path)")


def _is_code(text):
    try:
        body = ast.parse(text).body
    except SyntaxError:
        return False
    does = ast.Call | ast.Import | ast.ImportFrom | ast.Assign
    return any(isinstance(node, does) for one in body for node in ast.walk(one))

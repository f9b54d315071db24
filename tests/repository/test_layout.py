"""The order of the folders of `mic`: each imports only from those before it.

Below them all is the parser, a distribution of its own.
"""

import ast
from pathlib import Path

import pytest

import mic
import mic_bitstream

PACKAGE = Path(mic.__file__).parent
# Bottom to top, as a video travels; within a line, from left to right.
LINES = (
    ("errors", "extras", "config"),
    ("storage",),
    ("evaluation", "mi"),
    ("processes",),
    ("manifest",),
    ("codec",),
    ("decoded", "faces"),
    ("bitstream", "identity"),
    ("inputs", "extraction", "synthface"),
    ("models", "datasets"),
    ("peers", "training", "recognition", "publishing"),
    ("export", "fitting", "experiments", "demo"),
    ("lowrate", "speed", "transfer"),
    ("cli",),
    ("__main__",),
)
ORDER = [name for line in LINES for name in line]
# `mic.predict` and its like load what they need when they are first asked for.
LAZY = {"__init__.py"}


def imported(path: Path) -> set[str]:
    """The modules of `mic` that a file imports anywhere, also within functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(), filename=str(path))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            if node.module == "mic":
                found |= {f"mic.{name.name}" for name in node.names}
            elif node.module:
                found.add(node.module)
    return {name for name in found if name.startswith("mic.")}


def room(path: Path) -> str:
    """The folder, or the module, below `mic`."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


FILES = sorted(
    path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).as_posix() not in LAZY
)


def test_the_order_names_every_folder():
    assert sorted({room(path) for path in FILES}) == sorted(ORDER)


def test_every_folder_has_its_tests():
    rooms = {path.name for path in PACKAGE.iterdir() if list(path.glob("*.py"))}
    without = {
        name for name in rooms if not list((Path(__file__).parents[1] / name).glob("test_*.py"))
    }
    assert not without


def test_both_forms_of_import_are_seen():
    assert "mic.processes" in imported(PACKAGE / "processes" / "tasks.py")
    assert "mic.storage.digest" in imported(PACKAGE / "synthface" / "generate.py")


def test_the_parser_imports_nothing_of_mic():
    parser = Path(mic_bitstream.__file__).parent
    assert {name for path in parser.rglob("*.py") for name in imported(path)} == set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_go_one_way(path):
    here = ORDER.index(room(path))
    backward = [
        name
        for name in sorted(imported(path))
        if name.split(".")[1] in ORDER and ORDER.index(name.split(".")[1]) > here
    ]
    assert backward == [], (
        f"{ORDER[here]} may import only from {', '.join(ORDER[:here])}: "
        "move the code, or hand it in as an argument"
    )

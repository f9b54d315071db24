"""Programs that no test runs, as benches and campaigns, ask `mic` for what it has."""

import ast
import importlib
import types

import pytest
from environment_file import ROOT

OURS = ("mic", "mic_bitstream")
PROGRAMS = sorted(
    [*(ROOT / "tests" / "bench").glob("*.py"), *(ROOT / "tests" / "campaigns").glob("*.py")]
)


def _named(tree):
    """What a program calls our modules and what is in them, and which names are not there."""
    found, missing = {}, []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                if one.name.partition(".")[0] in OURS and one.asname:
                    found[one.asname] = importlib.import_module(one.name)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in OURS:
            module = importlib.import_module(node.module)
            for one in node.names:
                try:
                    thing = getattr(module, one.name, None) or importlib.import_module(
                        f"{node.module}.{one.name}"
                    )
                except ModuleNotFoundError:
                    missing.append(f"{node.module}.{one.name}")
                    continue
                found[one.asname or one.name] = thing
    return found, missing


def asked_in_vain(source):
    """Names that a program asks our modules for, and that they have not."""
    tree = ast.parse(source)
    found, missing = _named(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = found.get(node.value.id)
            if isinstance(module, types.ModuleType) and not hasattr(module, node.attr):
                missing.append(f"{node.value.id}.{node.attr}")
    return missing


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_program_asks_for_what_there_is(path):
    assert asked_in_vain(path.read_text()) == []


def test_what_is_not_there_is_found():
    source = "from mic.publishing import nothing, results\nresults.to_markdown(results.Run)"
    assert asked_in_vain(source) == ["mic.publishing.nothing", "results.to_markdown"]

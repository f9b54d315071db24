"""The stub of the native module names what is compiled, so that the type checkers ask the same."""

import ast
from pathlib import Path

import mic_bitstream
from mic_bitstream import _native

STUB = Path(mic_bitstream.__file__).with_name("_native.pyi")


def _public(names):
    return {name for name in names if not name.startswith("_")}


def test_the_stub_names_what_is_compiled():
    tree = ast.parse(STUB.read_text())
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert _public({*classes, *functions}) == _public(vars(_native)), "write it into _native.pyi"
    for name, node in classes.items():
        compiled = getattr(_native, name)
        if issubclass(compiled, Exception):
            continue
        methods = {one.name for one in node.body if isinstance(one, ast.FunctionDef)}
        fields = {one.target.id for one in node.body if isinstance(one, ast.AnnAssign)}
        assert _public(methods | fields) == _public(vars(compiled)), f"class {name} of _native.pyi"

"""`mic export`: a network as a file that runs without this package."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the sub-command of this module."""
    command = commands.add_parser(
        "export",
        help="a network for ONNX Runtime (.onnx) or torch without mic (.pt2)",
        description="Writes a residual network without its Python, for any number of clips at "
        "once, and compares the file's answers with torch's on random clips.",
    )
    command.add_argument(
        "model", nargs="?", type=Path, help="a file that `mic train` wrote; default: the shipped"
    )
    command.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="ends in .onnx or .pt2"
    )
    command.set_defaults(command=_export)


def _export(options: argparse.Namespace) -> int:
    from mic import export
    from mic.recognition.recogniser import Recogniser

    recogniser = Recogniser.load(options.model, device="cpu")
    found = export.export_recogniser(recogniser, options.out)
    size = options.out.stat().st_size / 2**20
    print(
        f"{options.out}: {recogniser.name}, {size:.1f} MiB; {found.same} of {found.clips} labels "
        f"as torch's on random input, logits within {found.difference:.1e}"
    )
    return 0

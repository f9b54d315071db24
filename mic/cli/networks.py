"""`mic export`: a network as a file that runs without this package."""

from __future__ import annotations

import argparse
from pathlib import Path

from mic.storage import atomic


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the sub-command of this module."""
    command = commands.add_parser(
        "export",
        help="a network for ONNX Runtime (.onnx) or torch without mic (.pt2)",
        description="Writes a residual network without its Python, once it answers random clips "
        "as torch does: for any number of clips at once, of any length as .onnx, of the length "
        "that it was trained on as .pt2. What goes in and comes out: docs/guide/export.md.",
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
    from mic.export.heads import outputs
    from mic.export.session import suffix
    from mic.recognition.recogniser import Recogniser

    suffix(options.out)
    recogniser = Recogniser.load(options.model, device="cpu")
    atomic.check_writable(options.out, sources=[options.model] if options.model else [])
    found = export.export_recogniser(recogniser, options.out)
    size = options.out.stat().st_size / 2**20
    print(
        f"{options.out}: {recogniser.name}, {size:.1f} MiB, answers "
        f"{', '.join(outputs(recogniser.network))}; {found.same} of {found.clips} labels "
        f"as torch's on random input, logits within {found.difference:.1e}"
    )
    return 0

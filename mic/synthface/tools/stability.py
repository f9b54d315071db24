"""The hashes that a small fixed set of clips must have on every machine.

    python -m mic.synthface.tools.stability                  # prints them
    python -m mic.synthface.tools.stability manifest.csv     # writes them

They are committed beside this file and compared by a test. Pixels are exact wherever arithmetic is
IEEE's. Files also depend on the encoder: they hold for the pinned PyAV on x86-64.
"""

from __future__ import annotations

import csv
import io
import sys
import tempfile
from pathlib import Path

import numpy as np

from mic.storage.atomic import write_text
from mic.synthface.generate import generate
from mic.synthface.protocols import PROTOCOLS

COLUMNS: tuple[str, ...] = ("protocol", "clip_id", "pixels", "file")
_CLIPS = 2
_SIZE = 48
_SECONDS = 1.0


def measure(folder: str | Path) -> list[dict[str, str]]:
    """Makes the clips below `folder` and returns their hashes, one row a clip.

    Returns:
        protocol, clip_id, SHA-256 of all drawn pixels, SHA-256 of the video file.
    """
    rows = []
    for name in PROTOCOLS:
        manifest = generate(name, Path(folder, name), size=_SIZE, subset=_CLIPS, seconds=_SECONDS)
        for clip in manifest:
            with np.load(manifest.annotation_path(clip)) as side:
                pixels = str(side["pixels"])
            values = (name, clip.clip_id, pixels, clip.sha256)
            rows.append(dict(zip(COLUMNS, values, strict=True)))
    return rows


def table() -> str:
    """The hashes as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    with tempfile.TemporaryDirectory(prefix="mic-stability-") as folder:
        writer.writerows(measure(folder))
    return text.getvalue()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        write_text(sys.argv[1], table())
    else:
        sys.stdout.write(table())

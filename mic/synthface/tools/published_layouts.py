"""Trees of generated faces in the published layouts of CK+, MMI, AFEW, RECOLA, CREMA-D, RAVDESS.

Names, folders, formats, label files and litter are those of the originals; the faces are
generated, so that whoever has no licence can see the whole study run, and tests can.

    python -m mic.synthface.tools.published_layouts ckplus FOLDER [CLIPS]
    mic run --profile smoke --data ckplus=FOLDER
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import numpy as np
from PIL import Image

from mic.errors import ConfigError
from mic.processes import workers
from mic.storage import atomic
from mic.synthface.film import film
from mic.synthface.protocols import protocol
from mic.synthface.tools.layouts import LAYOUTS, Take, write_video

_WALL = 0.15  # of the face picture's edge: what the canvas adds above and below; twice beside it


def write(
    name: str,
    root: str | Path,
    *,
    clips: int | None = None,
    size: int = 96,
    jobs: int = 1,
    distinct: int | None = None,
) -> None:
    """Writes a tree; clips that are there already stay, so that a writing that ended goes on.

    Args:
        name: `ckplus`, `mmi`, `afew`, `avec`, `cremad` or `ravdess`.
        root: Where it goes.
        clips: About how many labelled clips, spread over classes; None for the published number.
        size: Edge of the faces' pictures in samples; frames are wider and higher.
        jobs: Worker processes.
        distinct: How often a person performs an expression anew; further clips of CREMA-D,
            RAVDESS and AFEW are copies of these, which saves most of the drawing. None: always.

    Raises:
        ConfigError: No such layout.
        StorageError: The folder cannot be written.
    """
    if name not in LAYOUTS:
        raise ConfigError(f"there is no layout {name!r}", remedy=f"choose of {', '.join(LAYOUTS)}")
    root = Path(root)
    root.mkdir(parents=True, exist_ok=True)
    takes: list[Take] = []
    copies: list[tuple[Path, Path]] = []
    drawn: dict[tuple[str, str, str], list[Path]] = {}
    for one in LAYOUTS[name](root, clips, size):
        plan = one.plan
        same = drawn.setdefault((plan.subject, one.label or plan.label, plan.split), [])
        if distinct is not None and len(same) >= distinct and one.then is None:
            copies.append((same[len(copies) % distinct], one.files))
        else:
            same.append(one.files)
            takes.append(one)
    if jobs == 1:
        for one in takes:
            _perform(one)
    else:
        with workers.pool(jobs) as pool:
            for _ in pool.map(_perform, takes, chunksize=4):
                pass
    for original, copy in copies:
        atomic.write_bytes(copy, original.read_bytes(), durable=False)


def _perform(one: Take) -> None:
    """Writes a clip after its labels, so that whoever is stopped has both or no clip."""
    pictures = one.files.suffix.lower() == ".png"
    if one.files.with_name(one.files.name.format(frame=one.plan.frames)).is_file():
        return
    chosen = protocol(one.protocol)
    chosen = dataclasses.replace(chosen, frame_rate=one.rate or chosen.frame_rate)
    made = film(chosen, one.plan, size=one.size)
    frames = (_framed(frame) for frame in made.watched())
    one.files.parent.mkdir(parents=True, exist_ok=True)
    if one.then:
        one.then(made, one.plan, one.files)
    if not pictures:
        write_video(frames, one.files, chosen.frame_rate)
        return
    for number, frame in enumerate(frames, start=1):
        path = one.files.with_name(one.files.name.format(frame=number))
        with atomic.replacing(path, durable=False) as temporary:
            Image.fromarray(frame).convert("L" if one.gray else "RGB").save(temporary)


def _framed(frame: np.ndarray) -> np.ndarray:
    """The face picture on a wall of its own border colours, as a camera's frame has it."""
    edge = int(_WALL * frame.shape[0]) // 8 * 8
    return np.pad(frame, ((edge, edge), (2 * edge, 2 * edge), (0, 0)), mode="edge")


def main() -> None:
    """The command that the module's text shows."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("layout", choices=sorted(LAYOUTS))
    parser.add_argument("folder", type=Path)
    parser.add_argument("clips", type=int, nargs="?", help="by default the published number")
    parser.add_argument("--size", type=int, default=96, help="edge of the faces, in samples")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument(
        "--distinct",
        type=int,
        help="how often a person performs an expression; others are copies",
    )
    given = parser.parse_args()
    write(
        given.layout,
        given.folder,
        clips=given.clips,
        size=given.size,
        jobs=given.jobs,
        distinct=given.distinct,
    )


if __name__ == "__main__":
    main()

"""The walk of a video, or of a cell, through the files of `mic`: which, in what order, how often.

    python -m campaigns.walk predict VIDEO [--network residual]
    python -m campaigns.walk train FOLDER_OF_CLASS_FOLDERS
    python -m campaigns.walk cell FOLDER_WITH_MANIFEST

Calls are traced, imports are not; files of the parser stand under `parser/`. What is trained takes
two epochs of a small network, and nothing of the user's store is read or written but assets.
"""

import argparse
import collections
import dataclasses
import itertools
import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from types import FrameType

from av.container import InputContainer

import mic
import mic_bitstream
from mic import experiments, fitting
from mic.codec import reading
from mic.inputs.tensors import Representation
from mic.manifest import Manifest
from mic.models.mic import Method
from mic.processes.workers import torch_threads
from mic.storage.home import home
from mic.training.schedules import Schedule
from mic_bitstream.containers import open_container

ROOTS = {str(Path(package.__file__).parent): package.__name__ for package in (mic, mic_bitstream)}
CLIPS = 12


def file_of(frame: FrameType) -> str:
    """A frame's file below `mic`, or below `parser/`; empty elsewhere and for imports."""
    code = frame.f_code
    for root, name in ROOTS.items():
        if code.co_filename.startswith(f"{root}/") and code.co_name != "<module>":
            below = code.co_filename[len(root) + 1 :]
            return below if name == "mic" else f"parser/{below}"
    return ""


def traced(call: Callable[[], object]) -> tuple[list[str], collections.Counter[str]]:
    """The files through which a call walks, neighbours differing; and openings by file name."""
    steps: list[str] = []
    openings: collections.Counter[str] = collections.Counter()

    def step(frame: FrameType, event: str, argument: object) -> None:
        del argument
        if event == "call" and (name := file_of(frame)) and steps[-1:] != [name]:
            steps.append(name)

    def opening(path: Path) -> AbstractContextManager[InputContainer]:
        openings[path.name] += 1
        return open_container(path)

    reading.open_container = opening
    sys.setprofile(step)
    try:
        call()
    finally:
        sys.setprofile(None)
        reading.open_container = open_container
    return steps, openings


def told(steps: list[str], openings: collections.Counter[str]) -> str:
    """The walk in words."""
    rooms = [step.split("/")[0] for step in steps]
    moves = collections.Counter(
        (one, other) for one, other in itertools.pairwise(rooms) if one != other
    )
    files = list(dict.fromkeys(steps))
    both = sorted(pair for pair in moves if pair < pair[::-1] and pair[::-1] in moves)
    return "\n".join(
        [
            f"{len(files)} files, {len(steps) - 1} moves between them",
            f"{len(set(rooms))} rooms, {sum(moves.values())} moves between them",
            *(f"  {file}" for file in files),
            "to and fro:",
            *(f"  {a} and {b}: {moves[a, b]}, {moves[b, a]}" for a, b in both),
            f"one video is opened {max(openings.values(), default=0)} times, but for parsing",
        ]
    )


def _cell(folder: Path) -> None:
    whole = Manifest.load(folder / "manifest.csv")
    few = dataclasses.replace(whole, clips=whole.clips[:CLIPS])
    (cell,) = experiments.grid(
        experiments.Dataset(manifest=few),
        {"MIC": Method(width=4, feature_size=16, z_size=16)},
        schedule=Schedule(epochs=2, batch=4),
        representation=Representation(steps=4),
        folds=1,
        parts=2,
    )
    experiments.compute(experiments.Dataset(manifest=few), cell)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("walk", choices=["predict", "train", "cell"])
    parser.add_argument("path", type=Path)
    parser.add_argument("--network", default="pictures", choices=["pictures", "residual"])
    options = parser.parse_args()
    assets = home() / "assets"
    with tempfile.TemporaryDirectory() as folder, torch_threads(1):
        os.environ["MIC_HOME"] = folder
        (Path(folder) / "assets").symlink_to(assets)
        walks: dict[str, Callable[[], object]] = {
            "predict": lambda: mic.predict(options.path, network=options.network),
            "train": lambda: fitting.fit(
                options.path,
                Path(folder) / "model",
                schedule=Schedule(epochs=2, batch=4, frames=4),
            ),
            "cell": lambda: _cell(options.path),
        }
        print(told(*traced(walks[options.walk])))


if __name__ == "__main__":
    main()

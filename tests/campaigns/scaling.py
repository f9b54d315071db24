"""How much faster two workers of a cluster extract than one, and what a killed worker costs.

    python -m campaigns.scaling [--clips 500] [--rounds 1]      # from tests/; a quiet machine

Clips of a real face are parsed, their apex is decoded and their identity embedded, as before every
grid. Workers are warm: each has imported what it needs. Recorded in results/reliability.csv.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future
from fractions import Fraction
from pathlib import Path

import numpy as np

from campaigns.workers import killing
from mic import codec, experiments
from mic.experiments import runner
from mic.inputs.tensors import Representation
from mic.manifest.manifest import Clip, Manifest
from mic.processes import cluster
from mic.publishing import reliability
from mic.storage import assets
from mic.storage.digest import sha256_of

FRAMES = 24
SEEN = Representation(kind="accumulated", steps=16, scale=1)


def clips(folder: Path, count: int) -> Manifest:
    """Short clips of one talking face, no two alike: where they begin, mirrored, how coarse."""
    film = list(codec.decode(assets.path("carphone")))
    begins = len(film) - FRAMES
    rows = []
    for number in range(count):
        turn, begin = divmod(number, begins)
        frames = film[begin : begin + FRAMES]
        if turn % 2:
            frames = [np.ascontiguousarray(frame[:, ::-1]) for frame in frames]
        path = folder / f"{number:04}.mp4"
        codec.encode_frames(frames, path, frame_rate=25, vop_quant=2 + turn // 2)
        rows.append(
            Clip(
                clip=path.name,
                clip_id=path.stem,
                subject=f"s{number % 10}",
                label="ab"[number % 2],
                licence="BSD",
                sha256=sha256_of(path),
                frames=FRAMES,
                frame_rate=Fraction(25),
                apex=FRAMES - 1,
            )
        )
    return Manifest(name="talking", root=folder, classes=("a", "b"), clips=tuple(rows))


def extracted(manifest: Manifest, folder: Path, *, workers: int, kill: bool = False) -> float:
    """Seconds that a cluster of so many workers takes to fill the cache in `folder`.

    Args:
        manifest: The clips.
        folder: An empty cache.
        workers: Processes.
        kill: Whether one of them is killed when half of the clips are done.
    """
    data = experiments.Dataset(manifest=manifest, folder=folder)
    first = Manifest(
        name="warm", root=manifest.root, classes=("a", "b"), clips=manifest.clips[:32]
    )
    with cluster.started(f"local:{workers}"), experiments.processes() as executor:
        warm = experiments.Dataset(manifest=first, folder=folder.with_name(f"{folder.name}-warm"))
        runner.extract([(warm, [SEEN])], executor=executor)
        half = functools.partial(_reached, folder, len(manifest) // 2)
        address = os.environ[cluster.VARIABLE]
        start = time.perf_counter()
        with killing(address, half) if kill else contextlib.nullcontext():
            runner.extract([(data, [SEEN])], executor=executor)
            spent = time.perf_counter() - start
    return spent


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of each entry; what a killed worker left half written is hidden."""
    return {
        path.relative_to(folder).as_posix(): sha256_of(path)
        for path in folder.rglob("*.safetensors")
        if not path.name.startswith(".")
    }


def unlike(folder: Path, reference: dict[str, str]) -> int:
    """How many entries are missing, too many, or of other bytes."""
    found = digests(folder)
    names = found.keys() | reference.keys()
    return sum(found.get(name) != reference.get(name) for name in names)


def campaign(place: Path, count: int, rounds: int) -> Iterator[tuple[str, str, int, float]]:
    """Measures; yields a row's name and unit, the entries gone wrong, and seconds."""
    videos = place / "clips"
    manifest = clips(videos, count)
    data = experiments.Dataset(manifest=manifest, folder=place / "here")
    runner.extract([(data, [SEEN])], executor=_Here())
    reference = digests(place / "here")
    wrong = "failed: entries unlike those of a run without cluster"
    seconds: dict[int, list[float]] = {1: [], 2: []}
    failures = {1: 0, 2: 0}
    for turn, workers in itertools.product(range(rounds), (1, 2)):
        folder = place / f"{workers}-{turn}"
        seconds[workers].append(extracted(manifest, folder, workers=workers))
        failures[workers] += unlike(folder, reference)
    one, two = (float(np.median(seconds[workers])) for workers in (1, 2))
    name = f"extraction of {count} clips"
    yield f"{name}, one worker", f"clips; {wrong}", failures[1], one
    unit = f"clips, {one / two:.2f} times as fast as one; {wrong}"
    yield f"{name}, two workers", unit, failures[2], two
    killed = extracted(manifest, place / "killed", workers=2, kill=True)
    unit = f"clips, {killed / two:.2f} times the time of two that live; {wrong}"
    yield f"{name}, one of two workers killed", unit, unlike(place / "killed", reference), killed


def _reached(folder: Path, count: int) -> bool:
    return len(list((folder / "tensors").glob("*/[0-9a-f]*.safetensors"))) >= count


class _Here:
    """An executor of this process."""

    def submit(self, function, /, *arguments):
        future = Future()
        future.set_result(function(*arguments))
        return future


def main() -> int:
    """Measures, records, prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--dry", action="store_true", help="print only")
    options = parser.parse_args()
    worst = 0
    with tempfile.TemporaryDirectory(prefix="mic-scaling-") as place:
        for name, unit, failures, seconds in campaign(Path(place), options.clips, options.rounds):
            print(f"{name}: {seconds:.1f} s, {failures} failures; {unit}", flush=True)
            worst = max(worst, failures)
            if not options.dry:
                reliability.record(
                    name, unit=unit, count=options.clips, failures=failures, seconds=seconds
                )
    return 1 if worst else 0


if __name__ == "__main__":
    sys.exit(main())

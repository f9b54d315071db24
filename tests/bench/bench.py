"""Times `mic.bitstream` against other readers in one process; see Makefile for how to call it.

Every round runs every contestant once, in an order of its own; a ratio is the median over rounds
of the reference's time divided by the contestant's in the same round, so that a busy machine
slows both. Two clocks: processor time of all threads, which other programs hardly disturb, and
wall time. Written to results/bitstream_speed/, and from there into the pages that show its ratios.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import ratios

import mic.codec
import mic.storage.assets
from mic.publishing import plots
from mic.publishing.report import markdown
from mic.storage import atomic, provenance

# (asset, crop to the target's shape, size, frames): a car's passenger and two faces, close up.
CLIPS = (
    ("carphone", None, (176, 144), 120),
    ("langer", (100, 0, 440, 360), (176, 144), 300),
    ("langer", (80, 0, 480, 360), (320, 240), 300),
    ("langer", (80, 0, 480, 360), (640, 480), 120),
    ("single_face", (80, 0, 480, 360), (640, 480), 72),
    ("langer", None, (1280, 720), 60),
    ("single_face", None, (1280, 720), 60),
    ("langer", None, (1920, 1080), 30),
)
QUANTISERS = (1, 2, 5, 12)
SHORTEST = 0.02  # seconds that a timing takes at least
PAGES = ("native/README.md", "docs/guide/speed.md")


def encoded(folder: Path, clip: tuple, quantiser: int) -> tuple[Path, int]:
    """One clip as `mic.codec` writes it, one group of pictures, and its number of frames."""
    name, crop, size, frames = clip
    path = folder / f"{name}-{size[0]}-{quantiser}.mp4"
    source = itertools.islice(mic.codec.decode(mic.storage.assets.path(name)), frames)
    report = mic.codec.encode_frames(
        source, path, frame_rate=25, crop=crop, size=size, vop_quant=quantiser
    )
    return path, report.frames


def timed(path: Path, rounds: int, seed: int) -> dict[str, np.ndarray]:
    """Seconds of each contestant in each round: (rounds, 2), processor and wall time.

    A short one is called several times a round, so that none is timed below `SHORTEST`.
    """
    # Not above: tables of a grid that is there need none of the other readers.
    from peers import contestants

    order = random.Random(seed)
    functions = contestants()
    calls = {}
    for name, function in functions.items():
        function(path)  # warms caches and allocates
        calls[name] = max(1, round(SHORTEST / once(function, path, 1)[1]))
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in functions}
    for _ in range(rounds):
        names = list(functions)
        order.shuffle(names)
        for name in names:
            seconds[name].append(once(functions[name], path, calls[name]))
    return {name: np.array(values) for name, values in seconds.items()}


def once(function: Callable[[Path], None], path: Path, calls: int) -> tuple[float, float]:
    """Processor and wall seconds of one call, as the mean of `calls` in a row."""
    wall, processor = time.perf_counter(), time.process_time()
    for _ in range(calls):
        function(path)
    processor, wall = time.process_time() - processor, time.perf_counter() - wall
    return processor / calls, wall / calls


def measure(rounds: int, seed: int) -> pd.DataFrame:
    """The whole grid as a table, one row a clip, quantiser and contestant."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for clip in CLIPS:
            for quantiser in QUANTISERS:
                path, frames = encoded(Path(folder), clip, quantiser)
                seconds = timed(path, rounds, seed)
                for name, values in seconds.items():
                    processor, wall = np.median(1e6 * values / frames, 0)
                    ratio, wall_ratio = np.median(seconds[ratios.REFERENCE] / values, 0)
                    rows.append(
                        {
                            "clip": clip[0],
                            "width": clip[2][0],
                            "height": clip[2][1],
                            "vop_quant": quantiser,
                            "frames": frames,
                            "bytes_per_frame": path.stat().st_size / frames,
                            "reader": name,
                            "us_per_frame": processor,
                            "wall_us_per_frame": wall,
                            "ratio": ratio,
                            "wall_ratio": wall_ratio,
                        }
                    )
                print(f"{path.stem}: {frames} frames", flush=True)
    return pd.DataFrame(rows)


def figure(overall: pd.DataFrame) -> plt.Figure:
    """Ratios to the reference with their range over the grid."""
    drawn = plots.intervals(overall, label="reader", value="ratio", reference=1.0)
    axis = drawn.axes[0]
    axis.set_xscale("log")
    ticks = (0.5, 1, 2, 5, 10, 20)
    axis.set_xticks(ticks, [str(tick) for tick in ticks])
    axis.set_xlabel(
        f"processor time of {ratios.REFERENCE} / of the reader: median and range over the grid"
    )
    return drawn


def written(table: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Writes the grid, what it comes to, and a figure; returns the summary."""
    overall = ratios.summary(table)
    frames = {
        "speed_bitstream": table,
        "speed_bitstream_summary": overall,
        "speed_bitstream_sizes": ratios.by_size(table),
        "speed_bitstream_targets": ratios.targets(table),
    }
    for name, frame in frames.items():
        text = frame.to_csv(index=False, float_format="%.4g", lineterminator="\n")
        atomic.write_text(folder / f"{name}.csv", text)
    plots.use_style()
    with atomic.replacing(folder / "speed_bitstream.png") as temporary:
        figure(overall).savefig(temporary, metadata={"Software": None})
    return overall


def side_table(
    doc: str,
    name: str,
    measure: Callable[[int], pd.DataFrame],
    rounds: int,
    *,
    folder: str = "bitstream_speed",
) -> int:
    """The program of a bench beside the grid: measures, writes its table and prints it.

    Args:
        doc: The bench's text, of which `--help` shows the first line.
        name: Of the table.
        measure: Makes the table of so many rounds.
        rounds: Unless `--rounds` says otherwise.
        folder: Of the table, in results/.
    """
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--folder", type=Path, default=provenance.repository() / "results")
    arguments = parser.parse_args()
    table = measure(arguments.rounds)
    text = table.to_csv(index=False, lineterminator="\n")
    target = arguments.folder / folder
    atomic.write_text(target / f"{name}.csv", text)
    provenance.made_by(target, name, command="make bench", rounds=arguments.rounds)
    print(markdown.to_markdown(table))
    return 0


def main() -> int:
    """Measures, writes, prints the summary."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="for results/, and leave the pages alone")
    parser.add_argument("--again", action="store_true", help="tables of the grid that is there")
    arguments = parser.parse_args()
    results_folder = arguments.folder or provenance.repository() / "results"
    folder = results_folder / "bitstream_speed"
    if arguments.again:
        table = pd.read_csv(folder / "speed_bitstream.csv")
    else:
        table = measure(arguments.rounds, arguments.seed)
        facts = {"rounds": arguments.rounds, "seed": arguments.seed}
        provenance.made_by(folder, "speed_bitstream", command="make bench", **facts)
    overall = written(table, folder)
    for page in PAGES if arguments.folder is None else ():
        path = provenance.repository() / page
        atomic.write_text(path, markdown.filled(path.read_text(), results_folder))
    print(markdown.to_markdown(overall))
    return 0


if __name__ == "__main__":
    sys.exit(main())

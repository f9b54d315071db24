"""What two threads are worth, beside what two processors of this machine are worth.

Two processes that share nothing read the same clip side by side, each on one thread: twice the
time of one alone over their time is all that two threads could bring here, where processors may
share caches, memory, or a host with others. Then one process reads with two threads. Wall time,
medians over rounds in which all three take turns. Prints a table, and writes it to
results/bitstream_speed/speed_threads.csv. The machine must be idle.
"""

from __future__ import annotations

import itertools
import multiprocessing
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pandas as pd
from bench import encoded, side_table

import mic.bitstream

CHUNK_BYTES = 2 << 20  # a thread, so that each stays in its cache
# (asset, crop, size, frames)
CLIPS = (
    ("langer", (100, 0, 440, 360), (176, 144), 300),
    ("langer", (80, 0, 480, 360), (320, 240), 300),
    ("langer", (80, 0, 480, 360), (640, 480), 120),
    ("langer", None, (1280, 720), 60),
    ("langer", None, (1920, 1080), 30),
)
QUANTISERS = (2, 5)
SHORTEST = 0.15  # seconds that a timing takes at least


class Reader:
    """Residuals of a whole clip into arrays that are kept, as a training loop holds them."""

    def __init__(self, path: Path, threads: int) -> None:
        self._path, self._threads = path, threads
        self._out: dict[int, tuple[np.ndarray, ...]] = {}

    def seconds(self, times: int) -> float:
        """Wall time of so many readings."""
        start = time.perf_counter()
        for _ in range(times):
            self._read()
        return time.perf_counter() - start

    def _read(self) -> None:
        with mic.bitstream.open(self._path) as stream:
            numbers = np.arange(stream.frame_count)
            size = max(4, CHUNK_BYTES // (3 * stream.width * stream.height)) * self._threads
            for start in range(0, len(numbers), size):
                part = numbers[start : start + size]
                found = stream.residual(part, threads=self._threads, out=self._out.get(len(part)))
                self._out[len(part)] = (found.y, found.cb, found.cr)


def _serve(orders: Connection, path: Path) -> None:
    """Reads as often as it is told, until it is told 0 times."""
    reader = Reader(path, 1)
    reader.seconds(1)  # allocates
    while times := orders.recv():
        orders.send(reader.seconds(times))


def measured(path: Path, rounds: int) -> dict[str, float]:
    """One process over two, and one thread over two: how many times as fast."""
    spawn = multiprocessing.get_context("spawn")
    pairs = [spawn.Pipe() for _ in range(2)]
    processes = [spawn.Process(target=_serve, args=(theirs, path)) for _, theirs in pairs]
    for process in processes:
        process.start()
    two_threads = Reader(path, 2)
    two_threads.seconds(1)
    times = max(2, round(SHORTEST / two_threads.seconds(1)))
    seconds = np.empty((rounds, 3))
    for row in seconds:
        pairs[0][0].send(times)
        row[0] = pairs[0][0].recv()
        start = time.perf_counter()
        for ours, _ in pairs:
            ours.send(times)
        for ours, _ in pairs:
            ours.recv()
        row[1] = time.perf_counter() - start
        row[2] = two_threads.seconds(times)
    for (ours, _), process in zip(pairs, processes, strict=True):
        ours.send(0)
        process.join()
    return {
        "two_processes": round(float(np.median(2 * seconds[:, 0] / seconds[:, 1])), 2),
        "two_threads": round(float(np.median(seconds[:, 0] / seconds[:, 2])), 2),
    }


def measure(rounds: int) -> pd.DataFrame:
    """One row a clip and quantiser."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for clip, quant in itertools.product(CLIPS, QUANTISERS):
            path, _ = encoded(Path(folder), clip, quant)
            width, height = clip[2]
            what = {"clip": clip[0], "width": width, "height": height, "vop_quant": quant}
            rows.append(what | measured(path, rounds))
    return pd.DataFrame(rows)


if __name__ == "__main__":
    sys.exit(side_table(__doc__, "speed_threads", measure, rounds=9))

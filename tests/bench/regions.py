"""Times pictures of a face against libavcodec decoding everything, in one process.

Sixty frames of a face that takes a tenth of the picture; twelve of them, evenly spread, as RGB.
Every round runs both, in a random order; the ratio is the median over rounds of our time divided
by PyAV's in the same round, in processor time. One thread, opening the file included on both
sides. Prints a table, and writes it to results/bitstream_speed/speed_regions.csv.
"""

from __future__ import annotations

import itertools
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pandas as pd
from bench import encoded, side_table

import mic.bitstream

FRAMES, LOOKS = 60, range(0, 60, 5)
# (asset, crop, size, region of a tenth of the picture around the face)
CLIPS = (
    ("langer", (80, 0, 480, 360), (640, 480), (230, 100, 176, 176)),
    ("langer", None, (1280, 720), (500, 180, 304, 304)),
    ("single_face", (80, 0, 480, 360), (640, 480), (230, 100, 176, 176)),
)
QUANTISERS = (2, 5, 10)


def decode_all(path: Path) -> None:
    """PyAV: every frame decoded, the looks converted to RGB, whole."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        for number, frame in enumerate(container.decode(stream)):
            if number in LOOKS:
                frame.reformat(format="rgb24", threads=1).to_ndarray()


def region_only(path: Path, region: mic.bitstream.Region) -> mic.bitstream.Pictures:
    """`mic.bitstream`: the region of the looks, converted to RGB."""
    with mic.bitstream.open(path) as stream:
        found = stream.pictures(LOOKS, region=region)
    for picture in found:
        picture.rgb()
    return found


def paired(first: Callable[[], object], second: Callable[[], object], rounds: int) -> np.ndarray:
    """Processor seconds of both in each round, (rounds, 2)."""
    order = random.Random(0)
    seconds = np.empty((rounds, 2))
    for row in seconds:
        for which in order.sample((0, 1), 2):
            start = time.process_time()
            (first, second)[which]()
            row[which] = time.process_time() - start
    return seconds


def measure(rounds: int) -> pd.DataFrame:
    """One row a clip and quantiser."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for (name, crop, size, region), quant in itertools.product(CLIPS, QUANTISERS):
            path, _ = encoded(Path(folder), (name, crop, size, FRAMES), quant)
            share = region_only(path, region).share
            decode_all(path)
            ours, theirs = paired(
                lambda path=path, region=region: region_only(path, region),
                lambda path=path: decode_all(path),
                rounds,
            ).T
            rows.append(
                {
                    "clip": name,
                    "width": size[0],
                    "height": size[1],
                    "vop_quant": quant,
                    "share_of_picture": round(region[2] * region[3] / (size[0] * size[1]), 3),
                    "share_of_macroblocks": round(share, 3),
                    "ours_ms": round(1e3 * float(np.median(ours)), 2),
                    "pyav_ms": round(1e3 * float(np.median(theirs)), 2),
                    "ratio": round(float(np.median(ours / theirs)), 3),
                }
            )
    return pd.DataFrame(rows)


if __name__ == "__main__":
    sys.exit(side_table(__doc__, "speed_regions", measure, rounds=15))

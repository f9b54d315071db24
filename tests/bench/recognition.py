"""Times `mic predict` against the residual network, once the default, and the `fer` package.

Films of real people in several codecs and sizes. `fer` goes its own way: OpenCV reads every frame,
a detector (Haar cascade, or MTCNN) and the network run on it; its network is run by
`ai-edge-litert`, as ours is. Every round runs all, in a random order; a ratio is the median over
rounds of two times of the same round, in processor time. One thread, networks loaded, opening the
file included. Prints a table, and writes it to results/recognition_speed/recognition_cost.csv.
"""

from __future__ import annotations

import importlib
import importlib.util
import itertools
import random
import sys
import tempfile
import time
import types
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from ai_edge_litert.interpreter import Interpreter
from bench import side_table

import mic
import mic.codec
import mic.storage.assets

# (asset, crop, size, seconds)
CLIPS = (
    ("cremad_hap", None, (480, 360), 2),
    ("cremad_hap", (60, 0, 360, 360), (512, 512), 2),
    ("langer", (260, 0, 360, 360), (512, 512), 5),
    ("single_face", None, (1280, 720), 2),
    ("langer", None, (1280, 720), 5),
)
CODECS = {
    "MPEG-4": {"codec": "mpeg4", "vop_quant": 5},
    "H.264": {"codec": "h264", "vop_quant": 24},
}
LONG = 3.0  # seconds, from which on the frame by frame ways are left out: they cost as per frame


def fer_package() -> types.ModuleType:
    """The package's module `fer.fer`, without TensorFlow and what its videos need."""
    found = importlib.util.find_spec("fer")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("the package fer is not installed: run `make bench`")
    package = types.ModuleType("fer")
    package.__path__ = list(found.submodule_search_locations)
    package.__file__, package.__spec__ = found.origin, found
    sys.modules["fer"] = package
    tensorflow = types.ModuleType("tensorflow")
    tensorflow.lite = types.SimpleNamespace(Interpreter=Interpreter)
    keras = types.ModuleType("tensorflow.keras")
    models = types.ModuleType("tensorflow.keras.models")
    models.load_model = None
    standing_in = {
        "tensorflow": tensorflow,
        "tensorflow.keras": keras,
        "tensorflow.keras.models": models,
    }
    sys.modules |= standing_in
    try:
        return importlib.import_module("fer.fer")
    finally:
        for name in standing_in:  # others ask whether TensorFlow is there
            del sys.modules[name]


def every_frame(recogniser: object, path: Path) -> list[object]:
    """`fer` in its own way."""
    video = cv2.VideoCapture(str(path))
    found = []
    while (read := video.read())[0]:
        found.append(recogniser.detect_emotions(read[1]))
    video.release()
    return found


def seconds_of(ways: dict[str, Callable[[Path], object]], path: Path, rounds: int) -> pd.DataFrame:
    """Processor seconds, one row a round, one column a way."""
    for way in ways.values():
        way(path)
    order, rows = random.Random(0), []
    for _ in range(rounds):
        row = {}
        for name in order.sample(list(ways), len(ways)):
            start = time.process_time()
            ways[name](path)
            row[name] = time.process_time() - start
        rows.append(row)
    return pd.DataFrame(rows)


def films(folder: Path) -> list[tuple[str, Path, float]]:
    """What is timed: codec, file and seconds; CREMA-D's clip also as it is published, in VP6."""
    found = [("VP6", mic.storage.assets.path("cremad_hap"), 2.0)]
    for number, (clip, codec) in enumerate(itertools.product(CLIPS, CODECS)):
        name, crop, size, seconds = clip
        path = folder / f"{number}.mp4"
        video = mic.codec.Video(mic.storage.assets.path(name))
        rate = video.frame_rate
        source = itertools.islice(mic.codec.decode(video.path), round(seconds * float(rate)))
        mic.codec.encode_frames(
            source, path, frame_rate=rate, crop=crop, size=size, **CODECS[codec]
        )
        found.append((codec, path, float(seconds)))
    return found


def measure(rounds: int) -> pd.DataFrame:
    """One row a film."""
    package, rows = fer_package(), []
    haar, mtcnn = package.FER(), package.FER(mtcnn=True)
    ours: dict[str, Callable[[Path], object]] = {
        "mic predict": mic.predict,
        "residual": lambda path: mic.predict(path, network="residual"),
    }
    theirs: dict[str, Callable[[Path], object]] = {
        "haar": lambda path: every_frame(haar, path),
        "mtcnn": lambda path: every_frame(mtcnn, path),
    }
    with tempfile.TemporaryDirectory() as folder:
        for codec, path, seconds in films(Path(folder)):
            short = seconds < LONG
            found = seconds_of(ours | (theirs if short else {}), path, rounds)
            video = mic.codec.Video(path)
            own = found["mic predict"]
            row = {
                "codec": codec,
                "width": video.width,
                "height": video.height,
                "seconds": round(video.duration, 1),
                "ms": round(1e3 * float(own.median()), 1),
                "of_residual": round(float((own / found["residual"]).median()), 2),
            }
            for name in theirs:
                ratio = float((found[name] / own).median()) if short else np.nan
                row[f"fer_{name}_times"] = round(ratio, 1)
            rows.append(row)
            print(row, flush=True)
    return pd.DataFrame(rows)


if __name__ == "__main__":
    cv2.setNumThreads(1)
    sys.exit(
        side_table(__doc__, "recognition_cost", measure, rounds=5, folder="recognition_speed")
    )

"""Whether programs on public loaders get the same arrays from ours, at what cost, by what change.

For each loader: the call as its documentation has it, the same by `mic_bitstream`, and whether the
arrays are identical over a clip. Processor time of both in one process, in a random order, several
rounds; a ratio is the median of theirs divided by ours. Where a loader cannot be installed here,
the arrays are compared with its documented loops, and there is no ratio. Written to
results/adopters/: `python adopters.py`, in the bench's environment (see Makefile).
"""

from __future__ import annotations

import argparse
import difflib
import functools
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import pandas as pd
from bench import encoded
from mvextractor.videocap import VideoCap
from regions import paired
from torchcodec.decoders import VideoDecoder

import mic_bitstream
from mic.publishing.report import markdown
from mic.storage import atomic, provenance
from mic_bitstream import coviar, videocap
from mic_bitstream.vectors import COLUMNS

sys.path.append(str(Path(__file__).resolve().parents[1]))
from oracles.coviar import by_the_sample

# (asset, crop, size, frames) at one quantiser, one group of pictures.
CLIPS = (
    ("langer", (80, 0, 480, 360), (320, 240), 300),
    ("langer", (80, 0, 480, 360), (640, 480), 120),
)
TINY = ("carphone", None, (96, 80), 14)  # for the loops over samples
QUANTISER = 5
DEVIATION = (0.0993703, 0.1130276)  # of Video-LaVIT's vectors

Arrays = Iterator[np.ndarray | None]


class Loader(NamedTuple):
    """A public loader, and what replaces it.

    Attributes:
        name: As it is known.
        before: The lines of a program that use it.
        after: The same lines with ours.
        theirs: Its arrays, one after another; None where it cannot run here.
        ours: Ours.
        note: What a reader of the table has to know.
    """

    name: str
    before: str
    after: str
    theirs: Callable[[Path], Arrays] | None
    ours: Callable[[Path], Arrays]
    note: str


def cap_arrays(kind: type, path: Path, *, pictures: bool) -> Arrays:
    """Pictures (if wanted) and vectors of every frame, by a `VideoCap`."""
    cap = kind()
    assert cap.open(str(path))
    cap.set_decode_frames(pictures)
    while True:
        success, picture, vectors, _ = cap.read()
        if not success:
            cap.release()
            return
        yield picture
        yield vectors


def pyav_vectors(path: Path) -> Arrays:
    """PyAV's exported vectors as rows."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        stream.codec_context.options = {"flags2": "+export_mvs"}
        for frame in container.decode(stream):
            data = frame.side_data.get("MOTION_VECTORS")
            table = np.zeros((0, len(COLUMNS)), np.int32)
            if data is not None:
                found = data.to_ndarray()
                table = np.stack([found[name].astype(np.int32) for name in COLUMNS], 1)
            yield table


def bare_vectors(path: Path) -> Arrays:
    """Our vectors in the same rows, nothing decoded."""
    return (
        array for array in cap_arrays(videocap.VideoCap, path, pictures=False) if array is not None
    )


def lavit_by_cap(path: Path) -> Arrays:
    """The steps of Video-LaVIT's loader on mv-extractor: full map, then the largest of a block."""
    arrays = cap_arrays(VideoCap, path, pictures=True)
    for picture, rows in zip(arrays, arrays, strict=True):
        height, width = picture.shape[:2]
        dense = np.full((height, width, 2), -np.inf)
        moved = rows[:, :1] * rows[:, 7:9] / rows[:, 9:]
        dense[rows[:, 6], rows[:, 5]] = moved / (width, height) / DEVIATION
        pooled = dense.reshape(height // 16, 16, width // 16, 16, 2).max(axis=(1, 3))
        yield np.where(np.isinf(pooled), 0, pooled).astype(np.float32)


def lavit_by_parser(path: Path) -> Arrays:
    """The recipe of docs/recipes.md."""
    motion = mic_bitstream.read(path, what=("motion",)).motion
    count, height, width = motion.types.shape
    vectors = -motion.blocks.reshape(count, height, 2, width, 2, 2) / 4
    field = vectors.max(axis=(2, 4)) / (motion.width, motion.height) / DEVIATION
    field[motion.intra] = 0
    yield from field.astype(np.float32)


def coviar_load(path: Path) -> Arrays:
    """Picture, residual and motion of every frame by `load`."""
    for number in range(coviar.get_num_frames(path)):
        for kind in (0, 2, 1):
            yield coviar.load(path, 0, number, kind, True)


def torchcodec_rgb(path: Path) -> Arrays:
    """RGB pictures, one FFmpeg thread."""
    for frame in VideoDecoder(path, num_ffmpeg_threads=1, seek_mode="approximate"):
        yield frame.permute(1, 2, 0).numpy()


def parser_rgb(path: Path) -> Arrays:
    """RGB pictures, reconstructed by the parser."""
    with mic_bitstream.open(path) as stream:
        for picture in stream.pictures():
            yield picture.rgb()


CAP = "cap = VideoCap()\ncap.open(path)\nsuccess, frame, vectors, kind = cap.read()"
LOADERS = (
    Loader(
        "pytorch-coviar: coviar.load",
        "from coviar import load\nload(path, gop, frame, 2, True)",
        "from mic_bitstream.coviar import load\nload(path, gop, frame, 2, True)",
        None,
        coviar_load,
        "needs an FFmpeg of 2018: compared with its loops; the file's last frame is lost in both",
    ),
    Loader(
        "mv-extractor 2: VideoCap.read",
        f"from mvextractor.videocap import VideoCap\n{CAP}",
        f"from mic_bitstream.videocap import VideoCap\n{CAP}",
        lambda path: cap_arrays(VideoCap, path, pictures=True),
        lambda path: cap_arrays(videocap.VideoCap, path, pictures=True),
        "pictures in BGR and vectors; both decode",
    ),
    Loader(
        "mv-extractor 2: set_decode_frames(False)",
        f"from mvextractor.videocap import VideoCap\n{CAP}",
        f"from mic_bitstream.videocap import VideoCap\n{CAP}",
        lambda path: (a for a in cap_arrays(VideoCap, path, pictures=False) if a is not None),
        bare_vectors,
        "vectors alone: ours decodes nothing",
    ),
    Loader(
        "PyAV: flags2=+export_mvs",
        "box = av.open(path)\n"
        'box.streams.video[0].codec_context.options = {"flags2": "+export_mvs"}\n'
        "for frame in box.decode(video=0):\n"
        '    vectors = frame.side_data["MOTION_VECTORS"].to_ndarray()',
        "cap = VideoCap()\ncap.open(path)\ncap.set_decode_frames(False)\n"
        "while cap.grab():\n    _, _, vectors, _ = cap.retrieve()",
        pyav_vectors,
        bare_vectors,
        "the same ten columns, as a plain array",
    ),
    Loader(
        "Video-LaVIT: extract_motions",
        "motions, kinds = extract_motions(path)\ntokens = down_sample(motions)",
        "motion = mic_bitstream.read(path, what=('motion',)).motion\n"
        "count, h, w = motion.types.shape\n"
        "vectors = -motion.blocks.reshape(count, h, 2, w, 2, 2) / 4\n"
        "field = vectors.max(axis=(2, 4)) / (motion.width, motion.height) / DEVIATION\n"
        "field[motion.intra] = 0",
        lavit_by_cap,
        lavit_by_parser,
        "its steps, written anew on mv-extractor; or one line, as mv-extractor's",
    ),
    Loader(
        "torchcodec: VideoDecoder",
        "for frame in VideoDecoder(path):\n    picture = frame",
        "for picture in stream.pictures():\n    picture = picture.rgb()",
        torchcodec_rgb,
        parser_rgb,
        "not what the parser is for; chroma is interpolated there, repeated here",
    ),
)


def compared(theirs: Arrays, ours: Arrays) -> tuple[int, int]:
    """Numbers compared, and how many of them differ.

    Raises:
        ValueError: One gives more arrays, or another shape.
    """
    total = differ = 0
    for one, other in zip(theirs, ours, strict=True):
        if one is None and other is None:
            continue
        if one.shape != other.shape:
            raise ValueError(f"{one.shape} and {other.shape}")
        total += one.size
        differ += int((one != other).sum())
    return total, differ


def exhaust(loader: Callable[[Path], Arrays], path: Path) -> None:
    """Reads a clip to its end, and keeps nothing."""
    for _ in loader(path):
        pass


def lines_changed(before: str, after: str) -> int:
    """Lines of `after` that are not in `before`."""
    return sum(
        line.startswith("+ ") for line in difflib.ndiff(before.split("\n"), after.split("\n"))
    )


def measure(rounds: int) -> pd.DataFrame:
    """The table, a row a loader and clip."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        tiny, _ = encoded(Path(name), TINY, QUANTISER)
        clips = [encoded(Path(name), clip, QUANTISER)[0] for clip in CLIPS]
        for loader in LOADERS:
            for path in [tiny] if loader.theirs is None else clips:
                theirs = loader.theirs or loops
                total, differ = compared(theirs(path), loader.ours(path))
                row = {
                    "loader": loader.name,
                    "clip": path.stem,
                    "compared": total,
                    "differ": differ,
                    "identical": "yes" if differ == 0 else "no",
                }
                if loader.theirs is not None:
                    seconds = paired(
                        functools.partial(exhaust, loader.theirs, path),
                        functools.partial(exhaust, loader.ours, path),
                        rounds,
                    )
                    ratios = seconds[:, 0] / seconds[:, 1]
                    row |= {
                        "ratio": np.median(ratios),
                        "ratio_low": ratios.min(),
                        "ratio_high": ratios.max(),
                    }
                row |= {
                    "lines": lines_changed(loader.before, loader.after),
                    "note": loader.note,
                }
                rows.append(row)
                print(row, flush=True)
    return pd.DataFrame(rows)


def loops(path: Path) -> Arrays:
    """CoViAR's loader in loops over samples."""
    for picture, residual, motion in by_the_sample(path, True):
        yield from (picture, residual, motion)


def main() -> int:
    """Measures, writes, prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--folder", type=Path, default=provenance.repository() / "results")
    arguments = parser.parse_args()
    table = measure(arguments.rounds)
    folder = arguments.folder / "adopters"
    text = table.to_csv(index=False, float_format="%.4g", lineterminator="\n")
    atomic.write_text(folder / "adopters.csv", text)
    columns = {
        "loader": "public loader and the call that is replaced",
        "clip": "asset, width and quantiser of the clip, coded by libavcodec's mpeg4",
        "compared": "numbers compared, theirs against ours",
        "differ": "of them, how many differ",
        "identical": "whether none does",
        "ratio": "processor time of theirs divided by ours, median over rounds; none where "
        "theirs cannot be installed",
        "ratio_low": "the least of the rounds",
        "ratio_high": "the largest of the rounds",
        "lines": "lines of the program that change",
        "note": "what to know",
    }
    facts = {"rounds": arguments.rounds, "columns": columns}
    provenance.made_by(folder, "adopters", command="make -C tests/bench adopters", **facts)
    print(markdown.to_markdown(table.drop(columns="note")))
    return 0


if __name__ == "__main__":
    sys.exit(main())

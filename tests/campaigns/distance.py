"""How far residuals from decoded pictures are from the coded ones.

    python -m campaigns.distance [--pictures 60] [--folder ../results]      # from tests/

Real faces are coded; of the predicted luma samples of all P-pictures, or of all B-pictures, the
residual of `mic.decoded` is compared with what is coded: MPEG-4 Part 2 by the parser, P-pictures
of H.264 by overwriting the decoder's references (`oracles.overwritten`), its B-pictures by
references that were never coded (`oracles.flat_references`). Written to results/decoded_distance/.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from oracles import flat_references, material, overwritten
from oracles.encoders import ffmpeg

import mic.bitstream
import mic.decoded
from mic.publishing.report import markdown
from mic.storage import atomic, provenance

CLIPS = (("carphone", 144, 176, 0, 0), ("langer", 352, 480, 4, 80))
_X264 = "weightp=0:scenecut=0:keyint=600"
H264 = {
    "1 reference, no loop filter": f"{_X264}:ref=1:partitions=p8x8,i4x4:no-deblock=1",
    "1 reference": f"{_X264}:ref=1:partitions=p8x8,i4x4",
    "3 references, 4x4 partitions": f"{_X264}:ref=3:partitions=all",
}
_B = f"{_X264}:b-adapt=0:b-pyramid=none"
_ONE = f"{_B}:ref=1:weightb=0"
H264_B = {
    "1 reference, no loop filter, 16x16": f"{_ONE}:partitions=none:no-deblock=1",
    "1 reference, no loop filter": f"{_ONE}:partitions=p8x8,b8x8,i4x4:no-deblock=1",
    "1 reference": f"{_ONE}:partitions=p8x8,b8x8,i4x4",
    "3 references, weights, 4x4 partitions": f"{_B}:ref=3:partitions=all",
}
MPEG4 = {"half samples": (), "quarter samples, 4 vectors": ("-flags", "+mv4+qpel")}
QUANTISERS = {"h264": (20, 28, 36), "mpeg4": (2, 5, 12)}


def coded(folder: Path, count: int) -> Iterator[tuple[dict[str, object], Path]]:
    """Every coding of every clip, with what it is."""
    for name, height, width, top, left in CLIPS:
        pictures = material.frames(name, count, height, width, top, left)
        for kind, between, codings in (("P", "0", H264), ("B", "2", H264_B)):
            for (coding, options), quantiser in itertools.product(
                codings.items(), QUANTISERS["h264"]
            ):
                path = ffmpeg(
                    folder / "clip.mkv", pictures, "-c:v", "libx264", "-bf", between,
                    "-qp", str(quantiser), "-x264-params", options,
                )  # fmt: skip
                yield _row(name, "h264", kind, coding, quantiser), path
        for coding, flags in MPEG4.items():
            for quantiser in QUANTISERS["mpeg4"]:
                path = ffmpeg(
                    folder / "clip.mkv", pictures, "-c:v", "mpeg4", "-g", "600",
                    "-q:v", str(quantiser), *flags,
                )  # fmt: skip
                yield _row(name, "mpeg4", "P", coding, quantiser), path


def _row(clip: str, codec: str, kind: str, coding: str, quantiser: int) -> dict[str, object]:
    return {
        "clip": clip,
        "codec": codec,
        "pictures": kind,
        "coding": coding,
        "quantiser": quantiser,
    }


def oracle(path: Path, codec: str, kind: str) -> Iterator[np.ndarray]:
    """The coded luma residual of every picture, saturated to what a picture can show."""
    if codec == "h264":
        of = overwritten if kind == "P" else flat_references
        yield from (planes[0] for planes in of.residuals(path))
        return
    with mic.bitstream.open(path) as stream:
        for block in stream.blocks(size=1):
            yield block.y[0].clip(-255, 255)


def compared(path: Path, codec: str, kind: str) -> dict[str, float]:
    """Correlation and differences over all predicted luma samples of P- or of B-pictures."""
    ours, theirs = [], []
    coded_residual = oracle(path, codec, kind)
    for frame, right in zip(mic.decoded.open(path).frames(), coded_residual, strict=True):
        if frame.kind == kind:
            height, width = frame.y.shape
            inter = ~frame.intra.repeat(8, 0).repeat(8, 1)[:height, :width]
            ours.append(frame.y[inter])
            theirs.append(right[:height, :width][inter])
    found, right = np.concatenate(ours).astype(float), np.concatenate(theirs).astype(float)
    return {
        "samples": found.size,
        "correlation": float(np.corrcoef(found, right)[0, 1]),
        "identical": float((found == right).mean()),
        "mean_difference": float(np.abs(found - right).mean()),
        "mean_coded": float(np.abs(right).mean()),
    }


def measure(count: int) -> pd.DataFrame:
    """One row a coding."""
    with tempfile.TemporaryDirectory() as folder:
        return pd.DataFrame(
            [
                what | compared(path, str(what["codec"]), str(what["pictures"]))
                for what, path in coded(Path(folder), count)
            ]
        )


def main() -> int:
    """Measures, writes, prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=60)
    parser.add_argument("--folder", type=Path, default=provenance.repository() / "results")
    arguments = parser.parse_args()
    table = measure(arguments.pictures)
    text = table.to_csv(index=False, lineterminator="\n", float_format="%.4g")
    target = arguments.folder / "decoded_distance" / "decoded_distance.csv"
    target.parent.mkdir(parents=True, exist_ok=True)
    atomic.write_text(target, text)
    command = "python -m campaigns.distance, from tests/"
    facts = {"pictures": arguments.pictures}
    provenance.made_by(target.parent, target.stem, command=command, **facts)
    print(markdown.to_markdown(table))
    return 0


if __name__ == "__main__":
    sys.exit(main())

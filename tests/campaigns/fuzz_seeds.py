"""Seeds for the fuzzers: headers, single VOPs and whole small clips.

Encoders write the half of them; the others are random valid syntax, with the escapes, ranges of
vectors, steps of the quantiser, header extensions and stuffing that no encoder at hand writes.

The first bytes of each input are what the harness of that name reads before the bitstream.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

from oracles import stream, syntax
from oracles.encoders import Options, ffmpeg, frames, synthetic


def clips() -> list[stream.Clip]:
    """Small clips over the axes of the test matrix."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for number, (four, quarter, mpeg, packets) in enumerate(
            itertools.product((False, True), repeat=4)
        ):
            options = Options(
                width=(16, 33, 48, 96)[number % 4],
                height=(16, 40, 17, 64)[number // 4],
                frames=3 + number % 2,
                b_frames=number % 2 * 2,
                quant=(1, 2, 5, 12, 31)[number % 5],
                four_mv=four,
                quarter_pel=quarter,
                mpeg_quant=mpeg,
                packet_bytes=60 if packets else 0,
                adaptive_quant=number % 3 == 0,
                cut_every=2 if number % 5 == 0 else 0,
                speed=4.0 if number % 2 else 0.7,
                seed=number,
            )
            found.append(stream.load(synthetic(Path(folder), options)))
        pictures = frames(Options(width=48, height=32, frames=3))
        for extra in ((), ("-mpeg_quant", "1"), ("-flags", "+mv4+qpel"), ("-gmc", "1")):
            path = Path(folder) / "xvid.m4v"
            ffmpeg(path, pictures, "-c:v", "libxvid", "-q:v", "4", "-bf", "1", *extra)
            try:
                found.append(stream.load(path))
            except AssertionError:  # the oracle's own parser does not read this feature
                continue
        found += [stream.load(path) for path in random_syntax(Path(folder), count=24)]
    return found


def random_syntax(folder: Path, *, count: int) -> Iterator[Path]:
    """Random valid streams, small enough for the harnesses, one after the other in one file."""
    path = folder / "random.m4v"
    for number in range(count):
        rng = random.Random(number)
        shape = dataclasses.replace(
            syntax.shape(rng),
            width=rng.randint(1, 40),
            height=rng.randint(1, 32),
            vops=rng.randint(2, 3),
            rich=rng.choice([0.05, 0.1, 0.2]),
            fcode=1 + number % 7,
        )
        path.write_bytes(syntax.valid(shape, rng))
        yield path


def layer_bytes(vol: stream.Vol) -> bytes:
    """The layer as `packets.cpp` reads it; 8: B-VOPs find a reference that skips nothing."""
    flags = 8 + vol.quarter_sample + 2 * vol.quant_type + 4 * vol.resync_marker_disable
    return bytes([flags, vol.width - 1, vol.height - 1, vol.time_bits - 1])


def write(folder: Path) -> None:
    """Writes all seeds into `folder`/headers, `folder`/packets and `folder`/clips."""
    for clip in clips():
        save(folder / "headers", bytes([clip.vol.time_bits - 1]) + clip.headers)
        whole = clip.headers
        for number, vop in enumerate(clip.vops):
            save(folder / "headers", bytes([clip.vol.time_bits - 1]) + vop.data[:40])
            scale_and_cut = bytes([number % 4]) + (len(vop.data) * 2 // 3).to_bytes(2, "big")
            save(folder / "packets", layer_bytes(clip.vol) + scale_and_cut + vop.data)
            whole += vop.data
        save(folder / "clips", bytes([len(clip.vops)]) + whole)


def save(folder: Path, data: bytes) -> None:
    """One input, named by its digest as libFuzzer names them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)

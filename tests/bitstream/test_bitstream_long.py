"""The long campaigns: a billion samples, a hundred thousand damages, ten million executions."""

import itertools
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from oracles import compare, decoding, material, matrix, syntax
from oracles.damage import Subject, Tally, damaged
from oracles.encoders import Options, encode, ffmpeg, synthetic

import mic.bitstream
import mic.publishing.reliability
import mic.storage.assets

pytestmark = [pytest.mark.long, pytest.mark.timeout(0)]

REPOSITORY = Path(__file__).resolve().parents[2]
FACES = (("carphone", 120, 144, 176, 0, 0), ("single_face", 72, 360, 480, 0, 80),
         ("langer", 100, 355, 477, 3, 81))  # fmt: skip


def streams(folder: Path):
    """Real faces in every tool and many quantisers, then two more encoders' streams."""
    for number, (face, quant, tools) in enumerate(
        itertools.product(FACES, (1, 2, 5, 12), matrix.TOOLS)
    ):
        options = Options(
            quant=quant,
            gop=(600, 30)[number % 2],
            four_mv=tools[0],
            quarter_pel=tools[1],
            mpeg_quant=tools[2],
            packet_bytes=(0, 0, 400)[number % 3],
            adaptive_quant=number % 5 == 0,
        )
        yield encode(folder / "face.mp4", material.frames(*face), options)
    for arguments in itertools.product(("1", "3", "9"), ((), ("-flags", "+mv4+qpel")), ("0", "1")):
        quality, flags, mpeg = arguments
        path = folder / "xvid.avi"
        yield ffmpeg(
            path, material.frames("carphone", 120, 144, 176), "-c:v", "libxvid", "-bf", "0",
            "-q:v", quality, "-mpeg_quant", mpeg, *flags,
        )  # fmt: skip
    yield mic.storage.assets.path("psychopy")


def test_a_billion_samples(tmp_path):
    start = time.monotonic()
    total = compare.Counts()
    for path in streams(tmp_path):
        total += compare.residuals(path, threads=2) + compare.motion(path)
    seconds = time.monotonic() - start
    for unit, count, failures in (
        ("residual samples", total.samples, total.differing),
        ("motion vectors", total.vectors, total.differing_vectors),
    ):
        mic.publishing.reliability.record(
            f"exactness of {unit}",
            unit=f"{unit} against libavcodec",
            count=count,
            failures=failures,
            seconds=seconds,
        )
    assert total.samples >= 1_000_000_000
    assert total.differing == total.differing_vectors == 0


def test_five_thousand_streams_of_random_syntax(tmp_path):
    start = time.monotonic()
    total = compare.Counts()
    path = tmp_path / "random.m4v"
    for seed in range(1000, 6000):
        rng = random.Random(seed)
        total += compare.random_syntax(path, syntax.shape(rng), rng, threads=1 + seed % 2)
    mic.publishing.reliability.record(
        "random syntax",
        unit="residual samples and vectors of 5000 random valid streams against libavcodec",
        count=total.samples + total.vectors,
        failures=total.differing + total.differing_vectors,
        seconds=time.monotonic() - start,
    )
    assert total.differing == total.differing_vectors == 0
    assert total.samples > 30_000_000


def test_a_hundred_million_samples_of_pictures(tmp_path):
    start = time.monotonic()
    samples = differing = 0
    rng = np.random.default_rng(11)
    for path in streams(tmp_path):
        right = decoding.pictures(path)
        with mic.bitstream.open(path) as opened:
            found = opened.pictures(threads=2)
            count = decoding.compared(found, right)
            samples, differing = samples + count[0], differing + count[1]
            for _ in range(12):
                chosen = rng.integers(opened.frame_count, size=6).tolist()
                regions = [decoding.region(rng, opened.width, opened.height) for _ in chosen]
                found = opened.pictures(chosen, region=regions)
                count = decoding.compared(found, right)
                samples, differing = samples + count[0], differing + count[1]
    mic.publishing.reliability.record(
        "exactness of pictures",
        unit="samples of whole pictures and random regions against libavcodec",
        count=samples,
        failures=differing,
        seconds=time.monotonic() - start,
    )
    assert samples >= 100_000_000
    assert differing == 0


def test_a_hundred_thousand_damages(tmp_path):
    start = time.monotonic()
    tally = Tally()
    rng = random.Random(7)
    for round_number in range(100):
        whole = round_number % 2  # macroblocks, which sums are judged in
        options = Options(
            width=16 * rng.randrange(2, 5) if whole else rng.randrange(17, 70),
            height=16 * rng.randrange(1, 4) if whole else rng.randrange(16, 60),
            frames=3,
            quant=rng.choice([1, 2, 3, 5, 12]),
            four_mv=rng.random() < 0.5,
            quarter_pel=rng.random() < 0.5,
            mpeg_quant=rng.random() < 0.5,
            packet_bytes=rng.choice([0, 40, 90]),
            noise=rng.choice([1.0, 8.0]),
            seed=round_number,
        )
        subject = Subject(synthetic(tmp_path, options), tmp_path / "damaged.m4v")
        for _ in range(1000):
            subject.judge(damaged(subject.data, len(subject.headers), rng), cut=False, tally=tally)
    mic.publishing.reliability.record(
        "random damages",
        unit="damaged streams; failed: an unmarked wrong sample that the syntax could tell",
        count=tally.damages,
        failures=tally.wrong,
        seconds=time.monotonic() - start,
    )
    mic.publishing.reliability.record(
        "random damages, valid syntax",
        unit=f"of {tally.damages} damaged streams, no syntax check can see",
        count=tally.valid,
        failures=0,
        seconds=time.monotonic() - start,
    )
    assert tally.damages == 100_000
    assert tally.wrong == 0


def test_ten_million_executions():
    command = [sys.executable, "-m", "campaigns.fuzzing", "--seconds", "1500", "--record"]
    folder = REPOSITORY / "native" / "fuzz"
    subprocess.run(["make", "-s", "-C", folder, "binaries"], check=True)
    done = subprocess.run(
        command, cwd=REPOSITORY / "tests", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    executions = sum(int(line.split()[1]) for line in done.stdout.splitlines())
    assert executions >= 10_000_000

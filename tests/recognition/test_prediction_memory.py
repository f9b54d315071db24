"""Memory of `mic predict` does not grow with the video; the first answer comes at once."""

import json
import subprocess
import sys
from fractions import Fraction

import av
import peaks
import pytest
import recogniser_factory

from mic import codec
from mic.publishing import reliability
from mic.storage import assets

# A process of its own, because the highest memory of a process never falls again.
_PROBE = """
import json, sys, time
from mic import recognition as prediction
from mic.recognition.recogniser import Recogniser
video, weights, hop = sys.argv[1], sys.argv[2], float(sys.argv[3])
recogniser = Recogniser.load(weights, device="cpu")
start, first, rows = time.perf_counter(), None, 0
for window in prediction.windows(video, recogniser, options=prediction.Options(hop=hop)):
    first, rows = first or time.perf_counter() - start, rows + 1
facts = {"peak": peak(), "first": first, "rows": rows, "method": window.method,
         "seconds": time.perf_counter() - start}
print(json.dumps(facts))
"""


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A real talking face, 120 frames in one group, to be looped."""
    path = tmp_path_factory.mktemp("clip") / "carphone.mp4"
    # Its samples are square then, and its bitstream can be read as it is.
    codec.reencode(assets.path("carphone"), path, size=(176, 144))
    return path


def _looped(clip, target, *, minutes):
    """The clip's packets over and over: real coded video of any length, made in a moment."""
    with av.open(clip) as source, av.open(target, "w") as looped:
        stream = looped.add_stream_from_template(source.streams.video[0])
        packets = [bytes(p) for p in source.demux(video=0) if p.size]
        for number in range(minutes * 60 * 30):
            packet = av.Packet(packets[number % len(packets)])
            packet.pts = packet.dts = number
            packet.time_base = Fraction(1, 30)
            packet.is_keyframe = number % len(packets) == 0
            packet.stream = stream
            looped.mux(packet)
    return target


def _measured(video, weights, *, hop):
    done = subprocess.run(
        [sys.executable, "-c", peaks.SOURCE + _PROBE, str(video), str(weights), str(hop)],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def _compare(clip, folder, *, minutes, hop):
    weights = recogniser_factory.write(folder)
    short = _measured(_looped(clip, folder / "short.mp4", minutes=1), weights, hop=hop)
    long = _measured(_looped(clip, folder / "long.mp4", minutes=minutes), weights, hop=hop)
    assert short["method"] == long["method"] == "bitstream"
    assert long["rows"] >= minutes * short["rows"] > 0
    return short, long


def test_five_minutes_take_the_memory_of_one(clip, tmp_path):
    short, long = _compare(clip, tmp_path, minutes=5, hop=20.0)
    assert long["peak"] < 1.1 * short["peak"]


@pytest.mark.long
def test_an_hour_takes_the_memory_of_a_minute(clip, tmp_path):
    short, long = _compare(clip, tmp_path, minutes=60, hop=10.0)
    reliability.record(
        "memory of predict, 60 minutes over 1",
        unit="% of the peak",
        count=round(100 * long["peak"] / short["peak"]),
        failures=int(long["peak"] >= 1.2 * short["peak"]),
        seconds=long["seconds"],
    )
    assert long["peak"] < 1.2 * short["peak"]

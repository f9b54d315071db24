"""AV1 as the other codecs: one keyframe, equal bytes, nothing on stderr."""

import os
import subprocess
import sys

import numpy as np
import pytest

from mic import codec
from mic.errors import ConfigError


def test_av1_has_one_keyframe_however_long_and_the_same_bytes_each_time(tmp_path):
    frames = [np.full((32, 32), 90 + number % 7, np.uint8) for number in range(200)]
    targets = [tmp_path / name for name in ("a.mkv", "b.mkv")]
    options = {"frame_rate": 25, "codec": "av1", "vop_quant": 40}
    reports = [codec.encode_frames(frames, target, **options) for target in targets]
    assert [report.keyframes for report in reports] == [1, 1]
    assert targets[0].read_bytes() == targets[1].read_bytes()
    assert len(list(codec.decode(targets[0], pixel_format="luma"))) == 200
    with pytest.raises(ConfigError, match="must be 1 to 63"):
        codec.encode_frames(frames, targets[0], frame_rate=25, codec="av1", vop_quant=0)


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="no such policies here")
def test_an_encoder_is_silent_and_leaves_the_scheduling_of_the_process_alone(tmp_path):
    """In a process of its own: libsvtav1 asks once what to print, and others may ask before us."""
    program = (
        "import os, sys, threading, numpy as np\n"
        "from mic import codec\n"
        "seen = set()\n"
        "def look():\n"
        "    for thread in os.listdir('/proc/self/task'):\n"
        "        seen.add(os.sched_getscheduler(int(thread)))\n"
        "def frames():\n"
        "    for k in range(8):\n"
        "        yield np.full((64, 64, 3), 20 * k, np.uint8)\n"
        "        look()\n"
        "codec.encode_frames(frames(), sys.argv[1], codec='av1', frame_rate=25, vop_quant=30)\n"
        "look()\n"
        "print(seen == {os.SCHED_OTHER}, os.sched_getscheduler(0) == os.SCHED_OTHER)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "clip.mp4")]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout == "True True\n"
    assert done.stderr == "", "a notebook's kernel may write nothing to stderr"

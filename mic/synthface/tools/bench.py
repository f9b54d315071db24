"""How fast clips are made, and how long the default profile's take.

    python -m mic.synthface.tools.bench

Prints one CSV row a protocol: clips of the default profile, their frames, processor time per frame
and clips per processor second of a small subset, and the minutes that all clips take on two cores.
Processor time does not count waiting, but busy neighbours still slow it by sharing caches and
cores: measure on a quiet machine.
"""

from __future__ import annotations

import csv
import sys
import tempfile
import time
from pathlib import Path

from mic import config
from mic.synthface.generate import generate
from mic.synthface.protocols import protocol, take

_CLIPS = {"synth-ck": 12, "synth-mmi": 6, "synth-afew": 8, "synth-avec": 2}
COLUMNS: tuple[str, ...] = (
    "protocol",
    "clips",
    "frames",
    "ms_per_frame",
    "clips_per_second",
    "minutes_two_cores",
)


def measure() -> list[dict[str, object]]:
    """One row a protocol of the default profile; see the module."""
    profile = config.load("default")
    wanted = {
        "synth-ck": profile.ck_clips,
        "synth-mmi": profile.mmi_clips,
        "synth-afew": profile.afew_clips,
        "synth-avec": profile.avec_subjects,
    }
    rows = []
    for name, clips in wanted.items():
        plans = take(protocol(name).plan(profile.seed, profile.avec_seconds), clips)
        frames = sum(plan.frames for plan in plans)
        with tempfile.TemporaryDirectory(prefix="mic-bench-") as folder:
            # The first clip also pays for what is computed once a process.
            size, long = profile.size, float(min(profile.avec_seconds, 4))
            generate(name, Path(folder, "warm"), subset=1, size=size, seconds=long)
            begin = time.process_time()
            made = generate(
                name, Path(folder, "timed"), subset=_CLIPS[name], size=size, seconds=long
            )
            spent = time.process_time() - begin
        per_frame = spent / sum(clip.frames for clip in made)
        total = per_frame * frames
        values = (name, clips, frames, 1000 * per_frame, clips / total, total / 120)
        rows.append(
            {
                column: round(value, 2) if isinstance(value, float) else value
                for column, value in zip(COLUMNS, values, strict=True)
            }
        )
    return rows


if __name__ == "__main__":
    writer = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(measure())

"""Kills a stage at random moments, lets it resume, and holds what it publishes byte for byte."""

import dataclasses
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from campaigns.stages import Stage


@dataclasses.dataclass
class Tally:
    """What a campaign saw.

    Attributes:
        kills: Processes killed while they worked.
        resumed: Runs that came to their end after kills before them.
        failures: What was wrong, a sentence each.
        seconds: Wall time.
    """

    kills: int = 0
    resumed: int = 0
    failures: list[str] = dataclasses.field(default_factory=list)
    seconds: float = 0.0


def published(stage: Stage, work: Path) -> dict[str, bytes]:
    """Names and bytes of what a stage publishes; nothing half written may be among it."""
    found = {}
    for pattern in stage.published:
        for path in work.glob(pattern):
            if path.is_file() and not path.name.startswith("."):
                found[path.relative_to(work).as_posix()] = path.read_bytes()
    return found


def campaign(stage: Stage, folder: Path, *, kills: int, seed: int) -> Tally:
    """Kills a stage so many times, at moments drawn over its working time.

    Args:
        stage: What is killed.
        folder: Empty, for inputs and work.
        kills: How many; a run that ends before its moment is not counted.
        seed: Of the moments, and of whether the kernels of notebooks survive for a while.
    """
    tally, draw, start = Tally(), random.Random(f"{stage.name}{seed}"), time.monotonic()
    source = folder / "source"
    source.mkdir(parents=True)
    stage.prepare(source)
    expected, spans = {}, []
    for number in range(2):  # the first also warms the disk's cache
        work = folder / f"undisturbed-{number}"
        process = _started(stage, source, work)
        began = _begun(process, work, {})
        process.wait()
        spans.append(time.monotonic() - began)
        _expect(process.returncode == 0, f"the undisturbed run left with {process.returncode}")
        found = published(stage, work)
        _expect(bool(found), "nothing was published")
        _expect(not expected or found == expected, "two undisturbed runs differ")
        expected = found
    work, killed_here = folder / "work", 0
    while tally.kills < kills:
        process = _started(stage, source, work)
        began = _begun(process, work, _stamps(work))
        _sleep_until(began + draw.uniform(0, spans[-1]), process)
        if _killed(process, everything=draw.random() < 0.5):
            tally.kills, killed_here = tally.kills + 1, killed_here + 1
            if tally.kills < kills:
                continue
            process = _started(stage, source, work)
            process.wait()
        _judge(stage, work, process, expected, tally, killed_here)
        shutil.rmtree(work)
        killed_here = 0
    tally.seconds = time.monotonic() - start
    return tally


def _judge(
    stage: Stage,
    work: Path,
    process: subprocess.Popen,
    expected: dict[str, bytes],
    tally: Tally,
    killed: int,
) -> None:
    tally.resumed += killed > 0
    after = f"{stage.name}, after {killed} kills"
    if process.returncode != 0:
        words = (work.parent / "stderr").read_text()[-500:]
        tally.failures.append(f"{after}: left with {process.returncode}: {words}")
        return
    found = published(stage, work)
    for name in sorted(expected.keys() | found.keys()):
        if found.get(name) != expected.get(name):
            what = "differs" if name in found and name in expected else "lost or double"
            tally.failures.append(f"{after}: {name}: {what}")


def _started(stage: Stage, source: Path, work: Path) -> subprocess.Popen:
    work.mkdir(exist_ok=True)
    with (work.parent / "stderr").open("w") as stderr:
        return subprocess.Popen(
            [sys.executable, *stage.arguments(source, work)],
            env=stage.environment(work),
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,
        )


def _begun(process: subprocess.Popen, work: Path, before: dict[str, int]) -> float:
    """The moment at which the process has changed something in its folder, or has ended."""
    while process.poll() is None and _stamps(work) == before:
        time.sleep(0.002)
    return time.monotonic()


def _stamps(work: Path) -> dict[str, int]:
    found = {}
    for root, _, names in os.walk(work):
        for name in names:
            path = Path(root, name)
            try:
                found[str(path)] = path.stat().st_mtime_ns
            except FileNotFoundError:  # a temporary file, gone already
                found[str(path)] = 0
    return found


def _sleep_until(moment: float, process: subprocess.Popen) -> None:
    while process.poll() is None and time.monotonic() < moment:
        time.sleep(0.001)


def _killed(process: subprocess.Popen, *, everything: bool) -> bool:
    """Kills the process group; `everything` also those who left it, as a power cut would.

    Otherwise they notice the death of their parent by themselves, a while later.
    """
    if process.poll() is not None:
        return False
    try:
        family = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for child in family if everything else ():
        try:
            child.kill()
        except psutil.NoSuchProcess:
            continue
    _expect(not psutil.wait_procs(family, timeout=600)[1], "a child outlived its parent")
    return process.returncode == -signal.SIGKILL


def _expect(holds: bool, words: str) -> None:
    if not holds:
        raise AssertionError(words)

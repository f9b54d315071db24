"""The speed study's tables: who needs how long, for what, and what it is worth."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mic.config import Profile
from mic.inputs.tensors import Kind, Representation
from mic.peers import PEERS
from mic.processes.workers import torch_threads
from mic.speed import measure, pipelines
from mic.speed.clips import TimedClip
from mic.speed.contestants import Contestant, scale_for
from mic.speed.pipelines import Answer

STAGES = ("demux", "parse", "decode", "colour", "face detection", "network")
# Runs of a method one after another, by `burst`: a user has more than one clip.
BURST = 3
PARTS = ("demux", "entropy", "transform", "accumulation", "colour")

_CLIP = {
    "width": "of the clip, samples",
    "height": "of the clip, samples",
    "frames": "of the clip",
}
# What the columns mean of `method_table`: on one clip, over several, and in batches.
METHODS: Mapping[str, str] = {
    "method": "row",
    "engine": "what runs the network",
    "domain": "what it reads",
    "threads": "of parser or decoder and network",
    **_CLIP,
    "parameters": "of the network; 0 where not known",
    "ms_per_clip": "wall-clock milliseconds from file to label, median",
    "fps": "frames of the clip a second",
    "realtime": "times the clip's own frame rate",
    "relative": "times as long as MIC, median of the rounds",
    "cpu_ms": "CPU milliseconds a clip, all threads, median",
    "relative_cpu": "times MIC's CPU time, median of the rounds",
    "relative_cpu_low": "the same, first quartile of the rounds",
    "relative_cpu_high": "its third quartile",
    "memory_mb": "peak resident memory above that before, MiB",
    **{f"{s.replace(' ', '_')}_ms": f"wall-clock milliseconds: {s}" for s in STAGES},
}
SIZES: Mapping[str, str] = {
    "method": "row",
    "domain": "what it reads",
    **_CLIP,
    "ms_per_clip": "wall-clock milliseconds from file to label, median",
    "fps": "frames of the clip a second",
    "realtime": "times the clip's own frame rate",
    "relative": "times as long as MIC, median of the rounds",
    "cpu_ms": "CPU milliseconds a clip, median",
    "relative_cpu": "times MIC's CPU time, median of the rounds",
    "relative_cpu_low": "the same, first quartile of the rounds",
    "relative_cpu_high": "its third quartile",
}
DATASETS: Mapping[str, str] = {"dataset": "whose clip of median length it is", **SIZES}
BATCHES: Mapping[str, str] = {
    "method": "row",
    "engine": "what runs the network",
    "batch": "clips a run",
    "ms_per_clip": "wall-clock milliseconds a clip from file to label, median",
    "fps": "frames a second",
    "relative": "times MIC's at the same batch and engine",
    "cpu_ms": "CPU milliseconds a clip, median",
    "relative_cpu": "times MIC's CPU time at the same batch and engine",
}
# And of `parts_table`.
PARTS_COLUMNS: Mapping[str, str] = {
    "domain": "what is taken from the stream",
    **_CLIP,
    "demux_ms": "CPU milliseconds a clip: open, read, index",
    "entropy_ms": "entropy decoding (decoder: and motion compensation)",
    "transform_ms": "inverse transform, at the network's scale or full (decoder)",
    "accumulation_ms": "sums over frames, along the motion or not",
    "colour_ms": "to RGB, of the sampled frames (decoder: and scaled)",
    "floor_ms": "opening and entropy decoding of as many frames; empty for the decoder",
}


def method_table(
    clip: TimedClip,
    who: Sequence[Contestant],
    *,
    rounds: int,
    threads: int = 1,
    batch: int = 1,
    reference: str = "MIC",
    memory: bool = True,
) -> pd.DataFrame:
    """One line a method: end-to-end time, rate, CPU, memory, stages.

    Args:
        clip: What is read, `batch` times over.
        who: The methods.
        rounds: Timed runs of each.
        threads: That torch may use; the contestants know their own.
        batch: Clips a run; times are a clip's.
        reference: The row that is 1.
        memory: Whether memory is measured too, in one more run of each.

    Returns:
        Columns method, engine, domain, threads, batch, width, height, frames, parameters,
        ms_per_clip, fps (frames of the clip a second), realtime (times the clip's own rate),
        relative (times the reference's time), cpu_ms (CPU time a clip), relative_cpu with its
        quartiles over the rounds (`_low`, `_high`), memory_mb (peak above what was resident
        before), and one column `..._ms` for each of `STAGES`.
    """
    tasks = {one.row: pipelines.on([clip.path] * batch, one.answer) for one in who}
    with torch_threads(threads):
        timings = measure.interleaved(tasks, rounds=rounds, burst=burst(rounds))
        peaks = dict.fromkeys(tasks, float("nan"))
        if memory:
            with measure.only_new_garbage():
                for row, task in tasks.items():
                    peaks[row] = measure.peak_memory(functools.partial(task, measure.Stopwatch()))
    wall = measure.medians(timings) / batch
    cpu = measure.medians(timings, column="cpu_seconds") / batch
    relative = measure.ratios(timings, reference)
    relative_cpu = measure.ratios(timings, reference, column="cpu_seconds")
    middle = measure.middle_half(timings, reference, column="cpu_seconds")
    lines = []
    for one in who:
        seconds = wall.loc[one.row, measure.TOTAL]
        fps = clip.frames / seconds
        lines.append(
            {
                "method": one.row,
                "engine": one.engine,
                "domain": one.domain,
                "threads": threads,
                "batch": batch,
                "width": clip.width,
                "height": clip.height,
                "frames": clip.frames,
                "parameters": one.parameters,
                "ms_per_clip": 1e3 * seconds,
                "fps": fps,
                "realtime": fps / clip.frame_rate,
                "relative": relative[one.row],
                "cpu_ms": 1e3 * cpu.loc[one.row, measure.TOTAL],
                "relative_cpu": relative_cpu[one.row],
                "relative_cpu_low": middle.loc[one.row, "low"],
                "relative_cpu_high": middle.loc[one.row, "high"],
                "memory_mb": peaks[one.row] / 2**20,
            }
            | {
                f"{stage.replace(' ', '_')}_ms": 1e3 * wall.loc[one.row].get(stage, 0.0)
                for stage in STAGES
            }
        )
    return pd.DataFrame(lines)


def parts_table(clip: TimedClip, *, rounds: int, steps: int = 16) -> pd.DataFrame:
    """What parsing and decoding are made of, in milliseconds of CPU a clip.

    Returns:
        Columns domain, width, height, frames, one column `..._ms` for each of `PARTS`, and
        floor_ms: opening the file and decoding the entropy code of as many frames, without which
        nobody gets there. Lines: the sampled frames of the compressed domain, running sums and
        accumulated residuals over all its frames, libavcodec's decoding of all frames in full and
        at the reduced size (whose entropy part has the motion compensation).
    """
    scale = scale_for(clip)
    parsing, decoding = ("open", "modes", "planes", "sums", "rgb"), ("demux", "entropy", "all")
    rows: dict[str, tuple[dict[str, Answer], tuple[str, ...]]] = {}
    kinds: dict[str, Kind] = {
        "residuals, sampled frames": "raw",
        "running sums": "running",
        "accumulated residuals": "accumulated",
    }
    for title, kind in kinds.items():
        seen = Representation(kind=kind, steps=steps, scale=scale)
        rows[title] = (pipelines.parsing_split(seen), parsing)
    for title, reduced in (("decoded frames", False), ("decoded at reduced size", True)):
        split = pipelines.decoding_split(steps=steps, scale=scale, reduced=reduced)
        rows[title] = (split, (*decoding, "all", "rgb"))
    tasks = {
        f"{title} {name}": pipelines.on([clip.path], answer)
        for title, (split, _) in rows.items()
        for name, answer in split.items()
    }
    timings = measure.interleaved(tasks, rounds=rounds, burst=burst(rounds))
    total = 1e3 * measure.medians(timings, column="cpu_seconds")[measure.TOTAL]
    lines = []
    for title, (_, chain) in rows.items():
        first, *rest = (total[f"{title} {name}"] for name in chain)
        steps_ = [first, *np.diff([first, *rest]).clip(0)]
        lines.append(
            {
                "domain": title,
                "width": clip.width,
                "height": clip.height,
                "frames": clip.frames,
                **{f"{part}_ms": float(ms) for part, ms in zip(PARTS, steps_, strict=True)},
                "floor_ms": total[f"{title} modes"] if "modes" in chain else float("nan"),
            }
        )
    return pd.DataFrame(lines)


@dataclass(frozen=True, kw_only=True)
class Scope:
    """How much is timed.

    Attributes:
        main: Width, height and frames of the clip that everybody is timed on.
        grid: The clips that some are timed on, sizes and lengths.
        threads: That everybody is timed with.
        rounds: Timed runs of each.
        peers: Keys of `PEERS`.
        followed: Those of the peers that are timed on every clip.
        batches: Clips a run of the network alone.
        together: Clips a run from file to label.
    """

    main: tuple[int, int, int]
    grid: tuple[tuple[int, int, int], ...]
    threads: tuple[int, ...]
    rounds: int
    peers: tuple[str, ...]
    followed: tuple[str, ...]
    batches: tuple[int, ...]
    together: tuple[int, ...]


def burst(rounds: int) -> int:
    """Runs a round: one where nothing but a single round is taken, whose times nobody quotes."""
    return BURST if rounds > 1 else 1


def counted(text: str, scope: Scope, config: Profile) -> str:
    """A caption that ends with how often everything was timed, the weights' seed and the profile.

    Args:
        text: What the table shows: a sentence with its full stop.
        scope: What is timed.
        config: The profile.
    """
    rounds = f"{scope.rounds} round{'' if scope.rounds == 1 else 's'}"
    runs = f"{burst(scope.rounds)} run{'' if burst(scope.rounds) == 1 else 's'}"
    return f"{text} {rounds} of {runs} each; seed {config.seed}; profile {config.name}."


def scope(config: Profile) -> Scope:
    """A small study for `smoke`, everything otherwise."""
    if config.name == "smoke":
        return Scope(
            main=(112, 112, 20),
            grid=((64, 64, 12), (112, 112, 12), (64, 64, 20)),
            threads=(1,),
            rounds=1,
            peers=("fan", "coviar", "residual-transformer"),  # one of each input; no ONNX form
            followed=("fan",),
            batches=(1, 2),
            together=(2,),
        )
    sizes = ((112, 112), (224, 224), (320, 240), (640, 480))
    return Scope(
        main=(224, 224, 100),
        grid=(*((*size, 100) for size in sizes), (224, 224, 30), (224, 224, 300)),
        threads=(1, 2),
        rounds=config.repeats,
        peers=tuple(PEERS),
        followed=("cnn-lstm", "mode-vlstm", "fan", "voting"),
        batches=(1, 8, 32),
        together=(1, 8),
    )

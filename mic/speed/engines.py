"""The network alone: the same weights on each engine, in full precision and in eight bits."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from mic import export
from mic.errors import ConfigError
from mic.processes.workers import torch_threads
from mic.speed import measure, pipelines

COLUMNS: Mapping[str, str] = {
    "method": "row",
    "engine": "what runs the network",
    "threads": "of the engine",
    "batch": "clips a run",
    "ms_per_clip": "wall-clock milliseconds, median",
    "cpu_ms": "CPU milliseconds, median",
    "relative": "times torch at the first batch size",
    "file_mb": "size of the file, MiB; empty for torch",
}


def engine_table(
    networks: Mapping[str, nn.Module],
    folder: str | Path,
    *,
    size: tuple[int, int] = (64, 64),
    steps: int = 16,
    batches: Sequence[int] = (1, 8, 32),
    rounds: int = 5,
    threads: int = 1,
    seed: int = 0,
) -> pd.DataFrame:
    """The network alone, on each engine and at several batch sizes.

    Args:
        networks: By row; without motion.
        folder: For the exported files.
        size: Height and width of the input.
        steps: Frames a clip.
        batches: Clips a run.
        rounds: Timed runs.
        threads: Of the engine.
        seed: Of the input.

    Returns:
        One row a network, engine and batch size; columns: `COLUMNS`.
    """
    random = np.random.default_rng(seed)
    clips = random.integers(-40, 40, (max(batches), steps, 3, *size), dtype=np.int16)
    lines = []
    for number, (row, network) in enumerate(networks.items()):
        runners, files = {"torch": pipelines.torch_runner(network)}, {}
        if torch.cuda.is_available():
            runners["torch, cuda"] = pipelines.torch_runner(copy.deepcopy(network), device="cuda")
        path = Path(folder) / f"network-{number}.onnx"
        try:
            files["ONNX Runtime"] = export.export(network, path, size=size, steps=steps)
        except ConfigError:  # no ONNX form: torch alone
            pass
        else:
            files["ONNX Runtime, int8"] = export.quantise(
                path, path.with_suffix(".int8.onnx"), [(clips[:4], None)]
            )
        for engine, file in files.items():
            runners[engine] = pipelines.session_runner(export.Session(file, threads=threads))
        tasks = {
            f"{engine}|{batch}": _task(run, clips[:batch])
            for engine, run in runners.items()
            for batch in batches
        }
        with torch_threads(threads):
            timings = measure.interleaved(tasks, rounds=rounds)
        total = measure.medians(timings)[measure.TOTAL]
        busy = measure.medians(timings, column="cpu_seconds")[measure.TOTAL]
        base = total[f"torch|{batches[0]}"] / batches[0]
        for name in tasks:
            engine, batch = name.split("|")
            each = total[name] / int(batch)
            exported = files.get(engine)
            lines.append(
                {
                    "method": row,
                    "engine": engine,
                    "threads": threads,
                    "batch": int(batch),
                    "ms_per_clip": 1e3 * each,
                    "cpu_ms": 1e3 * busy[name] / int(batch),
                    "relative": each / base,
                    "file_mb": exported.stat().st_size / 2**20 if exported else float("nan"),
                }
            )
    return pd.DataFrame(lines)


def _task(run: pipelines.Runner, clips: np.ndarray) -> measure.Task:
    return lambda watch: run(clips, None)

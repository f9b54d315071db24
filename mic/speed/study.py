"""The speed study: who is timed, on which clips, and the tables that come out.

Networks carry random weights: time does not depend on them. Every method runs on the engine that
suits it best, ONNX Runtime where it has an ONNX form.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch

from mic.config import Profile
from mic.datasets.tensors import Representation
from mic.experiments.peers import OUTSIDER
from mic.models.baselines import PEERS, PeerMethod, PeerModel, parameter_count
from mic.models.baselines.outsider import Outsider
from mic.models.expression import ExpressionNetwork
from mic.models.mic import Method
from mic.speed import measure, pipelines
from mic.speed.clips import TimedClip
from mic.speed.pipelines import Answer

CLASSES = 7
PAPER_SIZE = " (paper's size)"
STAGES = ("demux", "parse", "decode", "colour", "face detection", "network")
# Peers whose graphs hold operations without an ONNX form.
_TORCH_ONLY = ("e-convlstm", "flow-cnn")


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """A method as it is timed.

    Attributes:
        row: Its name in the tables.
        answer: File to label.
        engine: What runs the network.
        domain: `compressed` or `pictures`.
        parameters: Of the network, 0 where unknown.
    """

    row: str
    answer: Answer
    engine: str
    domain: str
    parameters: int


def scale_for(clip: TimedClip) -> int:
    """The scale at which a clip is nearest above the 56 samples that networks need."""
    edge = min(clip.width, clip.height)
    return max(scale for scale in (1, 2, 4, 8) if scale == 1 or edge / scale >= 56)


def contestants(
    clip: TimedClip,
    *,
    rows: Mapping[str, Method] | None = None,
    peers: Iterable[str] = tuple(PEERS),
    width: int = 16,
    steps: int = 16,
    threads: int = 1,
    kind: str = "accumulated",
    outsider: bool = True,
    seed: int = 0,
) -> list[Contestant]:
    """All that are timed on a clip.

    Args:
        clip: Decides the sizes that networks see.
        rows: MIC's variants by row; by default MIC, MIC+T and MIC+ResNet6.
        peers: Keys of `PEERS`; those of another paper size are added at that size as well.
        width: Of the peers, as they are trained.
        steps: Frames sampled.
        threads: Of parser, decoder and network.
        kind: MIC's representation; MIC with the papers' raw residuals is always added.
        outsider: Whether the outsider is timed too.
        seed: Of the weights.
    """
    torch.manual_seed(seed)
    if rows is None:
        rows = {
            "MIC": Method(),
            "MIC+T": Method(motion=True),
            "MIC+ResNet6": Method(backbone="resnet6"),
        }
    scale = scale_for(clip)
    seen = Representation(kind=kind, steps=steps, scale=scale)
    found = [
        _mic(row, clip, method, replace(seen, with_motion=method.motion), threads)
        for row, method in rows.items()
    ]
    if kind != "raw" and "MIC" in rows:
        found.append(
            _mic("MIC, raw residuals", clip, rows["MIC"], replace(seen, kind="raw"), threads)
        )
    for name in peers:
        sizes = {"": width, PAPER_SIZE: PEERS[name].paper_width}
        for suffix, wide in sizes.items():
            if suffix == "" or wide != width:
                found.append(_peer(name, clip, wide, suffix, steps, scale, threads))
    if outsider:
        network = Outsider(threads=threads)
        found.append(
            Contestant(
                row=OUTSIDER,
                answer=pipelines.outsider(network, steps=steps, threads=threads),
                engine="LiteRT",
                domain="pictures",
                parameters=0,
            )
        )
    return found


def _mic(
    row: str, clip: TimedClip, method: Method, seen: Representation, threads: int
) -> Contestant:
    network = expression_network(method)
    size = _size(clip, seen.scale)
    runner = pipelines.onnx_runner(
        network,
        size=size,
        steps=seen.steps,
        motion_size=_blocks(clip) if method.motion else None,
        threads=threads,
    )
    return Contestant(
        row=row,
        answer=pipelines.compressed(runner, seen, threads=threads),
        engine="ONNX Runtime",
        domain="compressed",
        parameters=parameter_count(network),
    )


def expression_network(method: Method) -> ExpressionNetwork:
    """The expression branch that a method tests with, weights at random."""
    return ExpressionNetwork(
        CLASSES,
        backbone=method.backbone,
        width=method.width,
        feature_size=method.feature_size,
        z_size=method.z_size,
        pooling=method.pooling,
        motion=method.motion,
    ).eval()


def _peer(
    name: str, clip: TimedClip, width: int, suffix: str, steps: int, scale: int, threads: int
) -> Contestant:
    peer = PEERS[name]
    model = PeerModel(PeerMethod(peer=name, width=width), classes=CLASSES).eval()
    size = _size(clip, scale)
    compressed = peer.reads == "compressed"
    if name in _TORCH_ONLY:
        runner, engine = pipelines.torch_runner(model), "torch"
    else:
        runner = pipelines.onnx_runner(
            model,
            size=size,
            steps=steps,
            motion_size=_blocks(clip) if compressed else None,
            threads=threads,
        )
        engine = "ONNX Runtime"
    if compressed:
        seen = Representation(kind="fusion", steps=steps, scale=scale, with_motion=True)
        answer = pipelines.compressed(runner, seen, threads=threads)
    else:
        answer = pipelines.pictures(runner, steps=steps, size=size, threads=threads)
    return Contestant(
        row=peer.title + suffix,
        answer=answer,
        engine=engine,
        domain=peer.reads,
        parameters=parameter_count(model),
    )


def _size(clip: TimedClip, scale: int) -> tuple[int, int]:
    return -(-clip.height // scale), -(-clip.width // scale)


def _blocks(clip: TimedClip) -> tuple[int, int]:
    """Motion vectors come per 8x8 block of whole macroblocks."""
    return 2 * -(-clip.height // 16), 2 * -(-clip.width // 16)


def method_table(
    clip: TimedClip,
    who: Sequence[Contestant],
    *,
    rounds: int,
    threads: int = 1,
    reference: str = "MIC",
    memory: bool = True,
) -> pd.DataFrame:
    """One line a method: end-to-end time, rate, CPU, memory, stages.

    Returns:
        Columns method, engine, domain, threads, width, height, frames, parameters,
        ms_per_clip, fps (frames of the clip a second), realtime (times the clip's own rate),
        relative (times the reference's time), cpu_ms (CPU time a clip), relative_cpu, memory_mb
        (peak above what was resident before), and one column `..._ms` for each of `STAGES`.
    """
    tasks = {one.row: pipelines.on(clip.path, one.answer) for one in who}
    with pipelines.torch_threads(threads):
        timings = measure.interleaved(tasks, rounds=rounds)
        peaks = {
            row: measure.peak_memory(lambda task=task: task(measure.Stopwatch()))
            if memory
            else float("nan")
            for row, task in tasks.items()
        }
    wall, cpu = measure.medians(timings), measure.medians(timings, column="cpu_seconds")
    relative = measure.ratios(timings, reference)
    relative_cpu = measure.ratios(timings, reference, column="cpu_seconds")
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
                "memory_mb": peaks[one.row] / 2**20,
            }
            | {
                f"{stage.replace(' ', '_')}_ms": 1e3 * wall.loc[one.row].get(stage, 0.0)
                for stage in STAGES
            }
        )
    return pd.DataFrame(lines)


def parts_table(clip: TimedClip, *, rounds: int, steps: int = 16) -> pd.DataFrame:
    """What parsing and decoding are made of, in milliseconds a clip.

    Returns:
        Columns domain, width, height, frames, demux_ms, entropy_ms, transform_ms, colour_ms;
        one line for the sampled frames of the compressed domain, one for all its frames, one for
        libavcodec's decoding of all frames (whose entropy part has the motion compensation).
    """
    scale = scale_for(clip)
    tasks: dict[str, Answer] = {}
    for kind in ("raw", "all"):
        seen = Representation(kind=kind, steps=steps, scale=scale)
        tasks |= {f"{kind} {n}": a for n, a in pipelines.parsing_split(seen).items()}
    tasks |= {f"decoder {n}": a for n, a in pipelines.decoding_split(scale=scale).items()}
    timings = measure.interleaved(
        {name: pipelines.on(clip.path, answer) for name, answer in tasks.items()}, rounds=rounds
    )
    total = 1e3 * measure.medians(timings)[measure.TOTAL]

    def line(title: str, prefix: str, chain: tuple[str, str, str, str]) -> dict[str, object]:
        first, *rest = (total[f"{prefix} {name}"] for name in chain)
        steps_ = np.diff([first, *rest])
        names = ("entropy_ms", "transform_ms", "colour_ms")
        return {
            "domain": title,
            "width": clip.width,
            "height": clip.height,
            "frames": clip.frames,
            "demux_ms": first,
            **{name: max(0.0, float(part)) for name, part in zip(names, steps_, strict=True)},
        }

    parsing = ("open", "modes", "planes", "rgb")
    return pd.DataFrame(
        [
            line("residuals, sampled frames", "raw", parsing),
            line("residuals, all frames", "all", parsing),
            line("decoded frames", "decoder", ("demux", "entropy", "all", "rgb")),
        ]
    )


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
    """

    main: tuple[int, int, int]
    grid: tuple[tuple[int, int, int], ...]
    threads: tuple[int, ...]
    rounds: int
    peers: tuple[str, ...]
    followed: tuple[str, ...]
    batches: tuple[int, ...]


def scope(config: Profile) -> Scope:
    """A small study for `smoke`, everything otherwise."""
    if config.name == "smoke":
        return Scope(
            main=(112, 112, 20),
            grid=((112, 112, 20), (64, 64, 20), (112, 112, 30)),
            threads=(1,),
            rounds=1,
            peers=("fan", "coviar"),
            followed=("cnn-lstm",),
            batches=(1, 2),
        )
    sizes = ((112, 112), (224, 224), (320, 240), (640, 480))
    return Scope(
        main=(224, 224, 100),
        grid=(*((*size, 100) for size in sizes), (224, 224, 30), (224, 224, 300)),
        threads=(1, 2),
        rounds=config.repeats,
        peers=tuple(PEERS),
        followed=("cnn-lstm", "mode-vlstm", "fan"),
        batches=(1, 8, 32),
    )

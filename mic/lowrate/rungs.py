"""What a rung of the rate ladder delivers of a clip, sent as MPEG-4 and read without pictures."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mic import bitstream, codec
from mic.errors import ConfigError
from mic.inputs.tensors import sampled
from mic.storage import cache

_SENT = cache.Stage(name="lowrate-rung", version=1)


@dataclass(frozen=True, kw_only=True, order=True)
class Rung:
    """An operating point of the sender.

    Attributes:
        factor: Edge lengths are divided by it before coding.
        quantiser: vop_quant of MPEG-4.
    """

    factor: int
    quantiser: int


def sent(path: Path, digest: str, rung: Rung, *, steps: int, edge: int) -> cache.Arrays:
    """What a rung delivers of a clip, computed or from the cache.

    Returns:
        `residual` (steps, 3, edge, edge) int16, accumulated since the I-frame, at frames spread
        evenly; `bits`, `pixels` (samples before down-sampling) and `seconds`, one number each.

    Raises:
        ConfigError: The factor, or the ratio of the sizes, is no power of two up to eight.
    """
    return cache.fetch(
        _SENT,
        inputs=[digest],
        parameters={"rung": rung, "steps": steps, "edge": edge},
        compute=lambda: _send(path, rung, steps, edge),
    )


def _send(path: Path, rung: Rung, steps: int, edge: int) -> dict[str, np.ndarray]:
    info = codec.probe(path)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "sent.mp4"
        report = transmit(path, target, info, rung)
        residual = read(target, steps, edge)
    return {
        "residual": residual,
        "bits": np.array(report.bits),
        "pixels": np.array(info.width * info.height * report.frames),
        "seconds": np.array(report.frames / float(report.frame_rate)),
    }


def transmit(path: Path, target: Path, info: codec.VideoInfo, rung: Rung) -> codec.EncodeReport:
    """Writes to `target` what a rung makes of the clip `path`, of which `info` was probed."""
    size = (info.width // rung.factor, info.height // rung.factor)
    return codec.reencode(path, target, size=size, vop_quant=rung.quantiser)


def read(target: Path, steps: int, edge: int) -> np.ndarray:
    """(steps, 3, edge, edge) int16 residuals of what was received, accumulated since the I-frame.

    Raises:
        ConfigError: The ratio of the sizes is no power of two up to eight.
    """
    with bitstream.open(target) as stream:
        scale, enlarge = max(1, stream.width // edge), max(1, edge // stream.width)
        if stream.width * enlarge != edge * scale or scale not in (1, 2, 4, 8):
            raise ConfigError(
                f"pictures of {stream.width} cannot become maps of {edge}",
                remedy="choose factors and an edge that are powers of two",
            )
        index = sampled(stream.frame_count, steps)
        maps = stream.accumulated(index, scale=scale, space="rgb").pixels
    maps = np.rint(maps).astype(np.int16).repeat(enlarge, 1).repeat(enlarge, 2)
    return np.ascontiguousarray(maps.transpose(0, 3, 1, 2))

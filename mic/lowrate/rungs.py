"""What a rung of the rate ladder delivers of a clip, and what networks see of it.

Two readers of the same bits: residuals accumulated since the I-frame, without any picture, and
decoded pictures less the first, which decode everything.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from mic import bitstream, codec
from mic.errors import ConfigError
from mic.experiments.reencoding import gop_structure
from mic.inputs.tensors import sampled
from mic.storage import cache

_SENT = cache.Stage(name="lowrate-rung", version=2)

Shown = Literal["residuals", "pictures"]


@dataclass(frozen=True, kw_only=True, order=True)
class Rung:
    """An operating point of the sender.

    Attributes:
        factor: Edge lengths are divided by it before coding.
        quantiser: vop_quant of MPEG-4.
    """

    factor: int
    quantiser: int


def sent(
    path: Path, digest: str, rung: Rung, *, steps: int, edge: int, shown: Shown = "residuals"
) -> cache.Arrays:
    """What a rung delivers of a clip, computed or from the cache.

    Args:
        path: The clip.
        digest: Its SHA-256.
        rung: Size and quantiser.
        steps: Frames that are read, spread evenly.
        edge: Of the maps, in samples.
        shown: What the maps are: residuals accumulated since the I-frame, or decoded pictures
            less the first.

    Returns:
        `maps` (steps, 3, edge, edge) int16 in RGB; `bits` of all VOPs, `intra_bits` of the first,
        `pixels` (samples before down-sampling) and `seconds`, one number each.

    Raises:
        ConfigError: The factor, or the ratio of the sizes, is no power of two up to eight.
    """
    return cache.fetch(
        _SENT,
        inputs=[digest],
        parameters={"rung": rung, "steps": steps, "edge": edge, "shown": shown},
        compute=lambda: _send(path, rung, steps, edge, shown),
    )


def _send(path: Path, rung: Rung, steps: int, edge: int, shown: Shown) -> dict[str, np.ndarray]:
    info = codec.probe(path)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "sent.mp4"
        report = transmit(path, target, info, rung)
        maps = (read if shown == "residuals" else read_pictures)(target, steps, edge)
        intra = gop_structure(target)["bits"].iloc[0]
    return {
        "maps": maps,
        "bits": np.array(report.bits),
        "intra_bits": np.array(intra),
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
        scale, enlarge = _scaling(stream.width, edge)
        index = sampled(stream.frame_count, steps)
        maps = stream.accumulated(index, scale=scale, space="rgb").pixels
    return _planes(maps, enlarge)


def read_pictures(target: Path, steps: int, edge: int) -> np.ndarray:
    """(steps, 3, edge, edge) int16 of what was received, decoded, less the first picture.

    Raises:
        ConfigError: As `read`.
    """
    frames = np.stack(list(codec.decode(target))).astype(np.float32)
    count, height, width, channels = frames.shape
    scale, enlarge = _scaling(width, edge)
    if height % scale:
        raise ConfigError(
            f"pictures of {width} x {height} cannot be reduced by {scale}",
            remedy="choose clips whose height is a multiple of it",
        )
    blocks = frames.reshape(count, height // scale, scale, width // scale, scale, channels)
    means = blocks.mean((2, 4))
    return _planes(means[sampled(count, steps)] - means[0], enlarge)


def _scaling(width: int, edge: int) -> tuple[int, int]:
    """By how much pictures are reduced, and then enlarged, to become maps."""
    scale, enlarge = max(1, width // edge), max(1, edge // width)
    if width * enlarge != edge * scale or scale not in (1, 2, 4, 8):
        raise ConfigError(
            f"pictures of {width} cannot become maps of {edge}",
            remedy="choose factors and an edge that are powers of two",
        )
    return scale, enlarge


def _planes(maps: np.ndarray, enlarge: int) -> np.ndarray:
    maps = np.rint(maps).astype(np.int16).repeat(enlarge, 1).repeat(enlarge, 2)
    return np.ascontiguousarray(maps.transpose(0, 3, 1, 2))

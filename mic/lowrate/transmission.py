"""What a receiver sees of a face: made smaller, coded, decoded, enlarged, and the bits it cost."""

from __future__ import annotations

import functools
import tempfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mic import codec
from mic.codec.options import CodecName
from mic.errors import ConfigError

# libx265 refuses pictures smaller than its smallest coding tree unit, and cannot be trusted with
# those of that size; see `mic.codec.options`. AV1 is specified from 16 samples on.
_MIN_SIDE = {"mpeg4": 1, "h264": 1, "hevc": 24, "av1": 16}


@dataclass(frozen=True, kw_only=True)
class Channel:
    """How faces are sent.

    Attributes:
        factor: Edge lengths are divided by it before coding; 1 sends full size.
        codec: None sends the samples as they are, as the paper's first experiment does.
        quantiser: vop_quant of MPEG-4, QP of H.264, HEVC and AV1.
        intra: Every frame an I-frame; else only the first.
    """

    factor: int = 1
    codec: CodecName | None = None
    quantiser: int | None = None
    intra: bool = False

    def __post_init__(self) -> None:
        if self.factor < 1:
            raise ConfigError(f"factor is {self.factor}, must be at least 1")
        if (self.codec is None) != (self.quantiser is None):
            raise ConfigError("codec and quantiser go together")


@dataclass(frozen=True)
class Received:
    """One sequence after the channel.

    Attributes:
        frames: uint8, (T, S, S), enlarged to the size they had before.
        bits: Coded bits of the whole sequence, headers included; 8 a sample when uncoded.
    """

    frames: NDArray[np.uint8]
    bits: int

    @property
    def bits_per_pixel(self) -> float:
        """Bits divided by the samples of the faces before they were made smaller."""
        return self.bits / self.frames.size


def send(
    frames: NDArray[np.uint8], channel: Channel, *, frame_rate: Fraction | float = 25
) -> Received:
    """Sends a sequence of faces through a channel.

    Args:
        frames: uint8, (T, S, S), S divisible by the factor.
        channel: Factor and coding.
        frame_rate: Frames a second.

    Raises:
        ConfigError: S is not divisible by the factor.
        CodecError: The codec refuses the sequence.
    """
    size = frames.shape[1]
    small = downsample(frames, channel.factor)
    if channel.codec is None:
        return Received(upsample(small, size), 8 * small.size)
    # Edge samples are repeated where a codec has a least size; the bits of that count too.
    border = max(0, _MIN_SIDE[channel.codec] - small.shape[1])
    padded = np.pad(small, ((0, 0), (0, border), (0, border)), mode="edge")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sent.mkv"
        report = codec.encode_frames(
            padded,
            path,
            frame_rate=frame_rate,
            codec=channel.codec,
            vop_quant=channel.quantiser,
            gop=1 if channel.intra else None,
        )
        decoded = np.stack(list(codec.decode(path, pixel_format="luma")))
    side = small.shape[1]
    return Received(upsample(decoded[:, :side, :side], size), report.bits)


def downsample(frames: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """Means of `factor` x `factor` blocks, rounded.

    Args:
        frames: uint8, (T, S, S).
        factor: Divides S.

    Raises:
        ConfigError: It does not divide S.
    """
    count, height, width = frames.shape
    if height % factor or width % factor:
        raise ConfigError(f"factor {factor} does not divide {height} x {width}")
    if factor == 1:
        return frames
    blocks = frames.reshape(count, height // factor, factor, width // factor, factor)
    means = blocks.mean(axis=(2, 4), dtype=np.float32)
    return np.rint(means).astype(np.uint8)


def upsample(frames: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Bicubic interpolation (Keys, a = -1/2) to `size` x `size`, clipped to 0..255.

    Args:
        frames: uint8, (T, s, s).
        size: Edge of the result.
    """
    if frames.shape[1] == size:
        return frames
    matrix = _cubic_matrix(frames.shape[1], size)
    enlarged = matrix @ frames.astype(np.float32) @ matrix.T
    return np.rint(enlarged).clip(0, 255).astype(np.uint8)


@functools.lru_cache
def _cubic_matrix(source: int, target: int) -> NDArray[np.float32]:
    # Sample centres of the two grids coincide at their outer edges; beyond the picture the kernel
    # is cut and its weights scaled to sum to one.
    centres = (np.arange(target) + 0.5) * source / target - 0.5
    distance = np.abs(centres[:, None] - np.arange(source))
    near = (1.5 * distance - 2.5) * distance**2 + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    weights = np.where(distance < 1, near, np.where(distance < 2, far, 0.0))
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)

"""Streams to test with: synthetic and real frames through libavcodec's and Xvid's encoders."""

from __future__ import annotations

import dataclasses
import subprocess
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np

FRAME_RATE = Fraction(25)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What one stream is made of; every field is an axis of the test matrix."""

    width: int = 64
    height: int = 48
    frames: int = 6
    quant: int = 4
    gop: int = 600
    b_frames: int = 0
    four_mv: bool = False
    quarter_pel: bool = False
    mpeg_quant: bool = False
    slices: int = 1
    packet_bytes: int = 0
    cut_every: int = 0
    adaptive_quant: bool = False
    noise: float = 2.0
    speed: float = 1.7
    seed: int = 0
    suffix: str = ".m4v"


def frames(options: Options) -> np.ndarray:
    """Moving texture with a fixed corner, noise and cuts: uint8 (T, H, W, 3), RGB.

    The drift has a fraction, the corner gives skipped macroblocks, one moving patch gives four
    vectors a macroblock, and cuts give intra macroblocks in P-VOPs.
    """
    rng = np.random.default_rng(options.seed)
    height, width = options.height, options.width
    out = np.empty((options.frames, height, width, 3), np.uint8)
    texture = None
    for t in range(options.frames):
        if texture is None or (options.cut_every and t % options.cut_every == 0):
            texture = _texture(rng, height, width)
        angle = 0.35 * t
        picture = _shifted(texture, options.speed * t, 1.3 * options.speed * np.sin(angle))
        patch = _shifted(texture[::-1], -2.3 * options.speed * t, options.speed * t)
        top, left = height // 3, width // 3
        picture[top + 3 : 2 * top + 6, left + 5 : 2 * left + 9] = patch[
            top + 3 : 2 * top + 6, left + 5 : 2 * left + 9
        ]
        picture = picture + options.noise * rng.standard_normal(picture.shape)
        # At least one macroblock that nothing changes.
        picture[: max(height // 4, 16), : max(width // 4, 16)] = texture[0, 0]
        out[t] = np.clip(np.rint(picture), 0, 255)
    return out


def _texture(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    out = np.zeros((height, width, 3))
    y, x = np.mgrid[:height, :width]
    for _ in range(12):
        fy, fx = rng.uniform(-0.5, 0.5, 2)
        wave = np.cos(fy * y + fx * x + rng.uniform(0, 6.3))
        out += rng.uniform(-40, 40, 3) * wave[..., None]
    return out + 128


def _shifted(picture: np.ndarray, dy: float, dx: float) -> np.ndarray:
    # Bilinear drift, wrapping round: sub-sample motion for the encoder to find.
    iy, ix = int(np.floor(dy)), int(np.floor(dx))
    fy, fx = dy - iy, dx - ix
    a, b = (np.roll(picture, (iy, ix + n), (0, 1)) for n in (0, 1))
    c, d = (np.roll(picture, (iy + 1, ix + n), (0, 1)) for n in (0, 1))
    return (1 - fy) * ((1 - fx) * a + fx * b) + fy * ((1 - fx) * c + fx * d)


def encode(path: Path, pictures: np.ndarray, options: Options) -> Path:
    """Encodes RGB `pictures` (T, H, W, 3) with libavcodec's mpeg4 into `path`."""
    flags = ["+mv4"] * options.four_mv + ["+qpel"] * options.quarter_pel
    settings = {
        "flags": "".join(["+bitexact", *flags]),
        "g": str(options.gop),
        # PyAV has no per-frame quality; a pinned Lagrange multiplier (118 a step) does the same.
        "lmin": str(118 * options.quant),
        "lmax": str(118 * options.quant),
        "i_qfactor": "1",
        "bf": str(options.b_frames),
        "b_qfactor": "1",
        "b_qoffset": "0",
        "qmin": "1" if options.adaptive_quant else str(options.quant),
        "qmax": "31" if options.adaptive_quant else str(options.quant),
        "sc_threshold": "1000000000",  # a cut stays a P-VOP, full of intra macroblocks
        "mpeg_quant": str(int(options.mpeg_quant)),
        "ps": str(options.packet_bytes),
    }
    if options.adaptive_quant:
        settings |= {"lumi_mask": "0.5", "dark_mask": "0.5", "scplx_mask": "0.5"}
    if options.four_mv or options.adaptive_quant:
        settings |= {"mbd": "rd"}
    with av.open(str(path), "w", format=_format(path)) as container:
        stream = container.add_stream("mpeg4", rate=FRAME_RATE)
        height, width = pictures.shape[1:3]
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        context = stream.codec_context
        context.thread_count = options.slices
        context.thread_type = "SLICE"
        context.options = settings
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode(None))
    return path


def _format(path: Path) -> str | None:
    # libavformat takes .m4v for an MP4 file; here it is the elementary stream.
    return "m4v" if path.suffix == ".m4v" else None


def synthetic(folder: Path, options: Options) -> Path:
    """A stream of synthetic frames with these options, in `folder`."""
    path = folder / f"synthetic{options.suffix}"
    return encode(path, frames(options), options)


def ffmpeg(path: Path, pictures: np.ndarray, *arguments: str) -> Path:
    """Encodes with the ffmpeg program of imageio-ffmpeg, which has Xvid's encoder and others."""
    height, width = pictures.shape[1:3]
    source = f"-f rawvideo -pix_fmt rgb24 -s {width}x{height} -r {FRAME_RATE} -i -".split()
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        "-v",
        "error",
        "-y",
        *source,
        "-pix_fmt",
        "yuv420p",
    ]
    container = ["-f", _format(path)] if _format(path) else []
    subprocess.run(
        [*command, *arguments, *container, str(path)], input=pictures.tobytes(), check=True
    )
    return path

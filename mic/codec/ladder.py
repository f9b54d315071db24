"""Rate and distortion: what each quantiser costs in bits, and what it leaves of the picture."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mic.codec.encode import reencode
from mic.codec.filtering import prepared
from mic.codec.options import CodecName, EncodeOptions
from mic.codec.probe import decode, demux, luma, probe
from mic.codec.video import Video
from mic.errors import CodecError, ConfigError

# ISO/IEC 14496-2 table 6-20: vop_coding_type, the two bits after vop_start_code.
_VOP_START_CODE = b"\x00\x00\x01\xb6"
_VOP_TYPES = "IPBS"


def gop_structure(path: str | Path) -> pd.DataFrame:
    """Type and size of each coded picture, in coding order.

    Args:
        path: A video. MPEG-4 Part 2 tells I-, P-, B- and S-VOPs apart; of other codecs only the
            points where decoding can start are known, and all others are called P.

    Returns:
        One row a picture: `frame` (int), `type` (I, P, B, S), `bits` (int), `gop` (int).

    Raises:
        CodecError: As `probe`.
    """
    rows = []
    with demux(path) as video:
        for index, packet in enumerate(video.packets):
            if video.codec == "mpeg4":
                start = packet.data.find(_VOP_START_CODE)
                if start < 0 or start + 4 >= len(packet.data):
                    raise CodecError("holds no VOP", file=path, place=f"packet {index}")
                kind = _VOP_TYPES[packet.data[start + 4] >> 6]
            else:
                kind = "I" if packet.is_keyframe else "P"
            rows.append((index, kind, 8 * len(packet.data)))
    table = pd.DataFrame(rows, columns=["frame", "type", "bits"])
    return table.assign(gop=(table["type"] == "I").cumsum() - 1)


def luma_psnr(reference: Iterable[NDArray[np.uint8]], other: Iterable[NDArray[np.uint8]]) -> float:
    """Peak signal-to-noise ratio of Y over a whole clip in dB, from the mean squared error.

    Args:
        reference: Luma frames, (H, W) uint8.
        other: As many frames of the same size.

    Returns:
        10 log10(255^2 / MSE); infinite for equal clips.

    Raises:
        CodecError: The clips differ in length or size.
    """
    total, samples = 0, 0
    for first, second in itertools.zip_longest(reference, other):
        if first is None or second is None or first.shape != second.shape:
            raise CodecError("cannot be compared: the clips differ in length or size")
        total += int(np.square(first.astype(np.int32) - second).sum())
        samples += first.size
    if samples == 0:
        raise CodecError("cannot be compared: the clips are empty")
    return float(10 * np.log10(255**2 * samples / total)) if total else float("inf")


LADDER_COLUMNS: Mapping[str, str] = {
    "clip": "name",
    "codec": "of the target",
    "vop_quant": "constant quantiser (QP for h264 and hevc)",
    "bits": "of the clip",
    "bits_i": "of its I-frame",
    "bit_rate": "bits/s",
    "bits_per_pixel": "bits a luma sample",
    "psnr_y": "luma, against the source, dB",
}


def rate_ladder(
    source: str | Path,
    *,
    quantisers: Sequence[int] = (1, 2, 4, 8, 16, 31),
    codecs: Sequence[CodecName] = ("mpeg4",),
    **options: Any,
) -> pd.DataFrame:
    """Encodes a video at every quantiser and measures bits and distortion.

    Args:
        source: A video.
        quantisers: True constant quantisers (QP for H.264 and HEVC).
        codecs: Codecs to try each of them on.
        **options: Further fields of `EncodeOptions`; distortion is against the source after
            their crop and scaling, so coding alone is measured.

    Returns:
        One row a codec and quantiser: `codec`, `vop_quant`, `frames`, `i_frames`, `bits`,
        `bits_i` (in I-frames), `bit_rate` (bits/s), `bits_per_pixel`, `psnr_y` (dB).

    Raises:
        CodecError: As `reencode`.
        ConfigError: An option is unknown or out of range, or changes the frame rate.
    """
    if {"frame_rate", "vop_quant", "codec"} & options.keys():
        raise ConfigError("a rate ladder keeps the frame rate and sets codec and vop_quant itself")
    source = Path(source)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for codec, quantiser in itertools.product(codecs, quantisers):
            target = Path(folder) / "rung.mp4"
            chosen = {**options, "codec": codec, "vop_quant": quantiser}
            reencode(source, target, **chosen)
            info, pictures = probe(target), gop_structure(target)
            rows.append(
                {
                    "codec": codec,
                    "vop_quant": quantiser,
                    "frames": info.frames,
                    "i_frames": int((pictures["type"] == "I").sum()),
                    "bits": info.bits,
                    "bits_i": int(pictures.loc[pictures["type"] == "I", "bits"].sum()),
                    "bit_rate": info.bit_rate,
                    "bits_per_pixel": info.bits_per_pixel,
                    "psnr_y": clip_psnr(source, target, **chosen),
                }
            )
    return pd.DataFrame(rows)


def clip_psnr(source: str | Path, target: str | Path, **options: Any) -> float:
    """Luma PSNR in dB of an encoded video against its source.

    Args:
        source: What was encoded.
        target: What came out; where it is shorter, only as many frames are compared.
        **options: The `crop` and `size` it was encoded with; its own size by default.

    Raises:
        CodecError: As `probe`, or the target is longer than the source.
        ConfigError: An option is unknown or out of range.
    """
    info, video = probe(target), Video(source)
    chosen = EncodeOptions.of({"vop_quant": 2, **options})
    frames = (picture.frame for picture in video.pictures())
    shown = prepared(frames, chosen, video.path, sample_aspect=video.sample_aspect)
    sharp = (luma(frame) for frame in itertools.islice(shown, info.frames))
    return luma_psnr(sharp, decode(target, pixel_format="luma"))

"""What re-encoding costs in bits and leaves of the picture, clip by clip and setting by setting.

Each table's columns are described beside the function that makes it, for
`mic.publishing.results.Run.table`.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mic.codec import Video, decode, probe, reencode
from mic.codec.filtering import prepared
from mic.codec.options import CodecName, EncodeOptions
from mic.codec.probe import luma
from mic.errors import CodecError, ConfigError


def gop_structure(path: str | Path) -> pd.DataFrame:
    """Type and size of each coded picture, in coding order.

    Args:
        path: A video. MPEG-4 Part 2 tells I-, P-, B- and S-VOPs apart; of other codecs only the
            points where decoding can start are known, and all others are called P.

    Returns:
        One row a picture: `frame` (int), `type` (I, P, B, S; N for a VOP that is not coded),
        `bits` (int), `gop` (int).

    Raises:
        CodecError: As `mic.codec.probe`.
    """
    video = Video(path)
    if video.damage is not None:
        raise video.damage
    kinds, bits = list(video.index.kinds), 8 * video.index.sizes
    table = pd.DataFrame({"frame": range(len(kinds)), "type": kinds, "bits": bits})
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
    info, video = probe(target), Video(source, survey=True)
    chosen = EncodeOptions.of({"vop_quant": 2, **options})
    frames = (picture.frame for picture in video.pictures())
    shown = prepared(frames, chosen, video.path, sample_aspect=video.sample_aspect)
    sharp = (luma(frame) for frame in itertools.islice(shown, info.frames))
    return luma_psnr(sharp, decode(target, pixel_format="luma"))


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


REENCODED_COLUMNS: Mapping[str, str] = {
    "clip": "name",
    "codec": "of the source",
    "width": "samples",
    "height": "samples",
    "frames": "after re-encoding",
    "i_frames": "after re-encoding",
    "source_bit_rate": "of the source, bits/s",
    "bit_rate": "after, bits/s",
    "bits_per_pixel": "after, bits a luma sample",
    "file_bytes": "after, container included",
    "psnr_y": "luma, against the source, dB",
}


def reencoded(clips: Mapping[str, str | Path], folder: str | Path, **options: Any) -> pd.DataFrame:
    """Re-encodes clips and compares each with its source.

    Args:
        clips: Videos by name.
        folder: Takes `NAME.mp4` of each.
        **options: Fields of `EncodeOptions`, and `max_frames`.

    Returns:
        One row a clip, columns of `REENCODED_COLUMNS`.

    Raises:
        CodecError: As `reencode`.
        ConfigError: An option is unknown or out of range.
    """
    rows = []
    for name, source in clips.items():
        before, target = probe(source), Path(folder) / f"{name}.mp4"
        after = reencode(source, target, **options)
        rows.append(
            {
                "clip": name,
                "codec": before.codec,
                "width": after.width,
                "height": after.height,
                "frames": after.frames,
                "i_frames": after.keyframes,
                "source_bit_rate": before.bit_rate,
                "bit_rate": after.bit_rate,
                "bits_per_pixel": after.bits_per_pixel,
                "file_bytes": after.file_bytes,
                "psnr_y": clip_psnr(source, target),
            }
        )
    return pd.DataFrame(rows, columns=list(REENCODED_COLUMNS))


SETTING_COLUMNS: Mapping[str, str] = {
    "setting": "options of `mic.codec.reencode`",
    "bits": "of the clip",
    "bits_per_pixel": "bits a luma sample",
    "psnr_y": "luma, against the source, dB",
}


def by_setting(
    source: str | Path,
    settings: Mapping[str, Mapping[str, Any]],
    folder: str | Path,
    **options: Any,
) -> pd.DataFrame:
    """Re-encodes one clip with several settings.

    Args:
        source: A video.
        settings: Options of `reencode` by what they are called in the table.
        folder: Takes `setting.mp4`, the last setting's in the end.
        **options: Options that all settings share.

    Returns:
        One row a setting, columns of `SETTING_COLUMNS`.

    Raises:
        CodecError: As `reencode`.
        ConfigError: An option is unknown or out of range.
    """
    rows = []
    for name, chosen in settings.items():
        target = Path(folder) / "setting.mp4"
        report = reencode(source, target, **chosen, **options)
        rows.append((name, report.bits, report.bits_per_pixel, clip_psnr(source, target)))
    return pd.DataFrame(rows, columns=list(SETTING_COLUMNS))


GOP_COLUMNS: Mapping[str, str] = {
    "structure": "of the groups of pictures",
    "frames": "pictures",
    "i_frames": "I-frames among them",
    "bits": "of the clip",
    "bits_i": "mean of an I-frame",
    "bits_p": "mean of a P-frame",
    "psnr_y": "luma, against the source, dB",
}


def by_gop(
    source: str | Path, gops: Mapping[str, int | None], folder: str | Path, **options: Any
) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Re-encodes one clip with groups of pictures of several lengths.

    Args:
        source: A video.
        gops: Frames from one I-frame to the next by what that is called; None: one I-frame.
        folder: Takes `gop.mp4`, the last length's in the end.
        **options: Further options of `reencode`.

    Returns:
        One row a length, columns of `GOP_COLUMNS`; and `gop_structure` of each.

    Raises:
        CodecError: As `reencode`.
        ConfigError: An option is unknown or out of range.
    """
    structures, rows = {}, []
    for name, gop in gops.items():
        target = Path(folder) / "gop.mp4"
        report = reencode(source, target, gop=gop, **options)
        pictures = structures[name] = gop_structure(target)
        intra = pictures["type"] == "I"
        rows.append(
            {
                "structure": name,
                "frames": len(pictures),
                "i_frames": int(intra.sum()),
                "bits": report.bits,
                "bits_i": float(pictures.loc[intra, "bits"].mean()),
                "bits_p": float(pictures.loc[~intra, "bits"].mean()),
                "psnr_y": clip_psnr(source, target),
            }
        )
    return pd.DataFrame(rows, columns=list(GOP_COLUMNS)), structures

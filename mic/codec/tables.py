"""What re-encoding does to clips, as tables: before and after, setting by setting, GOP by GOP.

Each table's columns are described beside the function that makes it, for
`mic.publishing.results.Run.table`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from mic.codec.encode import reencode
from mic.codec.ladder import clip_psnr, gop_structure
from mic.codec.probe import probe

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

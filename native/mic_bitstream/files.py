"""What is refused before anything is read: what may never end, and gigantic pictures."""

from __future__ import annotations

import stat
from pathlib import Path

from mic_bitstream.errors import CodecError

# 8K is 7680 x 4320 and beyond all datasets of the field; 50 MB a decoded frame.
MAX_PIXELS = 1 << 25


def check_regular(path: Path) -> None:
    """Refuses what may never end, before anything is read from it.

    Raises:
        CodecError: There is no such file, or it is a pipe, a device, a socket or a folder.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        raise CodecError(
            f"cannot be opened as a video: {reason(error)}", file=path, remedy="check the path"
        ) from error
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe or a device, which may never end"
        raise CodecError(
            f"cannot be opened as a video: it is {kind}",
            file=path,
            remedy="save the video to a file first",
        )


def check_size(width: int, height: int, path: Path) -> None:
    """Refuses gigantic pictures.

    Raises:
        CodecError: More than `MAX_PIXELS` samples.
    """
    if width * height > MAX_PIXELS:
        raise CodecError(
            f"claims {width} x {height} samples; at most {MAX_PIXELS} in all",
            file=path,
            remedy="the header is damaged, or the video must be made smaller first",
        )


def reason(error: Exception) -> str:
    """What libavformat or the system say, without their numbers."""
    return str(getattr(error, "strerror", None) or error)

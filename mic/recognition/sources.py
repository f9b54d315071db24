"""How a video is read: parsed where that can be done exactly, else decoded.

Two kinds of files, one face to the outside:

- *parsed*: MPEG-4 Part 2. Vectors come from the bitstream; the regions of looks are reconstructed
  exactly, with nothing that they do not depend on, and whole pictures for searches only.
- *decoded*: everything else, by libavcodec. Pictures that no other refers to and at which nobody
  looks are passed over; vectors are exported; only regions of looks are converted to RGB.

Luma and chroma of both are the same to the last bit, but for streams of Xvid, whose IDCT
libavcodec imitates; their conversions to RGB differ by up to 3 of 255. B-VOPs of a parsed file are
passed over: one looks at the I- and P-VOPs beside them.
"""

from __future__ import annotations

import numpy as np

from mic import bitstream
from mic.codec import Video
from mic.errors import BitstreamError, UnsupportedSyntaxError
from mic.recognition.decoded import Decoded
from mic.recognition.moments import Source, Work
from mic.recognition.parsed import Parsed, frames_of


def source_of(video: Video, work: Work | None = None) -> Source:
    """How a video is read: parsed where that can be done exactly, else decoded.

    Args:
        video: Any.
        work: Filled with what reading it costs; None: a new one.

    Raises:
        CodecError: It has no picture that can be decoded.
    """
    if video.codec != "mpeg4" or "S" in video.index.kinds or not video.display.as_coded:
        return Decoded(video, work)
    if not video.display.plain_colours:  # the parser's conversion to RGB is BT.601's
        return Decoded(video, work)
    if _repeated(video):
        return Decoded(video, work)
    try:
        stream = bitstream.open(video.path)
    except (UnsupportedSyntaxError, BitstreamError):
        return Decoded(video, work)
    frames = frames_of(video, stream)
    same = (stream.width, stream.height) == (video.width, video.height)
    if frames is None or not same or "?" in stream.vop_types:
        return Decoded(video, work)
    return Parsed(video, stream, frames, work)


def _repeated(video: Video) -> bool:
    """Whether packets come twice: an edit list shows a span again, from its key picture on.

    To the parser, which looks at what is coded alone, time would run backwards there.
    """
    stamps = video.index.stamps
    return video.container.startswith("mov") and len(np.unique(stamps)) < len(stamps)

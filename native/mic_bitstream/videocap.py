"""A reader with the interface of mv-extractor's `VideoCap`, faster where no picture is wanted.

Programs that say `from mvextractor.videocap import VideoCap` say instead

    from mic_bitstream.videocap import VideoCap

and get the same pictures and vectors. After `set_decode_frames(False)` the vectors of MPEG-4
Part 2 come from the bitstream, and nothing is decoded; with other codecs, and with B-VOPs,
libavcodec decodes and the pictures are left out.

mv-extractor: L. Bommes, X. Lin, J. Zhou, "MVmed: Fast Multi-Object Tracking in the Compressed
Domain", ICIEA 2020. The interface is that of its version 2: `read` gives four values.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import numpy as np

from mic_bitstream.errors import BitstreamError, MicError, UnsupportedSyntaxError
from mic_bitstream.extras import needed
from mic_bitstream.files import MAX_PIXELS, check_size
from mic_bitstream.records import Motion
from mic_bitstream.stream import Stream
from mic_bitstream.vectors import COLUMNS, as_exported, exported

with needed("VideoCap needs"):
    import av
    from av.video.frame import PictureType
    from av.video.reformatter import Interpolation, VideoReformatter

    from mic_bitstream.containers import open_container, video_stream
    from mic_bitstream.decoding import decoded_frames

Grabbed = tuple[np.ndarray | None, np.ndarray, str]
_CHUNK = 64  # frames that are parsed at once


class VideoCap:
    """Pictures, motion vectors and types of a video's frames, in the order of display.

    Attributes:
        decode_frames: Whether pictures are handed out; `open` sets it.
        error: Why `open` or `grab` returned False; None at the end of the video.
    """

    def __init__(self) -> None:
        self.decode_frames = True
        self.error: MicError | None = None
        self._path: Path | None = None
        self._frames: Iterator[Grabbed] = iter(())
        self._grabbed: Grabbed | None = None
        self._count = 0
        self._parsing = False
        self._open = contextlib.ExitStack()

    def __enter__(self) -> VideoCap:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    def open(self, url: str | os.PathLike[str]) -> bool:
        """Opens a video file, with pictures; False if it cannot be, and `error` says why.

        Args:
            url: A file. Addresses of network streams, which mv-extractor takes, are refused.
        """
        self.release()
        path = Path(url)
        try:
            self._frames = self._decoded(path)
        except MicError as error:
            self._open.close()  # a container of sound, say
            self.error = error
            return False
        self._path, self.decode_frames = path, True
        return True

    def set_decode_frames(self, enable: bool) -> None:
        """Whether the next frames come with their pictures; to be called after `open`."""
        self.decode_frames = enable
        if self._path is None:
            return
        try:
            if enable and self._parsing:
                self._parsing = False
                self._frames = itertools.islice(self._decoded(self._path), self._count, None)
            elif not enable and self._count == 0:
                parsed = _parsed(self._path)
                if parsed is not None:
                    self._open.close()
                    self._frames, self._parsing = parsed, True
        except MicError as error:
            self.error, self._frames = error, iter(())

    def grab(self) -> bool:
        """Goes on to the next frame; False at the end, or where the file is damaged (`error`)."""
        self._grabbed = None
        try:
            self._grabbed = next(self._frames, None)
        except MicError as error:
            self.error, self._frames = error, iter(())
        self._count += self._grabbed is not None
        return self._grabbed is not None

    def retrieve(self) -> tuple[bool, np.ndarray | None, np.ndarray, str]:
        """The frame that `grab` went to.

        Returns:
            Whether there is one; the picture, uint8 (H, W, 3) in BGR, None if pictures are not
            wanted; its vectors, int32 (N, 10), see `mic_bitstream.vectors.COLUMNS`; "I", "P", "B",
            or "?".
        """
        if self._grabbed is None:
            return False, None, np.zeros((0, len(COLUMNS)), np.int32), "?"
        return True, *self._grabbed

    def read(self) -> tuple[bool, np.ndarray | None, np.ndarray, str]:
        """`grab` and `retrieve` in one."""
        self.grab()
        return self.retrieve()

    def release(self) -> None:
        """Closes the file."""
        self._open.close()
        self._frames = iter(())
        self._path = self._grabbed = self.error = None
        self._count, self._parsing = 0, False

    def _decoded(self, path: Path) -> Iterator[Grabbed]:
        container = self._open.enter_context(open_container(path))
        stream = video_stream(container, path)
        context = stream.codec_context
        check_size(context.width, context.height, path)
        context.options = {"flags2": "+export_mvs", "max_pixels": str(MAX_PIXELS)}
        # One thread: several hand pictures out late.
        context.thread_count = 1
        return self._of(decoded_frames(container, stream, path))

    def _of(self, frames: Iterator[av.VideoFrame]) -> Iterator[Grabbed]:
        reformatter = VideoReformatter()
        for frame in frames:
            kind = PictureType(frame.pict_type).name
            picture = bgr(frame, reformatter) if self.decode_frames else None
            yield picture, exported(frame), kind if kind in "IPB" else "?"


def bgr(frame: av.VideoFrame, reformatter: VideoReformatter) -> np.ndarray:
    """A decoded picture as uint8 (H, W, 3) in BGR, by swscale's bicubic filter.

    Args:
        frame: The picture.
        reformatter: One for all pictures of a video: it keeps what depends on their size.
    """
    found = reformatter.reformat(
        frame, format="bgr24", interpolation=Interpolation.BICUBIC, threads=1
    )
    return found.to_ndarray()


def _parsed(path: Path) -> Iterator[Grabbed] | None:
    """Types and vectors from the bitstream; None where libavcodec would export others."""
    try:
        stream = Stream(path)
    except UnsupportedSyntaxError:
        return None
    return _rows(stream) if stream.low_delay else None


def _rows(stream: Stream) -> Iterator[Grabbed]:
    # A VOP that is not coded is no picture to libavcodec.
    numbers = [number for number, kind in enumerate(stream.vop_types) if kind in "IP"]
    for start in range(0, len(numbers), _CHUNK):
        chunk = numbers[start : start + _CHUNK]
        try:
            motion = stream.motion(chunk)
        except BitstreamError:  # what is whole comes before it
            for number in chunk:
                yield from _told(stream, stream.motion([number]))
            raise
        yield from _told(stream, motion)


def _told(stream: Stream, motion: Motion) -> Iterator[Grabbed]:
    for row, number in enumerate(motion.frames.tolist()):
        kind = stream.vop_types[number]
        quarter = stream.native.is_quarter_sample(number)
        yield None, as_exported(motion, row, quarter_sample=quarter), kind

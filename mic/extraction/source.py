"""The coded parts of any video, in chunks: parsed, re-encoded and parsed, or decoded."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import tempfile
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np

from mic import bitstream, codec
from mic.codec.aspects import SampleAspects
from mic.codec.display import Display, displays, rgb
from mic.codec.index import Index
from mic.codec.reading import opened
from mic.decoded import Decoded
from mic.decoded.residuals import DecodedFrame
from mic.errors import CodecError, ConfigError, UnsupportedSyntaxError
from mic_bitstream.arrays import check_choice
from mic_bitstream.decoding import decoded_frames

Method = Literal["auto", "bitstream", "reencoded", "decoded"]
METHODS = ("auto", "bitstream", "reencoded", "decoded")
PARTS = ("residual", "motion", "backward", "iframe")
# A chunk is what stays in memory, so its size and not its number of frames is fixed.
_CHUNK_BYTES = 32 << 20


@dataclasses.dataclass(frozen=True, kw_only=True)
class Chunk:
    """Consecutive frames.

    Attributes:
        first: Number of the first frame.
        kinds: One letter a frame: "I", "P", "B", "N" (not coded) or "?" (damaged header).
        residual: int16 (N, h, w, 3), or None.
        motion: int16 (N, 2 h, 2 w, 2) per 8x8 block in quarter samples, or None.
        backward: As `motion`, into the picture that is shown after a B-frame; zero elsewhere.
        damaged: bool (N,): frames with lost macroblocks, whose samples there are zero.
    """

    first: int
    kinds: str
    residual: np.ndarray | None
    motion: np.ndarray | None
    backward: np.ndarray | None
    damaged: np.ndarray

    def __len__(self) -> int:
        return len(self.kinds)

    def part(self, name: str) -> np.ndarray:
        """`residual`, `motion` or `backward`, which was asked for.

        Raises:
            ConfigError: It was not.
        """
        parts = {"residual": self.residual, "motion": self.motion, "backward": self.backward}
        found = parts.get(name)
        if found is None:
            raise ConfigError(f"{name} was not read", remedy="ask for it")
        return found


@dataclasses.dataclass(frozen=True, kw_only=True)
class Coded:
    """A video that can be read chunk by chunk, any number of times.

    A frame is a picture that is shown, or a VOP that is not coded, by which the picture before
    stays; what an edit list cuts away is none. Frames come as they are shown, arrays lie as they
    are coded: `display` tells how they are turned for showing.

    Attributes:
        method: "bitstream", "reencoded" or "decoded".
        video: What is read: the source, or its re-encoding.
        width: Coded, in samples.
        height: Coded, in samples.
        times: float64 (T,), seconds of each frame from the first.
        rows: int64 (T,), number of each frame's VOP in the stream.
        stream: The parsed stream; None when decoded.
    """

    method: str
    video: codec.Video
    width: int
    height: int
    times: np.ndarray
    rows: np.ndarray
    stream: bitstream.Stream | None

    @property
    def count(self) -> int:
        """Frames."""
        return len(self.rows)

    @property
    def frame_rate(self) -> Fraction:
        """Frames a second, on average where times are uneven."""
        return self.video.frame_rate

    @property
    def display(self) -> Display:
        """How arrays are turned and stretched for showing; `iframes` are already."""
        return self.video.display

    def chunks(
        self, what: Sequence[str], *, scale: int, space: str, on_error: str, threads: int
    ) -> Iterator[Chunk]:
        """The parts `what` (of "residual", "motion", "backward") of all frames in order.

        Raises:
            BitstreamError: A frame is damaged (with on_error="raise").
            CodecError: The video cannot be decoded (method "decoded").
        """
        samples = 6 * self.width * self.height // scale**2 + 1
        length = max(1, min(256, _CHUNK_BYTES // samples))
        if self.stream is None:
            yield from self._decoded(what, scale, space, length)
            return
        kinds = self.kinds()
        read = {"motion" if part == "backward" else part for part in what}
        for first in range(0, self.count, length):
            last = min(first + length, self.count)
            clip = self.stream.read(
                what=sorted(read),
                frames=self.rows[first:last].tolist(),
                scale=scale,
                space=space,
                on_error=on_error,
                threads=threads,
            )
            record = clip.residual or clip.motion
            damaged = np.zeros(last - first, bool)
            if record is not None:
                damaged = np.asarray(record.missing.any((1, 2)))
            yield Chunk(
                first=first,
                kinds=kinds[first:last],
                residual=None if clip.residual is None else clip.residual.pixels,
                motion=None if clip.motion is None else clip.motion.blocks,
                backward=None if clip.motion is None else _backward(clip.motion),
                damaged=damaged,
            )

    def _decoded(
        self, what: Sequence[str], scale: int, space: str, length: int
    ) -> Iterator[Chunk]:
        if "residual" in what and (scale != 1 or space != "ycbcr"):
            raise ConfigError(
                "decoded residuals come at scale 1 in 'ycbcr' only: there are no coefficients",
                remedy="use method='reencoded' for other scales and spaces",
            )
        first = 0
        frames = Decoded(self.video.path).frames()
        while group := list(itertools.islice(frames, length)):
            yield Chunk(
                first=first,
                kinds="".join(frame.kind for frame in group),
                residual=np.stack([_ycbcr(frame) for frame in group])
                if "residual" in what
                else None,
                motion=np.stack([frame.motion for frame in group]) if "motion" in what else None,
                backward=np.stack([frame.backward for frame in group])
                if "backward" in what
                else None,
                damaged=np.zeros(len(group), bool),
            )
            first += len(group)

    def iframes(self) -> Iterator[tuple[int, np.ndarray]]:
        """Number and pixels of each I-frame, without decoding the others.

        Pixels are as shown, uint8 (H, W, 3): upright, of square samples.

        Raises:
            CodecError: One cannot be decoded.
        """
        path = self.video.path
        numbers = [number for number, kind in enumerate(self.kinds()) if kind == "I"]
        if not numbers:
            return
        index = self.video.index
        by_stamp: dict[int | None, int] = {
            int(index.stamps[self.rows[number]]): number for number in numbers
        }
        waiting = iter(numbers)
        with opened(path, number=self.video.stream) as (container, stream):
            aspects = SampleAspects(stream.codec_context, self.video.sample_aspect)
            stream.codec_context.skip_frame = "NONKEY"
            frames = decoded_frames(
                container,
                stream,
                path,
                first=index.begin,
                without=index.leading,
                before=aspects.note,
            )
            for frame, display in displays(frames, self.video.sample_aspect, aspects):
                # Every key frame of what is read is an I-frame; where stamps order pictures, one
                # that is cut away has none of these.
                number = by_stamp.get(frame.pts) if index.by_stamp else next(waiting, None)
                if number is None:
                    raise CodecError("has more key frames than I-frames", file=path)
                place = f"frame {number} ({self.times[number]:.2f} s)"
                yield number, rgb(frame, display, path, place=place)

    def kinds(self) -> str:
        """One letter a frame, as `Chunk.kinds`; of decoded videos "I", "P" or "B"."""
        found = self.video.index.kinds if self.stream is None else self.stream.vop_types
        return "".join(found[row] for row in self.rows)


def _ycbcr(frame: DecodedFrame) -> np.ndarray:
    height, width = frame.y.shape
    chroma = [
        plane.repeat(2, axis=0).repeat(2, axis=1)[:height, :width]
        for plane in (frame.cb, frame.cr)
    ]
    return np.stack([frame.y, *chroma], axis=-1)


@contextlib.contextmanager
def coded(path: str | Path, *, method: Method = "auto", **options: object) -> Iterator[Coded]:
    """Opens a video for extraction.

    Args:
        path: Any video.
        method: "bitstream" parses MPEG-4 Part 2. "reencoded" codes the video as MPEG-4 into a
            temporary file first. "decoded" subtracts the prediction of the codec's own vectors
            from its decoded frames. "auto" parses where it can and re-encodes otherwise.
        **options: Of the re-encoding, fields of `mic.codec.EncodeOptions`.

    Raises:
        ConfigError: An unknown method.
        CodecError: The video cannot be opened or decoded.
        UnsupportedSyntaxError: The video is outside what the method reads.
        BitstreamError: Its headers are damaged.
    """
    path = Path(path)
    check_choice("method", (method,), METHODS)
    video = codec.Video(path, survey=True)
    if method == "decoded":
        yield _described("decoded", video, None)
        return
    stream = None
    if method != "reencoded":
        try:
            opened_now = bitstream.open(path)
            _vops(video.index, opened_now, path)
            stream = opened_now
        except UnsupportedSyntaxError:
            if method == "bitstream":
                raise
    if stream is not None:
        with stream:
            yield _described("bitstream", video, stream)
        return
    with tempfile.TemporaryDirectory(prefix="mic-") as folder:
        target = Path(folder) / "coded.mp4"
        try:
            codec.reencode(path, target, **options)
        except CodecError as error:
            if error.file != target:
                raise
            raise CodecError(  # nobody asked for the file that is written in between
                f"cannot be coded as MPEG-4: {error.message}",
                file=path,
                place=error.place,
                remedy="cut the video there",
            ) from error
        with bitstream.open(target) as stream:
            yield _described("reencoded", codec.Video(target, survey=True), stream)


def _described(method: str, video: codec.Video, stream: bitstream.Stream | None) -> Coded:
    index = video.index
    size = (video.width, video.height) if stream is None else (stream.width, stream.height)
    return Coded(
        method=method,
        video=video,
        width=size[0],
        height=size[1],
        # A decoder gives no frame for a VOP that is not coded.
        times=index.times if stream is None else index.row_times,
        rows=index.packet_of if stream is None else _vops(index, stream, video.path),
        stream=stream,
    )


def _vops(index: Index, stream: bitstream.Stream, path: Path) -> np.ndarray:
    """int64 (R,): the VOP of each of `index.rows`; some packets hold headers only, and none."""
    holds = np.frombuffer(index.kinds.encode(), np.uint8) != ord("?")
    count, rows = len(holds), index.rows
    packed = len(np.unique(rows)) < len(rows)
    if packed and len(rows) == stream.frame_count:  # all of them, and two in a packet
        return stream.display_order
    # Beyond an edit list's end the file has samples that no packet is made of.
    if stream.frame_count >= count and not packed:
        return np.arange(count)[rows]
    if stream.frame_count != holds.sum() or packed:
        raise UnsupportedSyntaxError(
            f"{count} packets hold {stream.frame_count} VOPs: which is where is not certain",
            file=path,
            remedy="use method='reencoded'",
        )
    return np.maximum(np.cumsum(holds) - 1, 0)[rows]


def _backward(motion: bitstream.Motion) -> np.ndarray:
    return np.zeros_like(motion.blocks) if motion.backward is None else motion.backward

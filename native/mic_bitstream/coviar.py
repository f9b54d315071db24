"""What CoViAR's data loader computes, sample for sample: `load`, `get_num_frames` and `frames`.

Programs that say `from coviar import load, get_num_frames` say instead

    from mic_bitstream.coviar import load, get_num_frames

and need neither an old FFmpeg nor groups of twelve pictures. C.-Y. Wu et al., "Compressed Video
Action Recognition", CVPR 2018; its loader is the usual way to "compressed-domain" input. It
decodes every frame and subtracts. What it calls a residual differs from motion compensation, and
from the residual that the stream carries (`mic_bitstream.read`), in these points, all kept here:

1. vectors are truncated towards zero to whole samples (half and quarter samples are dropped);
2. one vector field serves all colours: subtraction happens in BGR after chroma up-sampling;
3. accumulation follows one path back to the I-frame by nearest look-up, never by interpolation;
4. a macroblock without a vector (intra) counts as one that did not move: its "residual" is a
   plain frame difference; but a frame without any vector has no motion and no residual;
5. samples whose source lies outside the picture keep what they had (no motion, or the path of
   the sample itself), instead of the clamped border;
6. without accumulation the reference is the frame before in display order;
7. decoder and parser are never flushed: the last frame of the file is lost;
8. the deblocking, clipping and rounding of the decoder all stay in the difference.
"""

from __future__ import annotations

import dataclasses
import operator
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mic_bitstream.errors import CodecError, ConfigError
from mic_bitstream.extras import needed
from mic_bitstream.files import MAX_PIXELS, check_size
from mic_bitstream.stream import Stream
from mic_bitstream.vectors import exported

with needed("CoViAR's loader decodes pictures, for which it needs"):
    import av
    from av.container import InputContainer
    from av.video.frame import PictureType
    from av.video.reformatter import VideoReformatter

    from mic_bitstream.containers import open_container, video_stream
    from mic_bitstream.decoding import decoded_frames
    from mic_bitstream.videocap import bgr

IFRAME, MOTION, RESIDUAL = 0, 1, 2
"""Kinds of representation that `load` knows."""

_BLOCK = 8  # samples of a side of the smallest block that has a vector


@dataclasses.dataclass(frozen=True)
class CoviarFrame:
    """One frame as CoViAR's loader gives it.

    Attributes:
        number: Index from 0 in the file.
        position: Index from 0 in its group of pictures; 0 is the I-frame.
        picture: uint8 (H, W, 3), BGR.
        residual: int32 (H, W, 3), BGR; zero for I-frames.
        motion: int32 (H, W, 2), (x, y) in whole samples: where from, as target minus source.
    """

    number: int
    position: int
    picture: np.ndarray
    residual: np.ndarray
    motion: np.ndarray


def load(
    path: str | os.PathLike[str],
    gop_index: int,
    frame_index: int,
    representation_type: int,
    accumulate: bool | int,
) -> np.ndarray:
    """One frame of one group of pictures, as `coviar.load` returns it.

    Args:
        path: MPEG-4 Part 2 without B-VOPs, in any container (the original takes raw streams).
            Groups of pictures may be of any length.
        gop_index: Number of the group, from 0: each I-VOP begins one.
        frame_index: Number of the picture in it, from 0. VOPs that are not coded are no pictures.
        representation_type: 0 for the decoded picture, 1 for motion, 2 for the residual.
        accumulate: Whether motion and residual lead back to the I-frame, or to the frame before.

    Returns:
        uint8 (H, W, 3) in BGR; int32 (H, W, 2), (x, y), target minus source in samples; or int32
        (H, W, 3) in BGR.

    Raises:
        CodecError: The file cannot be opened or decoded.
        UnsupportedSyntaxError: It is not MPEG-4 Part 2, or has B-VOPs.
        ConfigError: There is no such group, frame or kind. The last frame of the file, which the
            original never hands out, is none.
    """
    path = Path(path)
    if representation_type not in (IFRAME, MOTION, RESIDUAL):
        raise ConfigError(
            f"representation_type is {representation_type!r}",
            remedy="use 0 for the picture, 1 for motion, 2 for the residual",
        )
    try:
        gop_index, frame_index = operator.index(gop_index), operator.index(frame_index)
    except TypeError as error:
        raise ConfigError(
            f"a group or frame is no whole number: {error}", remedy="count them from 0"
        ) from error
    first, count = _group(path, gop_index)
    if not 0 <= frame_index < count:
        raise ConfigError(
            f"there is no such frame in a group of {count} pictures that CoViAR's loader gives",
            file=path,
            place=f"frame {frame_index} of group {gop_index}",
            remedy=f"choose from 0 to {count - 1}",
        )
    try:
        for frame in _chained(path, bool(accumulate), first=first):
            if frame.position == frame_index:
                kinds = {IFRAME: frame.picture, MOTION: frame.motion, RESIDUAL: frame.residual}
                return kinds[representation_type]
    except CodecError as error:
        place = f"{error.place} of group {gop_index}" if error.place else None
        raise CodecError(error.message, file=path, place=place, remedy=error.remedy) from error
    raise CodecError("ends before the frame", file=path, remedy="get a whole copy of the file")


def get_num_frames(path: str | os.PathLike[str]) -> int:
    """The number of frames that `coviar.get_num_frames` counts: all VOPs but the file's last.

    Raises:
        CodecError: The file cannot be opened.
        UnsupportedSyntaxError: It is not MPEG-4 Part 2.
        BitstreamError: It is damaged.
    """
    with Stream(path) as stream:
        return stream.frame_count - 1


def get_num_gops(path: str | os.PathLike[str]) -> int:
    """The number of I-VOPs, a last VOP of the file excepted; errors as `get_num_frames`."""
    with Stream(path) as stream:
        return stream.vop_types[:-1].count("I")


def frames(path: str | os.PathLike[str], *, accumulate: bool = True) -> Iterator[CoviarFrame]:
    """Yields every frame but the last (point 7), memory flat in the clip's length.

    The original decodes from the start of the group for each frame asked for; here one pass gives
    the same values for all.

    Args:
        path: A video whose decoder exports motion vectors; the original takes MPEG-4 Part 2.
        accumulate: Difference to the I-frame along the chain of vectors, else to the frame
            before along one vector.

    Raises:
        CodecError: The file cannot be opened or decoded.
    """
    waiting: CoviarFrame | None = None
    for frame in _chained(Path(path), accumulate):
        if waiting is not None:
            yield waiting
        waiting = frame


def _group(path: Path, number: int) -> tuple[int, int]:
    """First VOP of a group of pictures, and how many of its pictures the original gives."""
    with Stream(path) as stream:
        stream.expect_low_delay("what CoViAR's loader computes")
        letters = stream.vop_types[:-1]
    starts = [place for place, letter in enumerate(letters) if letter == "I"]
    if not 0 <= number < len(starts):
        raise ConfigError(
            f"there is no such group of pictures in a clip of {len(starts)}",
            file=path,
            place=f"group {number}",
            remedy=f"choose from 0 to {len(starts) - 1}" if starts else "use a longer clip",
        )
    end = [*starts, len(letters)][number + 1]
    return starts[number], sum(letter in "IP" for letter in letters[starts[number] : end])


def _chained(path: Path, accumulate: bool, *, first: int = 0) -> Iterator[CoviarFrame]:
    """All frames from packet `first` on, numbered from 0, the file's last one too."""
    try:
        with open_container(path) as container:
            yield from _frames(container, path, accumulate=accumulate, first=first)
    except av.FFmpegError as error:
        raise CodecError(
            f"cannot decode: {error}", file=path, remedy="check the file, or re-encode it"
        ) from error


def _frames(
    container: InputContainer, path: Path, *, accumulate: bool, first: int
) -> Iterator[CoviarFrame]:
    stream = video_stream(container, path)
    check_size(stream.codec_context.width, stream.codec_context.height, path)
    stream.codec_context.options = {"flags2": "+export_mvs", "max_pixels": str(MAX_PIXELS)}
    reformatter = VideoReformatter()
    reference = chain = None
    position = -1
    pictures = decoded_frames(container, stream, path, first=first)
    for number, frame in enumerate(pictures):
        shown = bgr(frame, reformatter)
        picture = shown.astype(np.int32)
        lines, columns = np.indices(picture.shape[:2])
        here = np.stack([columns, lines], -1).astype(np.int32)
        residual, motion = np.zeros_like(picture), np.zeros_like(here)
        if frame.pict_type == PictureType.I or chain is None or reference is None:
            position, reference, chain = 0, picture, here
            yield CoviarFrame(number, 0, shown, residual, motion)
            continue
        position += 1
        vectors = exported(frame)
        if len(vectors):
            source = _sources(vectors, here)
            if accumulate:
                chain = source = chain[source[..., 1], source[..., 0]]
            residual = picture - reference[source[..., 1], source[..., 0]]
            motion = here - source
        yield CoviarFrame(number, position, shown, residual, motion)
        if not accumulate:
            reference = picture


def _sources(vectors: np.ndarray, here: np.ndarray) -> np.ndarray:
    """Where each sample comes from in the frame before: (H, W, 2) as (x, y).

    Args:
        vectors: int32 (N, 10), see `mic_bitstream.vectors.COLUMNS`.
        here: Each sample's own place, (H, W, 2).
    """
    height, width = here.shape[:2]
    rows, columns = -(-height // _BLOCK), -(-width // _BLOCK)
    # libavcodec's src is dst plus the vector truncated towards zero (point 1).
    moved = vectors[(vectors[:, 3:5] != vectors[:, 5:7]).any(1)]
    steps = np.zeros((rows, columns, 2), np.int32)
    step = moved[:, 3:5] - moved[:, 5:7]
    left = (moved[:, 5] - moved[:, 1] // 2) // _BLOCK
    top = (moved[:, 6] - moved[:, 2] // 2) // _BLOCK
    for down in range(16 // _BLOCK):
        for right in range(16 // _BLOCK):
            covers = (moved[:, 1] > _BLOCK * right) & (moved[:, 2] > _BLOCK * down)
            covers &= (top + down < rows) & (left + right < columns)
            steps[top[covers] + down, left[covers] + right] = step[covers]
    source = here + steps.repeat(_BLOCK, 0).repeat(_BLOCK, 1)[:height, :width]
    # Both ends inside the picture, else the sample keeps its place (point 5).
    inside = (source >= 0) & (source < (width, height))
    return np.where(inside.all(-1, keepdims=True), source, here)

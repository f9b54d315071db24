"""What CoViAR's data loader computes, sample for sample, to compare with: not to train on.

C.-Y. Wu et al., "Compressed Video Action Recognition", CVPR 2018; its loader is the usual way to
"compressed-domain" input. It decodes every frame and subtracts. Its behaviour differs from motion
compensation, and from the residual that the stream carries, in these points, all kept here:

1. vectors are truncated towards zero to whole samples (half and quarter samples are dropped);
2. one vector field serves all colours: subtraction happens in BGR after chroma up-sampling;
3. accumulation follows one path back to the I-frame by nearest look-up, never by interpolation;
4. a macroblock without a vector (intra) counts as one that did not move: its "residual" is a
   plain frame difference;
5. samples whose source lies outside the picture keep what they had (no motion, or the path of
   the sample itself), instead of the clamped border;
6. without accumulation the reference is the frame before in display order;
7. decoder and parser are never flushed: the last frame of the file is lost;
8. the deblocking, clipping and rounding of the decoder all stay in the difference.

The original re-decodes from the start of the group of pictures for each frame asked for. Here one
pass gives the same values for all frames.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from av.video.frame import PictureType
from av.video.reformatter import Interpolation

from mic.codec.reading import decoded_frames
from mic.decoded.residuals import vectors_of
from mic.errors import CodecError
from mic_bitstream.containers import open_container, video_stream
from mic_bitstream.files import check_size


@dataclasses.dataclass(frozen=True)
class CoviarFrame:
    """One frame as CoViAR's loader gives it.

    Attributes:
        number: Index from 0 in the file.
        position: Index from 0 in its group of pictures; 0 is the I-frame.
        residual: int32 (H, W, 3), BGR; zero for I-frames.
        motion: int32 (H, W, 2), (x, y) in whole samples: where from, as target minus source.
    """

    number: int
    position: int
    residual: np.ndarray
    motion: np.ndarray


def frames(path: str | Path, *, accumulate: bool = True) -> Iterator[CoviarFrame]:
    """Yields every frame but the last (point 7), memory flat in the clip's length.

    Args:
        path: A video whose decoder exports motion vectors; the original takes MPEG-4 Part 2.
        accumulate: Difference to the I-frame along the chain of vectors, else to the frame
            before along one vector.

    Raises:
        CodecError: The file cannot be opened or decoded.
    """
    path = Path(path)
    try:
        with open_container(path) as container:
            yield from _frames(container, path, accumulate=accumulate)
    except av.FFmpegError as error:
        raise CodecError(
            f"cannot decode: {error}", file=path, remedy="check the file, or re-encode it"
        ) from error


def _frames(
    container: av.container.InputContainer, path: Path, *, accumulate: bool
) -> Iterator[CoviarFrame]:
    stream = video_stream(container, path)
    check_size(stream.codec_context.width, stream.codec_context.height, path)
    stream.codec_context.options = {"flags2": "+export_mvs"}
    waiting: CoviarFrame | None = None
    reference = chain = None
    position = -1
    for number, frame in enumerate(decoded_frames(container, stream, path)):
        if waiting is not None:
            yield waiting
        picture = frame.reformat(format="bgr24", interpolation=Interpolation.BICUBIC)
        picture = picture.to_ndarray().astype(np.int32)
        here = np.stack(np.indices(picture.shape[:2])[::-1], -1).astype(np.int32)
        if frame.pict_type == PictureType.I or chain is None or reference is None:
            position, reference, chain = 0, picture, here
            zero = np.zeros_like(picture)
            waiting = CoviarFrame(number, 0, zero, zero[..., :2].copy())
            continue
        position += 1
        source = _sources(frame, here)
        if accumulate:
            chain = source = chain[source[..., 1], source[..., 0]]
        residual = picture - reference[source[..., 1], source[..., 0]]
        waiting = CoviarFrame(number, position, residual, here - source)
        if not accumulate:
            reference = picture


def _sources(frame: av.VideoFrame, here: np.ndarray) -> np.ndarray:
    """Where each sample comes from in the frame before: (H, W, 2) as (x, y)."""
    height, width = here.shape[:2]
    source = here.copy()
    for block in vectors_of(frame):
        # libavcodec's src is dst plus the vector truncated towards zero (point 1).
        dx, dy = int(block["src_x"] - block["dst_x"]), int(block["src_y"] - block["dst_y"])
        if dx == 0 and dy == 0:
            continue
        tall, wide = int(block["h"]), int(block["w"])
        top, left = int(block["dst_y"]) - tall // 2, int(block["dst_x"]) - wide // 2
        # Both ends inside the picture, else the sample keeps its place (point 5).
        rows = slice(max(top, 0, -dy), min(top + tall, height, height - dy))
        columns = slice(max(left, 0, -dx), min(left + wide, width, width - dx))
        if rows.start < rows.stop and columns.start < columns.stop:
            source[rows, columns] = here[rows, columns] + (dx, dy)
    return source

"""Motion vectors as libavcodec exports them: rows of ten numbers, a vector each.

The columns are those of libavutil's `AVMotionVector`: `source` (-1: the picture before), `w`, `h`,
`src_x`, `src_y`, `dst_x`, `dst_y`, `motion_x`, `motion_y`, `motion_scale`. `dst` is the block's
centre, `src` is where the vector leads, truncated towards zero to whole samples, and the vector is
(motion_x, motion_y) / motion_scale samples. Tools that are built on `flags2=+export_mvs` expect
them; the parser's own `Motion` holds the same in an array of fixed shape.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mic_bitstream.records import INTER4V, INTRA, INTRA_Q, MISSING, Motion
from mic_bitstream.side_data import motion_vectors

if TYPE_CHECKING:
    import av

COLUMNS = (
    *("source", "w", "h", "src_x", "src_y", "dst_x", "dst_y"),
    *("motion_x", "motion_y", "motion_scale"),
)


def exported(frame: av.VideoFrame) -> np.ndarray:
    """What libavcodec attached to a decoded picture, int32 (N, 10); N is 0 where it did not.

    Args:
        frame: Decoded with the option `flags2=+export_mvs`.
    """
    data = motion_vectors(frame)
    if data is None:
        return np.zeros((0, len(COLUMNS)), np.int32)
    table = data.to_ndarray()
    return np.stack([table[name].astype(np.int32) for name in COLUMNS], axis=1)


def as_exported(motion: Motion, row: int, *, quarter_sample: bool) -> np.ndarray:
    """One frame's vectors in libavcodec's form and order, without decoding it.

    A macroblock gives one row, or four where it has a vector for each of its blocks; intra and
    lost ones give none, skipped ones a vector of zero.

    Args:
        motion: Parsed vectors of frames without B-VOPs.
        row: Of `motion`.
        quarter_sample: Whether the stream's vectors are in quarter samples, or in half samples.

    Returns:
        int32 (N, 10), see `COLUMNS`. N is 0 for I-VOPs.
    """
    types = motion.types[row]
    lines, columns = types.shape
    predicted = (types != INTRA) & (types != INTRA_Q) & (types != MISSING)
    four = types == INTER4V
    # A row a block of 8x8, in the order of macroblocks and, within one, of its blocks.
    blocks = motion.blocks[row].reshape(lines, 2, columns, 2, 2).swapaxes(1, 2).reshape(-1, 4, 2)
    kept = np.zeros((lines * columns, 4), bool)
    kept[:, 0] = predicted.ravel()
    kept[four.ravel()] = True
    macroblock, block = np.nonzero(kept)
    small = four.ravel()[macroblock]
    side = np.where(small, 8, 16)
    scale = 4 if quarter_sample else 2
    vectors = blocks[macroblock, block].astype(np.int32) * scale // 4
    corner = np.stack([macroblock % columns, macroblock // columns], 1) * 16
    inner = np.stack([block % 2, block // 2], 1) * 8
    centre = corner + np.where(small[:, None], inner + 4, 8)
    # Integer division that truncates towards zero, as C has it.
    whole = np.sign(vectors) * (np.abs(vectors) // scale)
    found = np.empty((len(macroblock), len(COLUMNS)), np.int32)
    found[:, 0] = -1
    found[:, 1] = found[:, 2] = side
    found[:, 3:5] = centre + whole
    found[:, 5:7] = centre
    found[:, 7:9] = vectors
    found[:, 9] = scale
    return found

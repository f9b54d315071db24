"""Motion-compensation oracle: decoded frame minus MC of the one before, from exported vectors.

NumPy only. Clauses of ISO/IEC 14496-2: 7.6.2 (half sample), 7.6.2.2 (quarter sample), 7.6.4
(vectors outside the picture), 7.6.5 (chroma vectors of four luma vectors, Table 7-9).
"""

from __future__ import annotations

from collections.abc import Iterator

import av
import numpy as np

from oracles.flat import decode_vop, decoder, planes
from oracles.stream import Clip, padded

# Table 7-9: sixteenths of a chroma sample to half samples.
CHROMA_ROUNDING = np.array([0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2])
TAPS = np.array([-1, 3, -6, 20, 20, -6, 3, -1])


def vectors(
    frame: av.VideoFrame, height: int, width: int, *, past: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Exported motion vectors per 8x8 block, and how each macroblock was predicted.

    For B-VOPs of MPEG-4 libavcodec exports zeros, so there only the count tells something.

    Args:
        frame: Decoded with export_mvs.
        height: Rows of macroblocks.
        width: Macroblocks in a row.
        past: Vectors into the reference that is shown before, or into the one shown after.

    Returns:
        (mv, count): mv int32 (2 h, 2 w, 2) as (x, y) in the stream's own unit (half or quarter
        samples); count uint8 (h, w): 0 intra, 1 one vector, 4 four vectors.
    """
    mv = np.zeros((2 * height, 2 * width, 2), np.int32)
    count = np.zeros((height, width), np.uint8)
    data = frame.side_data.get("MOTION_VECTORS")
    if data is None:
        return mv, count
    table = data.to_ndarray()
    table = table[(table["source"] < 0) == past]
    # dst_x, dst_y are block centres.
    column, row = table["dst_x"] // 8, table["dst_y"] // 8
    motion = np.stack([table["motion_x"], table["motion_y"]], 1)
    large = table["w"] == 16
    for down in (0, 1):
        for right in (0, 1):
            mv[row[large] - 1 + down, column[large] - 1 + right] = motion[large]
    count[row[large] // 2, column[large] // 2] = 1
    small = ~large
    mv[row[small], column[small]] = motion[small]
    count[row[small] // 2, column[small] // 2] = 4
    return mv, count


def chroma_vectors(mv: np.ndarray, count: np.ndarray, *, quarter_sample: bool) -> np.ndarray:
    """Chroma vectors of each macroblock in half chroma samples, int32 (h, w, 2)."""
    half = np.trunc(mv / 2).astype(np.int32) if quarter_sample else mv
    one = half[::2, ::2]
    one = (one >> 1) | (one & 1)
    total = half[::2, ::2] + half[1::2, ::2] + half[::2, 1::2] + half[1::2, 1::2]
    four = CHROMA_ROUNDING[total & 15] + 2 * (total >> 4)
    return np.where(count[..., None] == 4, four, one)


def gather(plane: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Samples at (row, column), coordinates clamped into the plane (7.6.4)."""
    height, width = plane.shape
    return plane[row.clip(0, height - 1), column.clip(0, width - 1)].astype(np.int32)


def half_sample(plane: np.ndarray, mv: np.ndarray, rounding: int) -> np.ndarray:
    """Bilinear prediction of a plane from a dense half-sample vector field (H, W, 2)."""
    row, column = np.indices(plane.shape)
    row, column = row + (mv[..., 1] >> 1), column + (mv[..., 0] >> 1)
    right, down = mv[..., 0] & 1, mv[..., 1] & 1
    a = gather(plane, row, column)
    b = gather(plane, row, column + right)
    c = gather(plane, row + down, column)
    d = gather(plane, row + down, column + right)
    # With one fraction zero the four-tap mean of (a, a, c, c) equals the two-tap one:
    # (2a + 2c + 2 - r) >> 2 = (a + c + 1 - r) >> 1 only for r = 0, so the cases stay apart.
    both = (a + b + c + d + 2 - rounding) >> 2
    one = (a + np.where(right == 1, b, c) + 1 - rounding) >> 1
    return np.where(right & down, both, np.where(right | down, one, a))


def quarter_axis(block: np.ndarray, fraction: np.ndarray, rounding: int) -> np.ndarray:
    """Quarter-sample interpolation along the last axis: (n, rows, N + 1) -> (n, rows, N)."""
    size = block.shape[-1] - 1
    mirrored = np.concatenate([block[..., 2::-1], block, block[..., :-4:-1]], -1)
    window = np.lib.stride_tricks.sliding_window_view(mirrored, 8, -1)[..., :size, :]
    half = ((window @ TAPS + 16 - rounding) >> 5).clip(0, 255)
    full = np.where(fraction[:, None, None] == 3, block[..., 1:], block[..., :-1])
    mean = (half + full + 1 - rounding) >> 1
    fraction = fraction[:, None, None]
    return np.where(fraction == 0, block[..., :-1], np.where(fraction == 2, half, mean))


def quarter_sample_blocks(
    plane: np.ndarray, mv: np.ndarray, origin: np.ndarray, size: int, rounding: int
) -> np.ndarray:
    """Luma prediction of size x size blocks at `origin` (n, 2) as (row, column): (n, N, N)."""
    reach = np.arange(size + 1)
    row = origin[:, 0, None, None] + (mv[:, 1] >> 2)[:, None, None] + reach[None, :, None]
    column = origin[:, 1, None, None] + (mv[:, 0] >> 2)[:, None, None] + reach[None, None, :]
    block = gather(plane, row, column)
    across = quarter_axis(block, mv[:, 0] & 3, rounding)
    return quarter_axis(across.swapaxes(1, 2), mv[:, 1] & 3, rounding).swapaxes(1, 2)


def predict_luma_quarter(
    plane: np.ndarray, mv: np.ndarray, count: np.ndarray, rounding: int
) -> np.ndarray:
    """Quarter-sample luma prediction: 16x16 blocks where one vector, 8x8 where four."""
    out = np.zeros(plane.shape, np.int32)
    for size, chosen, field in (
        (16, count != 4, mv[::2, ::2]),
        (8, (count == 4).repeat(2, 0).repeat(2, 1), mv),
    ):
        index = np.argwhere(chosen)
        if len(index):
            blocks = quarter_sample_blocks(plane, field[chosen], size * index, size, rounding)
            view = out.reshape(out.shape[0] // size, size, -1, size).swapaxes(1, 2)
            view[index[:, 0], index[:, 1]] = blocks
    return out


def predict(
    reference: tuple[np.ndarray, ...],
    mv: np.ndarray,
    count: np.ndarray,
    *,
    rounding: int,
    quarter_sample: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predicts Y, Cb, Cr of a P-VOP from padded reference planes (7.6)."""
    if quarter_sample:
        luma = predict_luma_quarter(reference[0], mv, count, rounding)
    else:
        luma = half_sample(reference[0], mv.repeat(8, 0).repeat(8, 1), rounding)
    chroma = chroma_vectors(mv, count, quarter_sample=quarter_sample).repeat(8, 0).repeat(8, 1)
    cb, cr = (half_sample(plane, chroma, rounding) for plane in reference[1:])
    return luma, cb, cr


def predict_between(
    past: tuple[np.ndarray, ...],
    future: tuple[np.ndarray, ...],
    mv: tuple[np.ndarray, np.ndarray],
    used: tuple[np.ndarray, np.ndarray],
    four: np.ndarray,
    *,
    quarter_sample: bool,
) -> tuple[np.ndarray, ...]:
    """Predicts Y, Cb, Cr of a B-VOP (7.6.9): from one reference, or (a + b + 1) >> 1 of both.

    Args:
        past: Planes of the reference that is shown before.
        future: Planes of the one shown after.
        mv: Vectors (2 h, 2 w, 2) into each, in the stream's unit.
        used: Macroblocks predicted from each, bool (h, w).
        four: Macroblocks predicted as four blocks of 8x8, bool (h, w).
        quarter_sample: The unit of `mv`.
    """
    count = np.where(four, 4, 1)
    forward, backward = (
        predict(reference, field, count, rounding=0, quarter_sample=quarter_sample)
        for reference, field in zip((past, future), mv, strict=True)
    )
    out = []
    for k, (a, b) in enumerate(zip(forward, backward, strict=True)):
        side = 8 if k else 16
        from_past, from_future = (mask.repeat(side, 0).repeat(side, 1) for mask in used)
        both = from_past & from_future
        out.append(np.where(both, (a + b + 1) >> 1, np.where(from_future, b, a)))
    return tuple(out)


def frames(clip: Clip) -> Iterator[av.VideoFrame | None]:
    """Padded decoded frames with exported vectors, in coding order; None for no coded VOP."""
    context = decoder(padded(clip.headers, clip.vol), flags2="+export_mvs")
    for number, vop in enumerate(clip.vops):
        frame = decode_vop(context, vop.data, number)
        yield frame if vop.coded else None


def decoded(clip: Clip) -> Iterator[tuple[tuple[np.ndarray, ...] | None, np.ndarray, np.ndarray]]:
    """Padded decoded planes (None where the VOP is not coded), vectors and their count."""
    for frame in frames(clip):
        if frame is None:
            empty = np.zeros((2 * clip.vol.mb_height, 2 * clip.vol.mb_width, 2), np.int32)
            yield None, empty, np.ones(empty.shape[:2], np.uint8)[::2, ::2]
        else:
            yield planes(frame), *vectors(frame, clip.vol.mb_height, clip.vol.mb_width)


def residuals(clip: Clip) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Frame minus prediction for every P-VOP, zero in intra macroblocks; as `flat.residuals`.

    Equal to the coded residual except where the decoder clipped the sum to [0, 255].
    """
    reference = None
    for (current, mv, count), vop in zip(decoded(clip), clip.vops, strict=True):
        if current is None or vop.kind == "I":
            shape = (16 * clip.vol.mb_height, 16 * clip.vol.mb_width)
            y, cb, cr = (np.zeros((shape[0] // n, shape[1] // n), np.int16) for n in (1, 2, 2))
            intra = np.full(count.shape, vop.kind == "I")
        else:
            prediction = predict(
                reference,
                mv,
                count,
                rounding=vop.rounding,
                quarter_sample=clip.vol.quarter_sample,
            )
            y, cb, cr = (now - then for now, then in zip(current, prediction, strict=True))
            intra = count == 0
            y[intra.repeat(16, 0).repeat(16, 1)] = 0
            cb[intra.repeat(8, 0).repeat(8, 1)] = 0
            cr[intra.repeat(8, 0).repeat(8, 1)] = 0
        reference = current if current is not None else reference
        yield y, cb, cr, intra

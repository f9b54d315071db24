"""Flat-reference oracle: the residual of a P- or B-VOP, out of unmodified libavcodec.

A P-VOP decoded after a flat I-VOP of value b gives clip(b + residual): motion compensation of a
flat picture is flat, whatever the vector, the rounding and the filter. For b = 0 and b = 255,
out_0 + out_255 - 255 is the residual, saturated to [-255, 255]. Macroblocks that come out equal
for both are intra: they have no residual.

A B-VOP has two references. The future one, behind the flat I-VOP, is a P-VOP that changes nothing
but skips the same macroblocks as the stream's own, because B-VOPs hold no bits for those.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import av
import numpy as np

from oracles.stream import Clip, flat_intra_vop, padded, still_vop

INPUT_PADDING = bytes(64)  # PyAV does not zero the padding that libavcodec's bit reader may touch


def decoder(headers: bytes, **options: str) -> av.CodecContext:
    """A one-thread MPEG-4 decoder that gives each frame as it comes (no B-VOP delay)."""
    context = av.CodecContext.create("mpeg4", "r")
    context.thread_count = 1
    context.extradata = headers
    # simple_idct is the transform of our parser; libavcodec would take Xvid's for Xvid's streams.
    # bugs=0: decode by the standard, not by guesses about who wrote the stream. bitexact: with
    # the mismatch control of intra blocks (7.4.4.5), which libavcodec leaves out otherwise.
    flags = {"flags": "+low_delay+bitexact", "idct": "simple", "bugs": "0"}
    context.options = {**flags, **options}
    context.open()
    return context


def decode_vop(context: av.CodecContext, data: bytes, pts: int) -> av.VideoFrame | None:
    """Decodes one VOP; None for a VOP that is not coded."""
    packet = av.Packet(data + INPUT_PADDING)
    packet.pts = packet.dts = pts
    frames = context.decode(packet)
    return frames[-1] if frames else None


def planes(frame: av.VideoFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Y, Cb, Cr of a yuv420p frame as int16 copies."""
    found = []
    for plane in frame.planes:
        rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
        found.append(rows[:, : plane.width].astype(np.int16))
    return found[0], found[1], found[2]


def residuals(
    clip: Clip, *, lowres: int = 0, skipped: Sequence[np.ndarray] = ()
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Residual planes of every VOP, padded to whole macroblocks.

    Args:
        clip: The stream.
        lowres: libavcodec's reduced decoding: planes of 1 / 2**lowres size from as many low DCT
            coefficients. Not for tiny pictures: its reduced motion compensation does not keep a
            flat reference flat where vectors lead far outside.
        skipped: For clips with B-VOPs: which macroblocks of each VOP are not coded, bool (h, w).

    Yields, in coding order, (y, cb, cr, intra): int16 (16 h, 16 w), (8 h, 8 w) twice, and bool
    (h, w) for h x w macroblocks. I-VOPs and VOPs that are not coded yield zeros.
    """
    headers, vol = padded(clip.headers, clip.vol), clip.vol
    height, width = vol.mb_height, vol.mb_width
    luma, chroma = 16 >> lowres, 8 >> lowres
    contexts = [decoder(headers, lowres=str(lowres)) for _ in range(2)]
    flats = [flat_intra_vop(vol, 0), flat_intra_vop(vol, 255)]
    future = 0
    for number, vop in enumerate(clip.vops):
        y, cb, cr = (
            np.zeros((size * height, size * width), np.int16) for size in (luma, chroma, chroma)
        )
        intra = np.full((height, width), vop.kind == "I")
        if vop.kind != "B" and vop.coded:
            future = number
        if vop.kind != "I" and vop.coded:
            outputs = []
            for context, flat in zip(contexts, flats, strict=True):
                decode_vop(context, flat, 3 * number)
                if vop.kind == "B":
                    still = still_vop(vol, skipped[future], vop.seconds + 1)
                    decode_vop(context, still, 3 * number + 1)
                outputs.append(planes(decode_vop(context, vop.data, 3 * number + 2)))
            equal = [
                (low == high).reshape(height, -1, width, low.shape[1] // width).all((1, 3))
                for low, high in zip(*outputs, strict=True)
            ]
            intra = equal[0] & equal[1] & equal[2]
            y, cb, cr = (low + high - 255 for low, high in zip(*outputs, strict=True))
            y[intra.repeat(luma, 0).repeat(luma, 1)] = 0
            cb[intra.repeat(chroma, 0).repeat(chroma, 1)] = 0
            cr[intra.repeat(chroma, 0).repeat(chroma, 1)] = 0
        yield y, cb, cr, intra

"""The coded residual of H.264's B-pictures, out of unmodified libavcodec.

A B-picture's future reference is handed out behind it, so that it cannot be overwritten in time
(`overwritten`). Here it never holds a picture: every I- and P-slice of the stream is replaced by
an intra picture that codes nothing, of the same number and order, which decodes to 128 throughout.
Motion compensation of flat pictures is flat, whatever the vectors, so that each B-picture comes
out as clip(128 + residual), without loop filter. How it is parsed depends on no sample and on no
vector of another picture (9.3.3.1.1: what is direct counts as zero).

Not for B-pictures that others are predicted from (b-pyramid), nor for explicit weights, nor for
intra blocks, which are predicted from their neighbours.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

GREY = 128
_PPS = 1  # pic_parameter_set_id of what is made here; encoders use 0
_I_SLICE = 7  # slice_type: this and all others of the picture are I
_NON_IDR, _IDR, _SPS = 1, 5, 7
_B_TYPES = (1, 6)
_HEADER = 32  # bytes that hold what is read of a slice header
Planes = tuple[np.ndarray, np.ndarray, np.ndarray]


class _Bits:
    """Reads what 7.2 and 9.1 call u(n) and ue(v) from a payload without emulation prevention."""

    def __init__(self, nal: bytes) -> None:
        payload = nal[1:].replace(b"\0\0\3", b"\0\0")
        self._bits = "".join(f"{byte:08b}" for byte in payload)
        self._at = 0

    def take(self, count: int) -> int:
        self._at += count
        return int(self._bits[self._at - count : self._at] or "0", 2)

    def code(self) -> int:
        zeros = self._bits.index("1", self._at) - self._at
        self._at += zeros
        return self.take(zeros + 1) - 1


def _code(value: int) -> str:
    digits = f"{value + 1:b}"
    return "0" * (len(digits) - 1) + digits


def _nal(header: int, bits: str) -> bytes:
    """A NAL unit: these bits, the trailing ones (7.3.2.11), emulation prevention (7.4.1)."""
    bits += "1"
    bits += "0" * (-len(bits) % 8)
    payload = bytearray()
    for byte in int(bits, 2).to_bytes(len(bits) // 8, "big"):
        if payload[-2:] == b"\0\0" and byte <= 3:
            payload.append(3)
        payload.append(byte)
    return bytes([header]) + bytes(payload)


@dataclasses.dataclass(frozen=True)
class _Sequence:
    """What slices need of a sequence parameter set (7.3.2.1.1)."""

    number_bits: int
    order_bits: int
    macroblocks: int

    @classmethod
    def read(cls, nal: bytes) -> _Sequence:
        bits = _Bits(nal)
        profile = bits.take(8)
        bits.take(16)
        bits.code()
        if profile >= 100:
            chroma, depths = bits.code(), (bits.code(), bits.code())
            assert (chroma, depths) == (1, (0, 0)), "8 bits, 4:2:0"
            bits.take(1)
            assert not bits.take(1), "no scaling matrix"
        number_bits = bits.code() + 4
        assert bits.code() == 0, "picture order is written down"
        order_bits = bits.code() + 4
        bits.code()
        bits.take(1)
        width, height = bits.code() + 1, bits.code() + 1
        assert bits.take(1), "frames, not fields"
        return cls(number_bits, order_bits, width * height)


def _flat_slice(nal: bytes, sequence: _Sequence) -> bytes:
    """An I-slice that stands for the same picture and codes nothing (7.3.3, 7.3.5)."""
    reference, kind = nal[0] >> 5 & 3, nal[0] & 31
    bits = _Bits(nal[:_HEADER])
    first = bits.code()
    assert first == 0, "one slice a picture"
    bits.code()
    bits.code()
    number = bits.take(sequence.number_bits)
    text = _code(0) + _code(_I_SLICE) + _code(_PPS) + f"{number:0{sequence.number_bits}b}"
    if kind == _IDR:
        text += _code(bits.code())
    text += f"{bits.take(sequence.order_bits):0{sequence.order_bits}b}"
    if reference:  # dec_ref_pic_marking: keep what comes, in a sliding window
        text += "00" if kind == _IDR else "0"
    text += _code(0) + _code(1)  # slice_qp_delta; no loop filter
    # I_16x16 predicted by its mean (mb_type 3), chroma too, no quantiser step, no coefficient.
    macroblock = _code(3) + _code(0) + _code(0) + "1"
    return _nal(nal[0], text + macroblock * sequence.macroblocks)


def _parameters() -> bytes:
    """A picture parameter set for `_flat_slice`: variable-length codes, loop filter in slices."""
    text = _code(_PPS) + _code(0) + "0" + "0" + _code(0) + _code(0) + _code(0) + "0" + "00"
    text += _code(0) + _code(0) + _code(0) + "1" + "0" + "0"
    return _nal(0x68, text)


def _flattened(path: Path) -> Iterator[bytes]:
    """Annex B of every packet of a file, with flat references."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        to_annex_b = av.BitStreamFilterContext("h264_mp4toannexb", stream)
        sequence = None
        for packet in container.demux(stream):
            for filtered in to_annex_b.filter(packet):
                nals = bytes(filtered).replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")[1:]
                for number, nal in enumerate(nals):
                    kind = nal[0] & 31
                    if kind == _SPS:
                        sequence = _Sequence.read(nal)
                        nals[number] += b"\0\0\1" + _parameters()
                    elif kind in (_NON_IDR, _IDR):
                        assert sequence is not None, "a sequence parameter set comes first"
                        bits = _Bits(nal[:_HEADER])
                        bits.code()
                        if bits.code() not in _B_TYPES:
                            nals[number] = _flat_slice(nal, sequence)
                        else:
                            assert not nal[0] & 0x60, "nothing is predicted from B-pictures"
                if nals:
                    yield b"".join(b"\0\0\1" + nal for nal in nals)


def residuals(path: Path) -> Iterator[Planes]:
    """Y, Cb, Cr of every picture as shown, int16, of whole macroblocks; those of others are zero.

    Args:
        path: H.264 with B-pictures, without explicit weights, in a container.
    """
    decoder = av.CodecContext.create("h264", "r")
    decoder.thread_count = 1
    decoder.options = {"apply_cropping": "0", "skip_loop_filter": "all"}
    packets = [av.Packet(data) for data in _flattened(path)]
    for packet in [*packets, None]:
        for frame in decoder.decode(packet):
            found = []
            for plane in frame.planes:
                rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
                found.append(rows[:, : plane.width].astype(np.int16) - GREY)
            yield found[0], found[1], found[2]

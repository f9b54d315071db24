"""H.264 whose pictures are coded as two fields, or as frames, of samples as they are (I_PCM).

No encoder at hand codes fields. Clauses are of ITU-T H.264.
"""

import numpy as np

_IPCM = 25  # mb_type (Table 7-11)
_IDR_EVERY = 10


class Bits:
    """Bits of a syntax structure."""

    def __init__(self):
        self.text = ""

    def put(self, count, value):
        self.text += f"{value:0{count}b}" if count else ""
        return self

    def golomb(self, *values):
        for value in values:
            word = f"{value + 1:b}"
            self.text += "0" * (len(word) - 1) + word
        return self

    def bytes(self, *, stop):
        text = self.text + ("1" if stop else "")
        text += "0" * (-len(text) % 8)
        return int(text, 2).to_bytes(len(text) // 8, "big")


def unit(kind, payload, *, reference=True):
    """A NAL unit in a byte stream, with emulation prevention (7.3.1, annex B)."""
    found, zeros = bytearray(), 0
    for byte in payload:
        if zeros >= 2 and byte <= 3:
            found.append(3)
            zeros = 0
        found.append(byte)
        zeros = 0 if byte else zeros + 1
    return b"\0\0\0\1" + bytes([(0x60 if reference else 0) | kind]) + bytes(found)


def parameter_sets(height, width, *, fields, scaling=False):
    """A sequence and a picture parameter set (7.3.2.1, 7.3.2.2)."""
    sequence = Bits().put(8, 100 if scaling else 77).put(16, 40).golomb(0)
    if scaling:  # one list of sixteen, which all come as they are predicted
        sequence.golomb(1, 0, 0).put(2, 1)
        sequence.put(1, 1).golomb(*[0] * 16).put(7, 0)
    sequence.golomb(0, 0, 4, 1).put(1, 0)  # frame_num of 4 bits, order by 8 bits
    sequence.golomb(width // 16 - 1, height // (32 if fields else 16) - 1)
    sequence.put(1, not fields)
    if fields:
        sequence.put(1, 0)
    sequence.put(1, 1).put(2, 0)
    picture = Bits().golomb(0, 0).put(2, 0).golomb(0, 0, 0).put(3, 0).golomb(0, 0, 0).put(3, 4)
    return unit(7, sequence.bytes(stop=True)) + unit(8, picture.bytes(stop=True))


def coded(luma, number, *, parity=None, interlaced=True, reference=True, frame=None):
    """An access unit of a gray picture or field; the first of ten pictures is an IDR picture.

    `frame` is its frame_num: that of the reference pictures before it, where not all are such.
    """
    idr = number % _IDR_EVERY == 0 and parity != 1
    order = 2 * (number % _IDR_EVERY) + (parity or 0)
    frame = number % _IDR_EVERY if frame is None else frame
    bits = Bits().golomb(0, 7, 0).put(4, frame)  # slice_type I
    if interlaced:
        bits.put(1, parity is not None).put(0 if parity is None else 1, parity or 0)
    if idr:
        bits.golomb(number // _IDR_EVERY % 2)
    bits.put(8, order).put((2 if idr else 1) if reference else 0, 0)
    bits.golomb(0, 1)  # no loop filter
    found = b""
    for top in range(0, luma.shape[0], 16):
        for left in range(0, luma.shape[1], 16):
            found += bits.golomb(_IPCM).bytes(stop=False)
            found += luma[top : top + 16, left : left + 16].tobytes() + b"\x80" * 128
            bits = Bits()
    return unit(5 if idr else 1, found + b"\x80", reference=reference)


def film(levels, *, height=64, width=64, scaling=False, unreferred=()):
    """The two access units of each picture of one gray level, and parameter sets at the first.

    Nothing may refer to the pictures that are `unreferred`.
    """
    units, frame = [], 0
    for number, level in enumerate(levels):
        field = np.full((height // 2, width), level, np.uint8)
        frame = frame if number % _IDR_EVERY else 0
        told = {"reference": number not in unreferred, "frame": frame}
        pair = [coded(field, number, parity=parity, **told) for parity in (0, 1)]
        frame += number not in unreferred
        if number % _IDR_EVERY == 0:
            pair[0] = parameter_sets(height, width, fields=True, scaling=scaling) + pair[0]
        units.append(pair)
    return units

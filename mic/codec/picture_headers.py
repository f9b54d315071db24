"""What the first bytes of a coded picture tell, of codecs whose pictures are not all shown.

Clauses are of ISO/IEC 14496-2 for VOPs, of ITU-T H.265 for HEVC.
"""

from __future__ import annotations

LAYERS = range(0x20, 0x30)


def hevc_type(data: bytes, headers: bytes) -> int:
    """nal_unit_type of the first slice of an HEVC picture (7.3.1.2); -1 if there is none."""
    at, step = 0, 0
    if headers[:1] == b"\1" and len(headers) > 21:  # units with their lengths before them
        step = (headers[21] & 3) + 1
    while True:
        if step:
            start = at + step
            at = start + int.from_bytes(data[at:start])
        else:
            found = data.find(b"\0\0\1", at)
            if found < 0:
                return -1
            start = at = found + 3
        if start >= len(data):
            return -1
        kind = data[start] >> 1 & 0x3F
        if kind < 32:
            return kind


def resolution(headers: bytes) -> int:
    """vop_time_increment_resolution of a video object layer (6.2.3), 0 if there is none."""
    at = headers.find(b"\0\0\1")
    while 0 <= at < len(headers) - 4 and headers[at + 3] not in LAYERS:
        at = headers.find(b"\0\0\1", at + 3)
    if not 0 <= at < len(headers) - 4:
        return 0
    bits = _Bits(headers[at + 4 : at + 44])
    bits.take(9)  # random_accessible_vol, video_object_type_indication
    version = 1
    if bits.take(1):  # is_object_layer_identifier
        version = bits.take(4)
        bits.take(3)
    if bits.take(4) == 15:  # aspect_ratio_info: extended_PAR
        bits.take(16)
    if bits.take(1):  # vol_control_parameters
        bits.take(3)
        if bits.take(1):  # vbv_parameters
            bits.take(79)
    if bits.take(2) == 3 and version != 1:  # video_object_layer_shape: grayscale
        bits.take(4)
    bits.take(1)
    return bits.take(16)


def vop_header(vop: bytes, resolution: int) -> tuple[bool, int]:
    """vop_coded and vop_time_increment (6.2.5); True and 0 where the layer's header is unknown."""
    if resolution == 0:
        return True, 0
    bits = _Bits(vop)
    bits.take(2)  # vop_coding_type
    while bits.take(1):  # modulo_time_base
        pass
    bits.take(1)
    increment = bits.take(max(1, (resolution - 1).bit_length()))
    bits.take(1)
    return bool(bits.take(1)), increment


class _Bits:
    """Bits of a header, most significant first; zeros behind its end."""

    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data, "big"), 8 * len(data)

    def take(self, count: int) -> int:
        self._left -= count
        shifted = self._value >> self._left if self._left >= 0 else self._value << -self._left
        return shifted & ((1 << count) - 1)

"""Just enough of ISO/IEC 14496-2 headers, in plain Python, to steer libavcodec as an oracle.

Written apart from `native/` on purpose: an oracle that shared code with the parser would share
its mistakes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

import av
import numpy as np
from av.bitstream import BitStreamFilterContext

VOL_CODES = range(0x20, 0x30)
VOP_CODE = 0xB6
KINDS = "IPBS"


class Bits:
    """Reads and writes big-endian bit fields; `position` counts bits."""

    def __init__(self, data: bytes, position: int = 0) -> None:
        self.value = int.from_bytes(data, "big")
        self.length = 8 * len(data)
        self.position = position

    def read(self, count: int) -> int:
        """The next `count` bits as an unsigned number."""
        self.position += count
        return (self.value >> (self.length - self.position)) & ((1 << count) - 1)

    def patch(self, position: int, count: int, number: int) -> None:
        """Overwrites `count` bits at `position`."""
        shift = self.length - position - count
        mask = ((1 << count) - 1) << shift
        self.value = (self.value & ~mask) | (number << shift)

    def to_bytes(self) -> bytes:
        """The whole buffer."""
        return self.value.to_bytes(self.length // 8, "big")


@dataclasses.dataclass(frozen=True)
class Vol:
    """The fields of a video object layer (6.2.3) that the oracles use."""

    width: int
    height: int
    time_bits: int
    quarter_sample: bool
    quant_type: bool
    resync_marker_disable: bool
    low_delay_position: int | None
    width_position: int
    height_position: int

    @property
    def mb_width(self) -> int:
        """Macroblocks in a row."""
        return (self.width + 15) // 16

    @property
    def mb_height(self) -> int:
        """Rows of macroblocks."""
        return (self.height + 15) // 16


@dataclasses.dataclass(frozen=True)
class Vop:
    """One VOP: its packet with start code, and the header fields (6.2.5)."""

    data: bytes
    kind: str
    coded: bool
    rounding: int
    quant: int
    coded_position: int  # of vop_coded, in bits
    seconds: int = 0


@dataclasses.dataclass(frozen=True)
class Clip:
    """A demuxed MPEG-4 Part 2 stream: headers, VOL and VOPs in coding order."""

    headers: bytes
    vol: Vol
    vops: tuple[Vop, ...]


def start_codes(data: bytes) -> list[tuple[int, int]]:
    """All (byte offset, code) of start codes 00 00 01 xx in `data`."""
    found, at = [], data.find(b"\0\0\1")
    while 0 <= at < len(data) - 3:
        found.append((at, data[at + 3]))
        at = data.find(b"\0\0\1", at + 3)
    return found


def parse_vol(headers: bytes) -> Vol:
    """Parses the first video object layer in `headers` (rectangular, no scalability)."""
    offset = next(at for at, code in start_codes(headers) if code in VOL_CODES)
    bits = Bits(headers, 8 * (offset + 4))
    bits.read(1 + 8)  # random_accessible_vol, video_object_type_indication
    verid = 1
    if bits.read(1):
        verid = bits.read(4)
        bits.read(3)
    if bits.read(4) == 15:
        bits.read(16)  # par_width, par_height
    low_delay_position = None
    if bits.read(1):  # vol_control_parameters
        bits.read(2)
        low_delay_position = bits.position
        bits.read(1)
        if bits.read(1):
            bits.read(79)  # vbv parameters
    assert bits.read(2) == 0, "only rectangular shape"
    bits.read(1)
    resolution = bits.read(16)
    time_bits = max(1, (resolution - 1).bit_length())
    bits.read(1)
    if bits.read(1):
        bits.read(time_bits)
    bits.read(1)
    width_position, width = bits.position, bits.read(13)
    bits.read(1)
    height_position, height = bits.position, bits.read(13)
    bits.read(1)
    bits.read(2)  # interlaced, obmc_disable
    assert bits.read(1 if verid == 1 else 2) == 0, "no sprites"
    assert bits.read(1) == 0, "only 8 bits"
    quant_type = bool(bits.read(1))
    if quant_type:
        for _ in range(2):  # load_intra_quant_mat, load_nonintra_quant_mat
            if bits.read(1):
                for _ in range(64):
                    if bits.read(8) == 0:
                        break
    quarter_sample = verid != 1 and bool(bits.read(1))
    bits.read(1)  # complexity_estimation_disable
    return Vol(
        width=width,
        height=height,
        time_bits=time_bits,
        quarter_sample=quarter_sample,
        quant_type=quant_type,
        resync_marker_disable=bool(bits.read(1)),
        low_delay_position=low_delay_position,
        width_position=width_position,
        height_position=height_position,
    )


def parse_vop(data: bytes, vol: Vol) -> Vop:
    """Reads the header of the VOP that starts at byte 0 of `data`."""
    bits = Bits(data[:64], 32)
    kind = KINDS[bits.read(2)]
    seconds = 0
    while bits.read(1):  # modulo_time_base
        seconds += 1
    bits.read(1 + vol.time_bits + 1)
    at = bits.position
    if not bits.read(1):
        return Vop(data, kind, coded=False, rounding=0, quant=0, coded_position=at)
    rounding = bits.read(1) if kind == "P" else 0
    bits.read(3)
    return Vop(data, kind, True, rounding, bits.read(5), at, seconds)


def padded(headers: bytes, vol: Vol) -> bytes:
    """The headers with width and height rounded up to whole macroblocks.

    The macroblock syntax depends only on the number of macroblocks, so libavcodec decodes the
    same VOPs and shows the samples right of and below the picture too: they are what motion
    vectors that point outside the picture read. low_delay becomes 1: each frame comes as it is
    decoded, in coding order.
    """
    bits = Bits(headers)
    if vol.low_delay_position is not None:
        bits.patch(vol.low_delay_position, 1, 1)
    bits.patch(vol.width_position, 13, 16 * vol.mb_width)
    bits.patch(vol.height_position, 13, 16 * vol.mb_height)
    return bits.to_bytes()


def load(path: Path) -> Clip:
    """Demuxes the first video stream of `path`; VOL from extradata or from the first packet.

    libavcodec's own filter takes packed bitstreams apart.
    """
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        headers = stream.codec_context.extradata or b""
        split = BitStreamFilterContext("mpeg4_unpack_bframes", stream)
        demuxed = [packet for packet in container.demux(stream) if packet.size]
        last = bytes(demuxed[-1])
        packets = [bytes(part) for packet in demuxed for part in split.filter(packet)]
    # The filter hands out a second VOP with the packet that follows; the last one has none.
    vops = [at for at, code in start_codes(last) if code == VOP_CODE]
    packets += [last[at:] for at in vops[1:]]
    if not any(code in VOL_CODES for _, code in start_codes(headers)):
        first = packets[0]
        vop = next(at for at, code in start_codes(first) if code == VOP_CODE)
        headers = first[:vop]
    vol = parse_vol(headers)
    vops = []
    for packet in packets:
        at = next(offset for offset, code in start_codes(packet) if code == VOP_CODE)
        vops.append(parse_vop(packet[at:], vol))
    return Clip(headers, vol, tuple(vops))


def written(path: Path, clip: Clip, vops: Iterable[bytes]) -> Path:
    """An elementary stream of these VOPs behind the clip's headers."""
    path.write_bytes(clip.headers + b"".join(vops))
    return path


def flat_intra_vop(vol: Vol, level: int) -> bytes:
    """An I-VOP whose every sample is `level`: the reference of the flat oracle.

    vop_quant 2 makes dc_scaler 8, so an intra DC level of `level` reconstructs 8 * level, and the
    inverse DCT gives `level` exactly. The DC prediction (7.4.3.1) starts from 1024 / 8 = 128 and
    then sees equal neighbours: only the first block of each component carries a difference.
    """
    bits = f"{VOP_CODE | 0x100:032b}" + "00" + "0" + "1" + "0" * vol.time_bits + "1" + "1"
    bits += "000" + f"{2:05b}"  # intra_dc_vlc_thr, vop_quant
    first = True
    for _ in range(vol.mb_width * vol.mb_height):
        bits += "1" + "0" + "0011"  # mcbpc: intra, no chroma; ac_pred_flag; cbpy: none
        for block in range(6):
            difference = level - 128 if first and block in (0, 4, 5) else 0
            bits += _intra_dc(difference, luma=block < 4)
        first = False
    bits += "0" + "1" * ((-len(bits) - 1) % 8)  # next_start_code stuffing
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def still_vop(vol: Vol, skipped: np.ndarray, seconds: int) -> bytes:
    """A P-VOP that changes nothing: skipped macroblocks, and others with a zero vector.

    Args:
        vol: The layer.
        skipped: Macroblocks with not_coded = 1, bool (h, w).
        seconds: modulo_time_base.
    """
    bits = f"{VOP_CODE | 0x100:032b}" + "01" + "1" * seconds + "0" + "1" + "0" * vol.time_bits
    bits += "1" + "1" + "0" + "000" + f"{2:05b}" + "001"
    # not_coded, mcbpc: inter without chroma, cbpy: none, two components of no difference.
    bits += "".join("1" if skip else "0" + "1" + "11" + "1" + "1" for skip in skipped.ravel())
    bits += "0" + "1" * ((-len(bits) - 1) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


# Tables B-13 and B-14: dct_dc_size_luminance, dct_dc_size_chrominance for sizes 0 to 8.
_LUMA_SIZE = ["011", "11", "10", "010", "001", "0001", "00001", "000001", "0000001"]
_CHROMA_SIZE = ["11", "10", "01", "001", "0001", "00001", "000001", "0000001", "00000001"]


def _intra_dc(difference: int, *, luma: bool) -> str:
    size = abs(difference).bit_length()
    code = (_LUMA_SIZE if luma else _CHROMA_SIZE)[size]
    if size:
        value = difference if difference > 0 else difference + (1 << size) - 1
        code += f"{value:0{size}b}"
    return code

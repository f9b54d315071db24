"""Random valid MPEG-4 Part 2 syntax, for what no encoder at hand would write.

The code tables are those printed in `native/`: libavcodec, which has its own, is the judge, and
would read a stream that a wrong row wrote otherwise. The rest is written apart from the parser.
"""

from __future__ import annotations

import dataclasses
import functools
import random
import re
from pathlib import Path

import av

from oracles.flat import decode_vop, decoder
from oracles.headers import video_object_layer
from oracles.stream import VOP_CODE, Vol

NATIVE = Path(__file__).resolve().parents[2] / "native"
ESCAPE = "0000011"
DQUANT = {-1: "00", -2: "01", 1: "10", 2: "11"}
DBQUANT = {-2: "10", 0: "0", 2: "11"}
B_TYPES = {"direct": "1", "interpolated": "01", "backward": "001", "forward": "0001"}
DC_THRESHOLD = (99, 13, 15, 17, 19, 21, 23, 0)  # Table 6.21
LARGEST_COEFFICIENT = 2047
# A block's coefficients add up to no more, in magnitude: a row of 2953 overflows the 16 bits that
# libavcodec keeps between rows and columns (2953 * 22725 / 2048), and no encoder gets there.
BLOCK_BUDGET = 2900


@functools.cache
def table(file: str, name: str) -> str:
    """The text between the braces of a table in `native/`."""
    text = (NATIVE / file).read_text()
    start = text.index(f"{name}{{")
    return text[start : text.index(";", start)]


@functools.cache
def codes(name: str) -> tuple[str, ...]:
    """A table of bare codes."""
    return tuple(re.findall(r'"([01]+)"', table("tables.hpp", name)))


@functools.cache
def mcbpc(name: str) -> dict[tuple[str, int], str]:
    """(type, cbpc) to code."""
    rows = re.findall(r'\{"([01]+)", MacroblockType::(\w+), (\d)\}', table("tables.hpp", name))
    return {(kind, int(cbpc)): code for code, kind, cbpc in rows}


@functools.cache
def coefficients(name: str) -> dict[tuple[int, int, int], str]:
    """(last, run, level) to code without its sign."""
    rows = re.findall(r'\{"([01]+)", (\d+), (\d+), (\d+)\}', table("coefficients.hpp", name))
    assert len(rows) == 102
    return {(int(last), int(run), int(level)): code for code, last, run, level in rows}


@functools.cache
def limits(name: str) -> tuple[dict[tuple[int, int], int], dict[tuple[int, int], int]]:
    """LMAX by (last, run) and RMAX by (last, level) of 7.4.1.3."""
    levels: dict[tuple[int, int], int] = {}
    runs: dict[tuple[int, int], int] = {}
    for last, run, level in coefficients(name):
        levels[last, run] = max(level, levels.get((last, run), 0))
        runs[last, level] = max(run, runs.get((last, level), 0))
    return levels, runs


@dataclasses.dataclass(frozen=True)
class Shape:
    """What all VOPs of a stream share; chances are from 0 to 1."""

    width: int = 64
    height: int = 48
    vops: int = 4
    quarter_sample: bool = False
    mpeg_quant: bool = False
    matrices: bool = False
    packets: bool = False
    fcode: int = 1
    intra_dc_vlc_thr: int = 0
    rich: float = 0.5  # how many blocks are coded, and how many coefficients they have
    intra: float = 0.15
    skipped: float = 0.2
    b_vops: int = 0  # between two references
    backward_fcode: int = 1


def shape(rng: random.Random) -> Shape:
    """Any shape."""
    return Shape(
        width=rng.randint(17, 80),
        height=rng.randint(1, 64),
        vops=rng.randint(2, 5),
        quarter_sample=rng.random() < 0.5,
        mpeg_quant=rng.random() < 0.5,
        matrices=rng.random() < 0.5,
        packets=rng.random() < 0.5,
        fcode=rng.randint(1, 7),
        intra_dc_vlc_thr=rng.randrange(8),
        rich=rng.choice([0.1, 0.4, 0.8]),
        intra=rng.choice([0.0, 0.15, 0.6]),
        skipped=rng.choice([0.0, 0.2, 0.8]),
        b_vops=rng.choice([0, 0, 1, 2]),
        backward_fcode=rng.randint(1, 7),
    )


def valid(shape: Shape, rng: random.Random) -> bytes:
    """A stream of which libavcodec has nothing to say.

    Random differences may lead a DC coefficient below zero, random bits may look like the marker
    of a video packet. The more intra blocks, the likelier: each failure makes them rarer.
    """
    while complaints(parts := written(shape, rng)):
        shape = dataclasses.replace(shape, intra=0.8 * shape.intra)
    return b"".join(parts)


def complaints(parts: list[bytes]) -> list[str]:
    """What libavcodec says while it decodes headers and VOPs; not all of it is an exception."""
    context = decoder(parts[0], err_detect="bitstream+buffer+explode")
    level = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture() as said:
            for number, vop in enumerate(parts[1:]):
                decode_vop(context, vop, number)
    except av.InvalidDataError as error:
        return [str(error)]
    finally:
        av.logging.set_level(level)
    return [message for _, _, message in said]


def written(shape: Shape, rng: random.Random) -> list[bytes]:
    """A layer, an I-VOP, then P-VOPs, each followed by the B-VOPs that are shown before it."""
    vol = Vol(
        width=shape.width,
        height=shape.height,
        time_bits=5,
        quarter_sample=shape.quarter_sample,
        quant_type=shape.mpeg_quant,
        resync_marker_disable=not shape.packets,
        low_delay_position=None,
        width_position=0,
        height_position=0,
    )
    matrices = "00"
    if shape.matrices:
        values = [[rng.randint(8, 64) for _ in range(rng.choice([5, 64]))] for _ in range(2)]
        matrices = "".join(
            "1" + "".join(f"{value:08b}" for value in row) + "0" * 8 * (len(row) < 64)
            for row in values
        )
    parts = [video_object_layer(vol, resolution=25, matrices=matrices)]
    step = 1 + shape.b_vops
    for number in range(shape.vops):
        reference = _Vop(shape, vol, rng, "P" if number else "I", number * step)
        parts.append(reference.write())
        for ticks in range(max(0, number - 1) * step + 1, number * step):
            vop = _Vop(shape, vol, rng, "B", ticks, passed_over=reference.passed_over)
            parts.append(vop.write())
    return parts


class _Vop:
    """Writes one VOP."""

    def __init__(
        self,
        shape: Shape,
        vol: Vol,
        rng: random.Random,
        kind: str,
        ticks: int,
        *,
        passed_over: list[bool] | None = None,
    ) -> None:
        """`ticks` is when it is shown; `passed_over`, of a B-VOP, what its future one skips."""
        self.shape, self.vol, self.rng, self.kind, self.ticks = shape, vol, rng, kind, ticks
        self.predictive = kind == "P"
        self.passed_over = passed_over or []
        self.quant = rng.choice([1, 2, 3, 5, 8, 13, 31])
        self.parts: list[str] = []
        self.length = 0

    def put(self, bits: str) -> None:
        self.parts.append(bits)
        self.length += len(bits)

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def write(self) -> bytes:
        """6.2.5 VideoObjectPlane(), 6.2.5.2 video packets."""
        self.put(f"{VOP_CODE | 0x100:032b}" + self.type() + self.time() + "1")
        self.put(f"{self.rng.getrandbits(1)}" * self.predictive)
        self.put(f"{self.shape.intra_dc_vlc_thr:03b}{self.quant:05b}" + self.fcodes())
        count = self.vol.mb_width * self.vol.mb_height
        for index in range(count):
            # Where a B-VOP has no bits for a macroblock, nothing tells on which side a packet is.
            bare = self.kind == "B" and any(self.passed_over[max(index - 1, 0) : index + 1])
            if self.shape.packets and index and not bare and self.chance(0.15):
                self.packet(index, count)
            if self.kind != "B":
                self.macroblock()
            elif not self.passed_over[index]:
                self.bidirectional_macroblock()
        self.align()
        bits = "".join(self.parts)
        return int(bits, 2).to_bytes(len(bits) // 8, "big")

    def time(self) -> str:
        """modulo_time_base to the marker behind vop_time_increment."""
        assert self.ticks < 25  # all in the first second
        return f"01{self.ticks:05b}1"

    def type(self) -> str:
        """vop_coding_type."""
        return f"{'IPB'.index(self.kind):02b}"

    def fcodes(self) -> str:
        """vop_fcode_forward and vop_fcode_backward, where there are such."""
        forward = f"{self.shape.fcode:03b}" * (self.kind != "I")
        return forward + f"{self.shape.backward_fcode:03b}" * (self.kind == "B")

    def align(self) -> None:
        """5.2.4: stuffing to the next byte."""
        self.put("0" + "1" * ((-self.length - 1) % 8))

    def packet(self, index: int, count: int) -> None:
        """6.2.5.2 video_packet_header()."""
        self.align()
        longest = {
            "I": 1,
            "P": self.shape.fcode,
            "B": max(2, self.shape.fcode, self.shape.backward_fcode),
        }
        zeros = 15 + longest[self.kind]
        self.quant = self.rng.randint(1, 31)
        number_bits = max(1, (count - 1).bit_length())
        self.put("0" * zeros + "1" + f"{index:0{number_bits}b}" + f"{self.quant:05b}")
        extended = self.chance(0.5)
        self.put(f"{int(extended)}")
        if extended:
            self.put(self.time() + self.type() + f"{self.shape.intra_dc_vlc_thr:03b}")
            self.put(self.fcodes())

    def macroblock(self) -> None:
        """6.2.6 macroblock()."""
        rng, shape = self.rng, self.shape
        names = "kMcbpcP" if self.predictive else "kMcbpcI"
        while self.chance(0.04):  # stuffing
            self.put("0" * self.predictive + mcbpc(names)["stuffing", 0])
        skipped = self.predictive and self.chance(shape.skipped)
        self.passed_over.append(skipped)
        if skipped:
            self.put("1")
            return
        if not self.predictive or self.chance(shape.intra):
            kind = rng.choice(["intra", "intra_q"])
        else:
            kind = rng.choice(["inter", "inter", "inter_q", "inter4v"])
        intra = kind.startswith("intra")
        coded = [self.chance(shape.rich) for _ in range(6)]
        self.put("0" * self.predictive + mcbpc(names)[kind, 2 * coded[4] + coded[5]])
        if intra:
            self.put(f"{rng.getrandbits(1)}")  # ac_pred_flag
        luminance = sum(8 >> block for block in range(4) if coded[block])
        self.put(codes("kCbpy")[luminance if intra else 15 - luminance])
        dc_code = self.quant < DC_THRESHOLD[shape.intra_dc_vlc_thr]
        if kind.endswith("_q"):
            step = rng.choice([-2, -1, 1, 2])
            self.put(DQUANT[step])
            self.quant = min(max(self.quant + step, 1), 31)
        if not intra:
            for _ in range(8 if kind == "inter4v" else 2):
                self.vector(shape.fcode)
        for block in range(6):
            if intra and dc_code:
                self.intra_dc(luma=block < 4)
            if coded[block]:
                self.block(intra=intra, first=int(intra and dc_code))

    def bidirectional_macroblock(self) -> None:
        """6.2.6.2: modb, mb_type, cbpb, dbquant, the differences of one or two vectors."""
        if self.chance(self.shape.skipped):
            self.put("1")  # modb: direct, no difference, no coefficient
            return
        coded = [self.chance(self.shape.rich) for _ in range(6)]
        self.put("00" if any(coded) else "01")
        kind = self.rng.choice(sorted(B_TYPES))
        self.put(B_TYPES[kind])
        if any(coded):
            self.put("".join(f"{int(one)}" for one in coded))
            if kind != "direct":
                step = self.rng.choice(sorted(DBQUANT))
                self.put(DBQUANT[step])
                self.quant = min(max(self.quant + step, 1), 31)
        fcodes = {
            "direct": [1],
            "forward": [self.shape.fcode],
            "backward": [self.shape.backward_fcode],
            "interpolated": [self.shape.fcode, self.shape.backward_fcode],
        }
        for fcode in fcodes[kind]:
            self.vector(fcode)
            self.vector(fcode)
        for one in coded:
            if one:
                self.block(intra=False, first=0)

    def vector(self, fcode: int) -> None:
        """7.6.3: one component of a difference, of any size."""
        rng = self.rng
        magnitude = rng.choice([0, 0, 1, 1, 2, rng.randint(0, 32)])
        self.put(codes("kMvData")[magnitude])
        if magnitude:
            self.put(f"{rng.getrandbits(1)}")
            for _ in range(fcode - 1):
                self.put(f"{rng.getrandbits(1)}")

    def intra_dc(self, *, luma: bool) -> None:
        """Tables B.13 and B.14, then the difference; large ones would leave the range of F."""
        size = self.rng.choice([0, 0, 1, 2, 3])
        self.put(codes("kDcSizeLuminance" if luma else "kDcSizeChrominance")[size])
        if size:
            self.put(f"{self.rng.getrandbits(size):0{size}b}")

    def block(self, *, intra: bool, first: int) -> None:
        """6.2.7 block(): (last, run, level) in any of the ways that 7.4.1.3 has for them."""
        rng = self.rng
        names = "kIntraCoefficients" if intra else "kInterCoefficients"
        position, budget = first, BLOCK_BUDGET
        while True:
            room = 63 - position
            run = min(room, rng.choice([0, 0, 0, 1, 2, rng.randint(0, 63)]))
            largest = min(budget, LARGEST_COEFFICIENT)
            most = self.largest_level(largest)
            level = min(
                most, rng.choice([1, 1, 1, 2, 3, rng.randint(1, 40), rng.randint(1, 2047)])
            )
            if intra and position + run == 0:  # a DC coefficient among the others
                level = min(level, 3)
            position += run + 1
            budget -= self.magnitude(level)
            last = position > 63 or budget < self.magnitude(1) or self.chance(1 - self.shape.rich)
            self.event(names, int(last), run, level)
            if last:
                return

    def magnitude(self, level: int) -> int:
        """An upper bound of a dequantised level."""
        if not self.shape.mpeg_quant:
            return self.quant * (2 * level + 1)
        return (2 * level + 1) * 64 * self.quant // 16

    def largest_level(self, magnitude: int) -> int:
        """The largest level whose dequantised magnitude stays within bounds; at least 1."""
        step = self.quant if not self.shape.mpeg_quant else 4 * self.quant
        return max(1, (magnitude // step - 1) // 2)

    def event(self, names: str, last: int, run: int, level: int) -> None:
        rows = coefficients(names)
        levels, runs = limits(names)
        sign = f"{self.rng.getrandbits(1)}"
        signed = -level if sign == "1" else level
        ways = [ESCAPE + f"11{last}{run:06b}1{signed & 0xFFF:012b}1"]
        if (last, run, level) in rows:
            ways += [rows[last, run, level] + sign] * 6
        lower = (last, run, level - levels.get((last, run), 1 << 12))
        if lower in rows:
            ways += [ESCAPE + "0" + rows[lower] + sign] * 3
        shorter = (last, run - runs.get((last, level), 1 << 12) - 1, level)
        if shorter in rows:
            ways += [ESCAPE + "10" + rows[shorter] + sign] * 3
        self.put(self.rng.choice(ways))

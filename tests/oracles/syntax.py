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

from oracles.headers import video_object_layer
from oracles.stream import VOP_CODE, Vol

NATIVE = Path(__file__).resolve().parents[2] / "native"
ESCAPE = "0000011"
DQUANT = {-1: "00", -2: "01", 1: "10", 2: "11"}
DC_THRESHOLD = (99, 13, 15, 17, 19, 21, 23, 0)  # Table 6.21
LARGEST_COEFFICIENT = 2047
# A block's coefficients add up to no more, in magnitude: beyond it transforms overflow, each in
# its own way, and no encoder gets there.
BLOCK_BUDGET = 4000


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
    )


def write(shape: Shape, rng: random.Random) -> bytes:
    """An elementary stream: a layer, an I-VOP, then P-VOPs."""
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
    data = video_object_layer(vol, resolution=25, matrices=matrices)
    for number in range(shape.vops):
        data += _Vop(shape, vol, rng, number).write()
    return data


class _Vop:
    """Writes one VOP."""

    def __init__(self, shape: Shape, vol: Vol, rng: random.Random, number: int) -> None:
        self.shape, self.vol, self.rng, self.number = shape, vol, rng, number
        self.predictive = number > 0
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
        self.put(f"{VOP_CODE | 0x100:032b}" + f"{int(self.predictive):02b}" + self.time() + "1")
        self.put(f"{self.rng.getrandbits(1)}" * self.predictive)
        self.put(f"{self.shape.intra_dc_vlc_thr:03b}{self.quant:05b}")
        self.put(f"{self.shape.fcode:03b}" * self.predictive)
        count = self.vol.mb_width * self.vol.mb_height
        for index in range(count):
            if self.shape.packets and index and self.chance(0.15):
                self.packet(index, count)
            self.macroblock()
        self.align()
        bits = "".join(self.parts)
        return int(bits, 2).to_bytes(len(bits) // 8, "big")

    def time(self) -> str:
        """modulo_time_base to the marker behind vop_time_increment."""
        return "1" * (self.number % 25 == 0 and self.number > 0) + f"01{self.number % 25:05b}1"

    def align(self) -> None:
        """5.2.4: stuffing to the next byte."""
        self.put("0" + "1" * ((-self.length - 1) % 8))

    def packet(self, index: int, count: int) -> None:
        """6.2.5.2 video_packet_header()."""
        self.align()
        zeros = 15 + self.shape.fcode if self.predictive else 16
        self.quant = self.rng.randint(1, 31)
        number_bits = max(1, (count - 1).bit_length())
        self.put("0" * zeros + "1" + f"{index:0{number_bits}b}" + f"{self.quant:05b}")
        extended = self.chance(0.5)
        self.put(f"{int(extended)}")
        if extended:
            self.put(self.time() + f"{int(self.predictive):02b}{self.shape.intra_dc_vlc_thr:03b}")
            self.put(f"{self.shape.fcode:03b}" * self.predictive)

    def macroblock(self) -> None:
        """6.2.6 macroblock()."""
        rng, shape = self.rng, self.shape
        names = "kMcbpcP" if self.predictive else "kMcbpcI"
        while self.chance(0.04):  # stuffing
            self.put("0" * self.predictive + mcbpc(names)["stuffing", 0])
        if self.predictive and self.chance(shape.skipped):
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
                self.vector()
        for block in range(6):
            if intra and dc_code:
                self.intra_dc(luma=block < 4)
            if coded[block]:
                self.block(intra=intra, first=int(intra and dc_code))

    def vector(self) -> None:
        """7.6.3: one component of a difference, of any size."""
        rng = self.rng
        magnitude = rng.choice([0, 0, 1, 1, 2, rng.randint(0, 32)])
        self.put(codes("kMvData")[magnitude])
        if magnitude:
            self.put(f"{rng.getrandbits(1)}")
            for _ in range(self.shape.fcode - 1):
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

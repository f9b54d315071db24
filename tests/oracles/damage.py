"""Damages streams and judges what the parser makes of them."""

from __future__ import annotations

import dataclasses
import itertools
import random
from pathlib import Path

import numpy as np

import mic.bitstream
from mic.errors import MicError
from oracles import stream

PARTS = ("residual", "motion", "macroblocks")
SCALES = (1, 2, 4, 8)
# What is asked for must not decide what is seen: every choice of parts, at every scale.
READINGS = [
    {"what": what, "scale": scale, "space": space}
    for count in (1, 2, 3)
    for what in itertools.combinations(PARTS, count)
    for scale, space in (
        itertools.product(SCALES, ("planes", "rgb")) if "residual" in what else [(1, "planes")]
    )
]
SUMS = [
    {"definition": definition, "scale": scale, "displacement": displacement}
    for definition, scale, displacement in itertools.product(
        ("standard", "coviar"), SCALES, (False, True)
    )
] + [{"with_iframe": True}]


@dataclasses.dataclass
class Tally:
    """Outcomes of many damages."""

    damages: int = 0
    reported: int = 0  # a typed error, and the samples concerned marked as missing
    harmless: int = 0  # no error, and every sample right
    valid: int = 0  # no error: the damaged bits are a valid stream of other samples
    wrong: int = 0  # an unmarked wrong sample that the syntax could have told


class Subject:
    """A small clip with the places of its VOPs and macroblocks, to be damaged over and over."""

    def __init__(self, path: Path, scratch: Path) -> None:
        clip = stream.load(path)
        self.scratch = scratch
        self.headers, self.vol = clip.headers, clip.vol
        self.vops = [vop.data for vop in clip.vops]
        self.data = self.headers + b"".join(self.vops)
        self.right = self._read(self.data)
        bits = self.right.macroblocks.bits.reshape(len(self.vops), -1).cumsum(1)
        # Macroblocks end here at the earliest, in bits from the VOP's start: headers only add.
        self.ends = bits
        self.right_sums = []
        with mic.bitstream.open(scratch) as opened:
            self.chained, self.kinds = _chained(opened), opened.vop_types
            for asked in SUMS:
                self.right_sums.append(opened.accumulated(self.chained, **asked))
        # Beyond the edge of a picture that fills no whole macroblocks are samples that nobody
        # sees: damage may change them by valid syntax, and vectors bring them into sums.
        self._all_seen = self.vol.width % 16 == self.vol.height % 16 == 0
        self._turn = 0

    def _read(self, data: bytes) -> mic.bitstream.Clip:
        self.scratch.write_bytes(data)
        return mic.bitstream.read(self.scratch, what=PARTS, on_error="mask")

    def starts(self) -> list[int]:
        """Byte offset of each VOP in `data`."""
        sizes = [len(self.headers), *map(len, self.vops)]
        return np.cumsum(sizes)[:-1].tolist()

    def judge(self, data: bytes, *, cut: bool, tally: Tally) -> None:
        """Reads `data`, a damaged copy of the clip, and adds the outcome to `tally`.

        Args:
            data: The damaged stream.
            cut: Whether it is a prefix of the clip: then no wrong sample can be valid.
            tally: Where to count.
        """
        tally.damages += 1
        try:
            found = self._read(data)
        except MicError:
            tally.reported += 1
            return
        missing = found.residual.missing
        errors = {int(row) for row in np.flatnonzero(missing.any((1, 2)))}
        masked = [error for error in found.residual.errors if "time" not in error.message]
        assert len(masked) == len(errors), "an error for each frame with a mask"
        assert not found.residual.y[self.samples(missing)].any(), "what is missing is zero"
        self._turn += 1
        self.ask_otherwise(found, self._turn % len(READINGS))
        if found.frame_count != len(self.vops):
            # A start code appeared or went: the number of frames tells.
            tally.reported += 1
            return
        differs = self.differing(found) & ~missing
        if not differs.any():
            self.ask_sums(self._turn % len(SUMS))
            tally.reported += bool(found.residual.errors)
            tally.harmless += not found.residual.errors
        elif cut or any(differs[row].any() for row in errors):
            tally.wrong += 1
        else:
            tally.valid += 1

    def ask_otherwise(self, found: mic.bitstream.Clip, number: int) -> None:
        """The damaged clip read for other outputs has the same marks, errors and values."""
        asked = READINGS[number]
        with mic.bitstream.open(self.scratch, on_error="mask") as opened:
            other = opened.read(**asked, on_error="mask")
            for part in asked["what"]:
                record, same = getattr(other, part), getattr(found, part)
                assert (record.types == same.types).all(), asked
                assert list(map(str, record.errors)) == list(map(str, same.errors)), asked
            if "motion" in asked["what"]:
                assert (other.motion.blocks == found.motion.blocks).all(), asked
            if "macroblocks" in asked["what"]:
                assert (other.macroblocks.bits == found.macroblocks.bits).all(), asked
            if found.residual.errors:
                try:
                    opened.read(**asked)
                except MicError:
                    return
                raise AssertionError(f"no error when asked for {asked}")

    def ask_sums(self, number: int) -> None:
        """Sums of a damaged clip are right where they are not marked as broken.

        For a clip whose unmarked residuals and vectors are right. The samples of an I-VOP may be
        others by valid syntax: of sums that start from them only the marks can be judged, and
        so where samples beyond the edge are part of the sums.
        """
        asked, right = SUMS[number], self.right_sums[number]
        with mic.bitstream.open(self.scratch, on_error="mask") as opened:
            if opened.vop_types != self.kinds:
                return  # by valid syntax other VOPs are referred to
            rows = np.intersect1d(self.chained, _chained(opened))
            sums = opened.accumulated(rows, **asked, on_error="mask")
        same = np.searchsorted(self.chained, rows)
        assert not (right.broken[same] & ~sums.broken).any(), asked
        if "with_iframe" in asked or not self._all_seen:
            return
        names = {"y": "broken", "cb": "broken_chroma", "cr": "broken_chroma"}
        if sums.displacement is not None:
            names["displacement"] = "broken"
        for name, mark in names.items():
            differs = getattr(sums, name) != getattr(right, name)[same]
            if name == "displacement":
                differs = differs.any(-1)
            assert not (differs & ~getattr(sums, mark)).any(), (asked, name)

    def differing(self, found: mic.bitstream.Clip) -> np.ndarray:
        """Macroblocks with a residual sample or a vector that is not the right one, (T, h, w)."""
        ours, right = found.residual, self.right.residual
        rows, columns = ours.types.shape[1:]
        out = np.zeros(ours.types.shape, bool)
        for name, size in (("y", 16), ("cb", 8), ("cr", 8)):
            difference = getattr(ours, name) != getattr(right, name)
            lines = ((0, 0), (0, rows * size - difference.shape[1]))
            padded = np.pad(difference, (*lines, (0, columns * size - difference.shape[2])))
            out |= padded.reshape(-1, rows, size, columns, size).any((2, 4))
        vectors = (found.motion.blocks != self.right.motion.blocks).any(-1)
        return out | vectors.reshape(-1, rows, 2, columns, 2).any((2, 4))

    def samples(self, macroblocks: np.ndarray) -> np.ndarray:
        """The luma samples of macroblocks, as a mask (T, H, W)."""
        mask = macroblocks.repeat(16, 1).repeat(16, 2)
        return mask[:, : self.right.height, : self.right.width]


def damaged(data: bytes, start: int, rng: random.Random) -> bytes:
    """One to three flipped bits, or bytes deleted, inserted or overwritten, behind `start`.

    All in one place: of two damages far apart, one may be valid syntax while the other is not.
    """
    out = bytearray(data)
    place = rng.randrange(start, len(out))
    kind = rng.randrange(4)
    if kind == 0:
        for _ in range(rng.randint(1, 3)):
            out[min(place + rng.randrange(3), len(out) - 1)] ^= 1 << rng.randrange(8)
    elif kind == 1:
        del out[place : place + rng.randint(1, 9)]
    elif kind == 2:
        out[place:place] = rng.randbytes(rng.randint(1, 9))
    else:
        size = min(rng.randint(1, 40), len(out) - place)
        out[place : place + size] = rng.randbytes(size)
    return bytes(out)


def _chained(opened: mic.bitstream.Stream) -> np.ndarray:
    """Frames that are no B-VOPs: those have accumulated residuals."""
    kinds = [opened.native.is_bidirectional(number) for number in range(opened.frame_count)]
    return np.flatnonzero(~np.array(kinds, bool))

"""Compares what `mic.bitstream` parses with the oracles, every sample of a clip."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path

import numpy as np

import mic.bitstream
from mic.bitstream import (
    BACKWARD,
    DIRECT,
    FORWARD,
    INTER4V,
    INTERPOLATED,
    INTRA,
    INTRA_Q,
    NOT_CODED,
)
from oracles import compensation, flat, stream
from oracles.syntax import Shape, valid

CHUNK = 32  # frames held at a time: memory stays flat in clip length


@dataclasses.dataclass
class Counts:
    """What was compared and what differed; they add up."""

    samples: int = 0
    differing: int = 0
    vectors: int = 0
    differing_vectors: int = 0
    intra: int = 0
    macroblocks: int = 0

    def __add__(self, other: Counts) -> Counts:
        pairs = zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True)
        return Counts(*(a + b for a, b in pairs))


def residuals(path: Path, *, scale: int = 1, threads: int = 1, tolerance: int = 0) -> Counts:
    """Residual planes against the flat-reference oracle, at any scale.

    The oracle saturates at +-255, the residual does not: compared is the saturated residual.
    Samples differ when they are more than `tolerance` apart.
    """
    clip = stream.load(path)
    total = Counts()
    skipped = mic.bitstream.read(path, what=("macroblocks",)).macroblocks.skipped
    oracle = flat.residuals(clip, lowres=(1, 2, 4, 8).index(scale), skipped=skipped)
    with mic.bitstream.open(path) as parsed:
        assert parsed.frame_count == len(clip.vops)
        assert (parsed.width, parsed.height) == (clip.vol.width, clip.vol.height)
        for start in range(0, parsed.frame_count, CHUNK):
            rows = range(start, min(start + CHUNK, parsed.frame_count))
            ours = parsed.residual(rows, scale=scale, threads=threads)
            for row in range(len(rows)):
                *planes, intra = next(oracle)
                assert (ours.intra[row] == intra).all(), f"{path}: intra of frame {start + row}"
                total.intra += int(intra.sum())
                total.macroblocks += intra.size
                for mine, theirs in zip((ours.y, ours.cb, ours.cr), planes, strict=True):
                    mine = mine[row]
                    theirs = theirs[: mine.shape[0], : mine.shape[1]]
                    total.samples += mine.size
                    total.differing += int(
                        (np.abs(mine.clip(-255, 255) - theirs) > tolerance).sum()
                    )
    return total


def motion(path: Path) -> Counts:
    """Vectors and macroblock modes against what libavcodec exports.

    Of B-VOPs it exports only which references a macroblock uses; their vectors are compared by
    `reconstruction`.

    Where a video packet begins, libavcodec clears the last of four vectors of the macroblock
    above and left of it after use, and exports the zero: its own frames contradict that (see
    `reconstruction`), so such blocks are left out here.
    """
    clip = stream.load(path)
    ours = mic.bitstream.read(path, what=("motion",)).motion
    unit = 1 if clip.vol.quarter_sample else 2
    total = Counts()
    for row, (frame, vop) in enumerate(zip(compensation.frames(clip), clip.vops, strict=True)):
        types = ours.types[row]
        if frame is None:
            assert (types == NOT_CODED).all()
            assert not ours.blocks[row].any()
            continue
        mv, count = compensation.vectors(frame, *types.shape)
        if vop.kind == "B":
            _, count_future = compensation.vectors(frame, *types.shape, past=False)
            from_past, from_future = references(types)
            assert (from_past == (count > 0)).all()
            assert (from_future == (count_future > 0)).all()
            continue
        intra = (types == INTRA) | (types == INTRA_Q)
        assert (intra == (count == 0)).all() or vop.kind == "I"
        assert ((types == INTER4V) == (count == 4)).all()
        compared = np.ones(mv.shape[:2], bool)
        if not clip.vol.resync_marker_disable:
            compared[1::2, 1::2] = mv[1::2, 1::2].any(-1) | (count != 4)
        total.vectors += int(compared.sum())
        total.differing_vectors += int((ours.blocks[row] != unit * mv).any(-1)[compared].sum())
    return total


def random_syntax(path: Path, shape: Shape, rng: random.Random, *, threads: int = 1) -> Counts:
    """Writes a random valid stream and compares residuals, vectors and, of B-VOPs, the sum.

    Of streams with video packets the sum is left out: what libavcodec clears where a packet begins
    (see `motion`) it also takes for the vector of a direct macroblock.
    """
    path.write_bytes(valid(shape, rng))
    found = residuals(path, threads=threads) + motion(path)
    return found + reconstruction(path) if shape.b_vops and not shape.packets else found


def references(types: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which macroblocks of a B-VOP use the past reference, and which the future one."""
    return (
        np.isin(types, (FORWARD, INTERPOLATED, DIRECT, NOT_CODED)),
        np.isin(types, (BACKWARD, INTERPOLATED, DIRECT)),
    )


def reconstruction(path: Path) -> Counts:
    """Prediction plus residual, clipped, against libavcodec's frames: the decoder's own sum."""
    clip = stream.load(path)
    parsed = mic.bitstream.read(path, what=("residual", "motion"))
    total = Counts()
    past = future = None
    quarter = clip.vol.quarter_sample
    unit = 1 if quarter else 2
    for row, ((planes, _, _), vop) in enumerate(
        zip(compensation.decoded(clip), clip.vops, strict=True)
    ):
        if planes is None:
            continue
        types = parsed.motion.types[row]
        if vop.kind != "I":
            mv = parsed.motion.blocks[row].astype(np.int32) // unit
            if vop.kind == "P":
                count = np.where(types == INTER4V, 4, 1)
                predicted = compensation.predict(
                    future, mv, count, rounding=vop.rounding, quarter_sample=quarter
                )
            else:
                backward = parsed.motion.backward[row].astype(np.int32) // unit
                used = references(types)
                # 7.6.9.5: direct mode predicts blocks of 8x8.
                predicted = compensation.predict_between(
                    past, future, (mv, backward), used, types == DIRECT, quarter_sample=quarter
                )
            inter = ~parsed.residual.intra[row]
            ours = (parsed.residual.y, parsed.residual.cb, parsed.residual.cr)
            for k, (mine, before, theirs) in enumerate(zip(ours, predicted, planes, strict=True)):
                side = 8 if k else 16
                height, width = mine.shape[1:]
                chosen = inter.repeat(side, 0).repeat(side, 1)[:height, :width]
                summed = (before[:height, :width] + mine[row]).clip(0, 255)
                total.samples += int(chosen.sum())
                total.differing += int((summed != theirs[:height, :width])[chosen].sum())
        if vop.kind != "B":
            past, future = future, planes
    return total

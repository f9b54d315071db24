"""Clips as tensors: which residuals of a stream a network sees, at which scale, how many.

The choice decides more than any loss does, so it is one value, `Representation`, and an ablation.
The I-frame's own residual is zero and never sampled. All of a small dataset stays in memory, as
16-bit integers; conversion to floating point happens batch by batch.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Container, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from mic import bitstream, codec
from mic.errors import ConfigError, DatasetError
from mic.inputs.apex import EDGE, target
from mic.inputs.batch import Batch
from mic.inputs.coverage import check_content
from mic.manifest.manifest import Manifest
from mic.storage import cache

Kind = Literal[
    "raw",
    "all",
    "segment",
    "running",
    "accumulated",
    "accumulated_coviar",
    "motion",
    "decoded",
    "decoded_frames",
    "carried",
    "fusion",
]

STAGE = cache.Stage(name="tensors", version=1)
# What residuals' linear conversion to RGB makes of black (16, 128, 128), which is 0 in pictures.
_NO_LIGHT = np.array([222.9216, -135.5753, 276.8358], np.float32)
_GREY = 128


@dataclasses.dataclass(frozen=True, kw_only=True)
class Representation:
    """What is taken from a stream.

    Attributes:
        kind: `raw`: residuals of sampled frames (the papers). `all`: of every frame. `segment`:
            sums over equal segments. `running`: sums of all residuals since the I-frame, as if
            nothing had moved: the accumulation that costs no more than parsing. `accumulated`:
            residuals accumulated along the motion since the I-frame, at sampled frames.
            `accumulated_coviar`: the same as CoViAR's code has it.
            `motion`: motion vectors alone. `decoded`: decoded frame minus I-frame, the upper
            reference, which needs a decoder. `decoded_frames`: decoded frames as they are.
            `carried`: the I-frame carried along the motion plus the accumulated residuals: the
            same but for rounding, and grey where an intra macroblock broke the chain; no P-frame
            is decoded.
            `fusion`: the I-picture as first row, then as `accumulated_coviar`.
        steps: Frames or segments a clip, at most one segment a P-frame; `all` ignores it.
        scale: 1, 2, 4 or 8: residuals are taken at 1/scale, without leaving the DCT domain where
            the kind allows.
        with_motion: Whether motion vectors of the same frames come along, for "+T".
    """

    kind: Kind = "accumulated"
    steps: int = 16
    scale: int = 2
    with_motion: bool = False

    def __post_init__(self) -> None:
        """Refuses impossible numbers."""
        if self.steps < 1:
            raise ConfigError(f"{self.steps} steps make no clip")
        if self.scale not in (1, 2, 4, 8):
            raise ConfigError(f"no scale 1/{self.scale}", remedy="choose 1, 2, 4 or 8")


def sampled(frames: int, steps: int) -> np.ndarray:
    """Indices of `steps` P-frames spread evenly over a clip, its last one always among them.

    Args:
        frames: Length of the clip, its I-frame (index 0) included; at least 2.
        steps: How many; a clip with fewer P-frames repeats some.

    Returns:
        (steps,) non-decreasing indices in 1..frames-1.
    """
    if frames < 2:
        raise ConfigError("a clip of one frame has no residual", remedy="leave the clip out")
    return np.rint(np.linspace(0, frames - 1, steps + 1)[1:]).astype(int).clip(1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClipTensors:
    """A dataset in memory, one row a clip.

    Attributes:
        names: Clip identifiers.
        subjects: Who is seen.
        labels: (N,) int64 class numbers.
        classes: Class names.
        residual: (N, T, 3, H, W) int16, zero behind a clip's end.
        lengths: (N,) int64 valid frames.
        identity: (N, d) float32, z_I of the I-frame.
        apex: (N, C, h, w) uint8 apex frames, or None where none are annotated.
        motion: (N, T, 2, h, w) int16 in quarter pixels, or None.
        vectors: See `Batch`.
    """

    names: tuple[str, ...]
    subjects: tuple[str, ...]
    labels: Tensor
    classes: tuple[str, ...]
    residual: Tensor
    lengths: Tensor
    identity: Tensor
    apex: Tensor | None = None
    motion: Tensor | None = None
    vectors: bool = False

    def __post_init__(self) -> None:
        """Refuses columns of different lengths."""
        columns = {
            "subjects": self.subjects,
            "labels": self.labels,
            "residual": self.residual,
            "lengths": self.lengths,
            "identity": self.identity,
            "apex": self.apex,
            "motion": self.motion,
        }
        for name, column in columns.items():
            if column is not None and len(column) != len(self.names):
                raise ConfigError(f"{len(column)} rows of {name} for {len(self.names)} clips")

    def __len__(self) -> int:
        return len(self.names)

    def to(self, device: str) -> ClipTensors:
        """The same with its pixels on a device; lengths stay on the CPU, which cuts by them."""
        return dataclasses.replace(
            self,
            labels=self.labels.to(device),
            residual=self.residual.to(device),
            identity=self.identity.to(device),
            apex=None if self.apex is None else self.apex.to(device),
            motion=None if self.motion is None else self.motion.to(device),
        )

    def batch(
        self,
        rows: Tensor | Sequence[int],
        *,
        frames: Tensor | None = None,
        device: str = "cpu",
    ) -> Batch:
        """The clips `rows` as floating point, cut to the longest of them.

        Args:
            rows: (B,) indices.
            frames: (B, k) indices of the frames to take, valid ones first; all by default.
            device: Where the batch goes.
        """
        rows = torch.as_tensor(rows)
        lengths = self.lengths[rows]
        if frames is not None:
            lengths = lengths.clamp_max(frames.shape[1])

        def taken(planes: Tensor) -> Tensor:
            if frames is None:
                return planes[rows, : int(lengths.max())].to(device).float()
            return planes[rows[:, None], frames].to(device).float()

        return Batch(
            residual=taken(self.residual),
            lengths=lengths,
            labels=self.labels[rows].to(device),
            identity=self.identity[rows].to(device),
            apex=None if self.apex is None else self.apex[rows].to(device).float() / 255,
            motion=None if self.motion is None else taken(self.motion),
            vectors=self.vectors,
        )


def padded(clips: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
    """Stacks clips of different lengths.

    Args:
        clips: Arrays (T_n, C, H, W) of one dtype and size.

    Returns:
        (N, max T_n, C, H, W), zero behind each clip's end, and the (N,) lengths.
    """
    lengths = [len(clip) for clip in clips]
    stacked = np.zeros((len(clips), max(lengths), *clips[0].shape[1:]), clips[0].dtype)
    for row, clip in enumerate(clips):
        stacked[row, : len(clip)] = clip
    return torch.from_numpy(stacked), torch.tensor(lengths)


def load(
    manifest: Manifest,
    representation: Representation,
    *,
    identity: np.ndarray,
    left_out: Container[int] = (),
    apex_edge: int = EDGE,
    folder: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ClipTensors:
    """Reads a dataset into memory; each clip is parsed once and then comes from the cache.

    Args:
        manifest: The clips, all of one size, each of at least two frames.
        representation: What is taken from each stream.
        identity: (N, d) z_I of the clips in the manifest's order, NaN where no face was found.
            Such clips get the mean of the others, which tells nothing about anybody.
        left_out: Rows of the manifest that are not read. They keep their place, with length 0.
        apex_edge: Edge of the apex targets, luma; used if every clip has an apex.
        folder: The cache; by default `MIC_HOME/cache`.
        progress: Called with the number of finished and of all clips.

    Raises:
        DatasetError: Clips differ in size, no clip has an identity, or a file is not the one that
            the manifest names.
        BitstreamError: A stream is damaged or outside the supported profile.
    """
    known = ~np.any(np.isnan(identity), axis=1)
    if not known.any():
        raise DatasetError("no face was found in any clip", file=manifest.root)
    identity = np.where(known[:, None], identity, identity[known].mean(0)).astype(np.float32)
    annotated = all(clip.apex is not None for clip in manifest)
    residuals, motions, apexes = [], [], []
    kept = [row for row in range(len(manifest)) if row not in left_out]
    for number, row in enumerate(kept, 1):
        clip = manifest.clips[row]
        path = manifest.path(clip)
        check_content(path, clip)
        arrays = clip_arrays(path, representation, folder=folder)
        residuals.append(arrays["residual"])
        if "motion" in arrays:
            motions.append(arrays["motion"])
        if annotated and clip.apex is not None:
            apexes.append(target(path, clip.apex, edge=apex_edge, folder=folder))
        if progress:
            progress(number, len(kept))
    if len({clip.shape[1:] for clip in residuals}) > 1:
        raise DatasetError(
            "clips differ in size",
            file=manifest.root,
            remedy="re-encode them to one size with `mic.codec.reencode_tree`",
        )

    def placed(columns: list[np.ndarray], absent: np.ndarray) -> list[np.ndarray]:
        found = dict(zip(kept, columns, strict=True))
        return [found.get(row, absent) for row in range(len(manifest))]

    residual, lengths = padded(placed(residuals, residuals[0][:0]))
    return ClipTensors(
        names=tuple(manifest.column("clip_id")),
        subjects=tuple(manifest.column("subject")),
        labels=torch.tensor(manifest.label_indices()),
        classes=manifest.classes,
        residual=residual,
        lengths=lengths,
        identity=torch.from_numpy(identity),
        apex=torch.from_numpy(np.stack(placed(apexes, apexes[0] * 0))) if annotated else None,
        motion=padded(placed(motions, motions[0][:0]))[0] if motions else None,
        vectors=representation.kind == "motion",
    )


def clip_arrays(
    path: Path, representation: Representation, *, folder: str | Path | None = None
) -> cache.Arrays:
    """One clip in one representation, from the cache if it was made before.

    Returns:
        `residual` (T, 3, H, W) int16 and, if asked for, `motion` (T, 2, h, w) int16.
    """
    return cache.fetch(
        STAGE,
        inputs=[cache.digest(path)],
        parameters=dataclasses.asdict(representation),
        compute=lambda: _extract(path, representation),
        folder=folder,
    )


def _extract(path: Path, representation: Representation) -> dict[str, np.ndarray]:
    with bitstream.open(path) as stream:
        return represent(stream, representation)


def represent(
    stream: bitstream.Stream, representation: Representation, *, threads: int = 1
) -> dict[str, np.ndarray]:
    """An open stream in one representation, as `clip_arrays`, past the cache.

    The kinds that need a decoder read the stream's file.

    Args:
        stream: The clip.
        representation: What is taken from it.
        threads: That parse frames side by side, where they do not build on each other.

    Raises:
        ConfigError: The stream has less than two frames.
        BitstreamError: It is damaged or outside the supported profile.
        UnsupportedSyntaxError: It has B-VOPs.
    """
    stream.expect_low_delay("a representation in which every frame follows from the one before")
    kind, scale = representation.kind, representation.scale
    count = stream.frame_count
    index = np.arange(1, count) if kind == "all" else sampled(count, representation.steps)
    match kind:
        case "raw" | "all":
            pixels = stream.residual(index, scale=scale, space="rgb", threads=threads).pixels
        case "segment" | "running":
            segments = min(representation.steps, count - 1)  # short clips have fewer
            pixels = stream.segment_sums(segments, scale=scale, space="rgb").pixels
            if kind == "running":
                for step in range(1, segments):  # np.cumsum takes ten times as long here
                    pixels[step] += pixels[step - 1]
        case "accumulated":
            pixels = stream.accumulated(index, scale=scale, space="rgb").pixels
        case "accumulated_coviar" | "fusion":
            pixels = stream.accumulated(
                index, scale=scale, space="rgb", definition="coviar"
            ).pixels
        case "carried":
            pixels = _carried(stream, index, scale)
        case "motion":
            pixels = _motion_picture(stream.motion(index, threads=threads).blocks)
        case "decoded" | "decoded_frames":
            pixels = _decoded(stream.path, index, scale, relative=kind == "decoded")
    if kind == "fusion":
        first = _decoded(stream.path, np.array([0]), scale, relative=False)
        pixels = np.concatenate([first, pixels])
    arrays = {"residual": _planes(pixels)}
    if representation.with_motion:
        blocks = stream.motion(index, threads=threads).blocks
        if kind == "fusion":
            blocks = np.concatenate([np.zeros_like(blocks[:1]), blocks])
        arrays["motion"] = np.ascontiguousarray(blocks.transpose(0, 3, 1, 2), np.int16)
    return arrays


def _planes(pixels: np.ndarray) -> np.ndarray:
    """(T, h, w, 3) of any type, which may be overwritten, to int16 (T, 3, h, w)."""
    if pixels.dtype != np.int16:
        # Accumulated residuals come unrounded; half a step matters to nobody, 16 bits of memory
        # do. In place: fresh pages would cost as much as the parsing.
        if pixels.dtype.kind == "f":
            np.rint(pixels, out=pixels)
        np.clip(pixels, -(1 << 15), (1 << 15) - 1, out=pixels)
    count, height, width, channels = pixels.shape
    planes = np.empty((count, channels, height, width), np.int16)
    np.copyto(planes, pixels.transpose(0, 3, 1, 2), casting="unsafe")
    return planes


def _motion_picture(blocks: np.ndarray) -> np.ndarray:
    """(T, h, w, 2) vectors as three planes (T, 4 h, 4 w, 3): x, y and their length."""
    length = np.rint(np.sqrt((blocks.astype(float) ** 2).sum(-1, keepdims=True)))
    planes = np.concatenate([blocks, length.astype(np.int16)], -1)
    # Enlarged, because the networks halve their input four times.
    return planes.repeat(4, 1).repeat(4, 2)


def _carried(stream: bitstream.Stream, index: np.ndarray, scale: int) -> np.ndarray:
    """The chain from the I-frame's samples, averaged to 1/scale; (T, H, W, 3) float32."""
    found = stream.accumulated(index, space="rgb", with_iframe=True)
    pixels = found.pixels - np.where(found.broken[..., None], -_GREY, _NO_LIGHT)
    return np.stack([_averaged(frame, scale) for frame in pixels])


def _decoded(path: Path, index: np.ndarray, scale: int, *, relative: bool) -> np.ndarray:
    """Decoded frames, averaged to 1/scale, minus the I-frame if `relative`; (T, H, W, 3) int16."""
    wanted = {int(number) for number in index} | {0}
    frames = {
        number: _averaged(frame, scale)
        for number, frame in enumerate(itertools.islice(codec.decode(path), max(wanted) + 1))
        if number in wanted
    }
    first = frames[0] if relative else 0
    return np.stack([np.rint(frames[int(number)] - first) for number in index]).astype(np.int16)


def _averaged(frame: np.ndarray, scale: int) -> np.ndarray:
    height, width = frame.shape[:2]
    # The border is repeated, as the codec does, where the size is not a multiple of the scale.
    frame = np.pad(frame, ((0, -height % scale), (0, -width % scale), (0, 0)), mode="edge")
    rows, columns = frame.shape[0] // scale, frame.shape[1] // scale
    return frame.reshape(rows, scale, columns, scale, -1).astype(np.float32).mean((1, 3))

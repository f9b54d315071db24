"""From the compressed file to the label, stage by stage, as a user would run it.

Every pipeline is a task for `measure.interleaved`: it opens the files of a batch, gets what its
network reads, runs the network once and answers with a class a clip. Compressed-domain pipelines
parse only the P-VOPs they need; those that read pictures decode every frame up to the last they
sample, because each P-VOP needs the one before, but convert and scale only the sampled ones.

Stages: `demux` (open, read packets, index), `parse` (compressed domain: entropy decoding,
transform and colour in one pass, split by `parsing_split`), `decode` (libavcodec: entropy
decoding, transform, motion compensation), `colour` (to RGB and scaled), `face detection`,
`network`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

import av
import numpy as np
import torch
from av.video.reformatter import Interpolation, VideoReformatter
from torch import nn

from mic import bitstream, export, faces
from mic.codec.reading import opened
from mic.faces.fer import Fer, crop
from mic.inputs.tensors import Representation, represent, sampled
from mic.speed.measure import Stopwatch, Task

Runner = Callable[[np.ndarray, np.ndarray | None], np.ndarray]
Answer = Callable[[Sequence[Path], Stopwatch], np.ndarray]
# Of libavcodec's reduced decoding by the scale of the result.
_LOWRES = {1: 0, 2: 1, 4: 2, 8: 3}


def on(paths: Sequence[Path], answer: Answer) -> Task:
    """A pipeline on the files of a batch, as `measure.interleaved` wants it."""
    return lambda watch: answer(paths, watch)


def torch_runner(network: nn.Module, *, device: str = "cpu") -> Runner:
    """Runs a network with torch, its convolutions on channels-last memory.

    Args:
        network: MIC or a peer.
        device: Where; the input comes from there and the answer goes back in each run.
    """
    network = network.eval().to(device).to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def run(clips: np.ndarray, motion: np.ndarray | None) -> np.ndarray:
        moved = None if motion is None else torch.from_numpy(motion).to(device).float()
        shown = torch.from_numpy(clips).to(device).float()
        return network(shown, None, moved).logits.cpu().numpy()

    return run


def onnx_runner(
    network: nn.Module,
    *,
    size: tuple[int, int],
    steps: int,
    motion_size: tuple[int, int] | None = None,
    threads: int = 1,
) -> Runner:
    """Exports a network and runs it with ONNX Runtime.

    Args:
        network: MIC or a peer that has an ONNX form.
        size: Height and width that it will see.
        steps: Frames a clip.
        motion_size: Height and width of the motion planes, where it reads them.
        threads: Of the runtime.
    """
    model = export.build(network, size=size, steps=steps, motion_size=motion_size)
    return session_runner(export.Session(model.SerializeToString(), threads=threads))


def session_runner(session: export.Session) -> Runner:
    """Runs an exported network."""
    return lambda clips, motion: session(clips, motion).logits


def compressed(runner: Runner, representation: Representation, *, threads: int = 1) -> Answer:
    """Residuals (and motion) parsed from the streams, then the network."""

    def answer(paths: Sequence[Path], watch: Stopwatch) -> np.ndarray:
        clips = []
        for path in paths:
            with watch("demux"):
                stream = bitstream.open(path)
            with stream, watch("parse"):
                clips.append(represent(stream, representation, threads=threads))
        with watch("network"):
            moved = [clip["motion"] for clip in clips if "motion" in clip]
            motion = _batch(moved) if moved else None
            return runner(_batch([clip["residual"] for clip in clips]), motion).argmax(1)

    return answer


def pictures(
    runner: Runner,
    *,
    steps: int,
    size: tuple[int, int],
    relative: bool = False,
    detect: bool = False,
    threads: int = 1,
) -> Answer:
    """Decoded frames, then the network.

    Args:
        runner: Takes (B, T, 3, h, w) int16.
        steps: Frames sampled.
        size: Height and width that the network sees.
        relative: Whether it sees them less the first frame, which is converted as well.
        detect: Whether the face is found in each sampled frame first.
        threads: Of the decoder.
    """
    scaled = _Scaler(size)

    def answer(paths: Sequence[Path], watch: Stopwatch) -> np.ndarray:
        clips = []
        for path in paths:
            frames = _decoded(path, watch, steps=steps, first=relative, threads=threads)
            if detect:
                with watch("colour"):
                    whole = [_rgb(frame) for frame in frames]
                with watch("face detection"):
                    boxes = [found.box for found in faces.detector().detect(whole)]
                with watch("colour"):
                    cut = zip(whole, boxes, strict=True)
                    small = [scaled(_frame(_face(picture, box))) for picture, box in cut]
            else:
                with watch("colour"):
                    small = [scaled(frame) for frame in frames]
            with watch("colour"):
                seen = np.stack(small).transpose(0, 3, 1, 2).astype(np.int16, order="C")
                clips.append(seen[1:] - seen[0] if relative else seen)
        with watch("network"):
            return runner(_batch(clips), None).argmax(1)

    return answer


def outsider(network: Fer, *, steps: int, threads: int = 1) -> Answer:
    """Recognition frame by frame: decode, find the face in each sampled frame, classify, vote."""

    def one(path: Path, watch: Stopwatch) -> int:
        frames = _decoded(path, watch, steps=steps, threads=threads)
        with watch("colour"):
            whole = [_rgb(frame) for frame in frames]
        with watch("face detection"):
            boxes = [found.box for found in faces.detector().detect(whole)]
        with watch("network"):
            cut = [_face(picture, box) for picture, box in zip(whole, boxes, strict=True)]
            votes = network.probabilities(cut)
        return int(votes.mean(0).argmax())

    return lambda paths, watch: np.array([one(path, watch) for path in paths])


def with_face(answer: Answer) -> Answer:
    """The same, after the I-frame was decoded and the face found on it: once a clip."""

    def first(paths: Sequence[Path], watch: Stopwatch) -> np.ndarray:
        with watch("face detection"):
            for path in paths:
                faces.detect_clip(path)
        return answer(paths, watch)

    return first


def parsing_split(representation: Representation) -> dict[str, Answer]:
    """Tasks whose differences are the parts of `parse`.

    Args:
        representation: `raw`, or `running` or `accumulated`, which read every frame.

    Returns:
        `open` (demultiplexing and index), `modes` (entropy decoding without the transform),
        `planes` (with it), `sums` (added up, along the motion or not), `rgb` (with colour).
    """
    scale, steps, kind = representation.scale, representation.steps, representation.kind

    def part(what: str) -> Answer:
        def answer(paths: Sequence[Path], watch: Stopwatch) -> np.ndarray:
            del watch
            for path in paths:
                with bitstream.open(path) as stream:
                    index = sampled(stream.frame_count, steps)
                    every = None if kind != "raw" else index
                    if what == "modes":
                        stream.macroblocks(every)
                    elif what == "planes" and every is None:
                        for _ in stream.blocks(scale=scale):
                            pass
                    elif what == "rgb":
                        represent(stream, representation)
                    elif what and kind == "accumulated":
                        stream.accumulated(index, scale=scale)
                    elif what and kind == "running":
                        stream.segment_sums(min(steps, stream.frame_count - 1), scale=scale)
                    elif what:
                        stream.residual(index, scale=scale)
            return np.zeros(len(paths))

        return answer

    names = ("open", "modes", "planes", "sums", "rgb")
    return {name: part("" if name == "open" else name) for name in names}


def decoding_split(
    *, steps: int, scale: int = 1, reduced: bool = False, threads: int = 1
) -> dict[str, Answer]:
    """Tasks whose differences are the parts of `decode` and `colour`.

    libavcodec can be told to leave out the inverse transform, which splits its time in two;
    motion compensation stays on the side of the entropy decoding.

    Args:
        steps: Frames that are converted, of all that must be decoded.
        scale: Of the pictures that come out.
        reduced: Whether libavcodec decodes at that scale (`lowres`: the pictures drift away from
            those of the full decoder) instead of scaling decoded pictures.
        threads: Of the decoder.

    Returns:
        `demux`, `entropy` (decoding without the transform), `all` (with it), `rgb` (the sampled
        frames also converted and scaled).
    """

    def part(skip: str, *, colour: bool = False) -> Answer:
        def one(path: Path) -> None:
            with opened(path, threads=threads) as (container, stream):
                packets = list(container.demux(stream))
                if skip == "everything":
                    return
                lowres = _LOWRES[scale] if reduced else 0
                context = stream.codec_context
                context.options = {"skip_idct": skip, "lowres": str(lowres)}
                scaled = _Scaler((-(-context.height // scale), -(-context.width // scale)))
                wanted = set(sampled(sum(packet.size > 0 for packet in packets), steps).tolist())
                number = 0
                for packet in packets:
                    for frame in context.decode(packet if packet.size else None):
                        if colour and number in wanted:
                            scaled(frame)
                        number += 1

        def answer(paths: Sequence[Path], watch: Stopwatch) -> np.ndarray:
            del watch
            for path in paths:
                one(path)
            return np.zeros(len(paths))

        return answer

    return {
        "demux": part("everything"),
        "entropy": part("all"),
        "all": part("none"),
        "rgb": part("none", colour=True),
    }


def _batch(clips: Sequence[np.ndarray]) -> np.ndarray:
    """Clips of one length, side by side; a single one is not copied."""
    return clips[0][None] if len(clips) == 1 else np.stack(clips)


def _decoded(
    path: Path, watch: Stopwatch, *, steps: int, first: bool = False, threads: int
) -> list[av.VideoFrame]:
    """The sampled frames, behind the clip's first one if that is wanted as well."""
    with contextlib.ExitStack() as stack:
        with watch("demux"):
            container, stream = stack.enter_context(opened(path, threads=threads))
            packets = list(container.demux(stream))
        with watch("decode"):
            wanted = sampled(sum(packet.size > 0 for packet in packets), steps).tolist()
            wanted = [0, *wanted] if first else wanted
            asked = set(wanted)
            kept = {}
            number = 0
            for packet in packets:
                for frame in stream.codec_context.decode(packet if packet.size else None):
                    if number in asked:
                        kept[number] = frame
                    number += 1
    return [kept[number] for number in wanted]


class _Scaler:
    """To RGB and one size; keeps libswscale's context, whose setting up costs five pictures."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size
        self._reformatter = VideoReformatter()

    def __call__(self, frame: av.VideoFrame) -> np.ndarray:
        """(h, w, 3) uint8."""
        height, width = self._size
        return self._reformatter.reformat(
            frame, width=width, height=height, format="rgb24", interpolation=Interpolation.AREA
        ).to_ndarray()


def _rgb(frame: av.VideoFrame) -> np.ndarray:
    return frame.to_ndarray(format="rgb24")


def _frame(picture: np.ndarray) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24")


def _face(picture: np.ndarray, box: np.ndarray) -> np.ndarray:
    """The face, or the whole picture where there is none."""
    return picture if np.isnan(box).any() else crop(picture, box)

"""What `make bench` times: ours in its shapes, and the other readers, each as a plain function."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import torch
from mvextractor.videocap import VideoCap
from ratios import REFERENCE
from torchcodec.decoders import VideoDecoder

import mic.bitstream

CHUNK_BYTES = 2 << 20


class Ours:
    """`mic.bitstream` with reused output arrays, as a training loop holds them.

    The other readers hand out one frame after another and reuse its memory, which stays in the
    processor's cache. So does a chunk of some 2 MB here; `whole` fills one array for all frames
    of the clip instead, which is bound by the memory's bandwidth.
    """

    def __init__(self) -> None:
        self._out: dict[tuple, tuple[np.ndarray, ...]] = {}

    def residual(
        self,
        path: Path,
        *,
        scale: int = 1,
        threads: int = 1,
        count: int = 0,
        whole: bool = False,
    ) -> None:
        """Residual planes; of `count` frames spread evenly, or of all."""
        with mic.bitstream.open(path) as stream:
            numbers = np.arange(stream.frame_count)
            if count:
                numbers = np.linspace(1, stream.frame_count - 1, count).astype(int)
            frame_bytes = 3 * stream.width * stream.height // scale**2
            # Each thread has a cache of its own to stay in.
            size = len(numbers) if whole else max(4, CHUNK_BYTES // frame_bytes) * threads
            for start in range(0, len(numbers), size):
                part = numbers[start : start + size]
                key = (stream.width, stream.height, scale, len(part))
                found = stream.residual(part, scale=scale, threads=threads, out=self._out.get(key))
                self._out[key] = (found.y, found.cb, found.cr)

    def added(self, path: Path) -> None:
        """The least that accumulation can cost: residuals, each added once to float planes."""
        with mic.bitstream.open(path) as stream:
            sums: list[np.ndarray] = []
            size = max(4, CHUNK_BYTES // (3 * stream.width * stream.height))
            for start in range(0, stream.frame_count, size):
                part = np.arange(start, min(start + size, stream.frame_count))
                key = (stream.width, stream.height, 1, len(part))
                found = stream.residual(part, out=self._out.get(key))
                self._out[key] = planes = (found.y, found.cb, found.cr)
                sums = sums or [np.zeros(plane.shape[1:], np.float32) for plane in planes]
                for total, plane in zip(sums, planes, strict=True):
                    for frame in plane:
                        np.add(total, frame, out=total)

    def motion(self, path: Path) -> None:
        """Motion vectors per 8x8 block."""
        with mic.bitstream.open(path) as stream:
            stream.motion()

    def accumulated(
        self, path: Path, *, scale: int = 1, definition: str = "standard", count: int = 10
    ) -> None:
        """Residuals accumulated since the I-frame over all frames, handed out for `count`."""
        with mic.bitstream.open(path) as stream:
            numbers = np.linspace(1, stream.frame_count - 1, count).astype(int)
            key = (stream.width, stream.height, scale, definition)
            found = stream.accumulated(
                numbers, scale=scale, definition=definition, out=self._out.get(key)
            )
            self._out[key] = (found.y, found.cb, found.cr)


def pyav(path: Path, *, picture: bool = False, motion: bool = False, threads: int = 1) -> None:
    """PyAV: decode only, to RGB arrays, or with exported vectors; one thread decodes.

    `threads` convert to RGB. PyAV's default (0) takes all cores, which costs more than it gives
    for pictures this small.
    """
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        if motion:
            stream.codec_context.options = {"flags2": "+export_mvs"}
        for frame in container.decode(stream):
            if picture:
                frame.to_ndarray(format="rgb24", threads=threads)
            if motion:
                vectors = frame.side_data.get("MOTION_VECTORS")
                if vectors is not None:
                    vectors.to_ndarray()


def opencv(path: Path) -> None:
    """OpenCV's reader, which gives BGR; one thread by OPENCV_FFMPEG_CAPTURE_OPTIONS."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    while capture.read()[0]:
        pass
    capture.release()


def torchcodec(path: Path) -> None:
    """RGB tensors from torchcodec, one FFmpeg thread."""
    for _ in VideoDecoder(path, num_ffmpeg_threads=1, seek_mode="approximate"):
        pass


def mv_extractor(path: Path) -> None:
    """mv-extractor: BGR frames and motion vectors."""
    capture = VideoCap()
    capture.open(str(path))
    while capture.read()[0]:
        pass
    capture.release()


def contestants() -> dict[str, Callable[[Path], None]]:
    """Everything that is timed on every clip, by the name it has in the table."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    ours = Ours()
    return {
        REFERENCE: lambda path: pyav(path, picture=True),
        "PyAV to rgb24 (default threads)": lambda path: pyav(path, picture=True, threads=0),
        "PyAV decode": pyav,
        "PyAV with motion vectors": lambda path: pyav(path, motion=True),
        "OpenCV": opencv,
        "torchcodec": torchcodec,
        "mv-extractor": mv_extractor,
        "mic residual": ours.residual,
        "mic residual, whole clip at once": lambda path: ours.residual(path, whole=True),
        "mic residual 1/2": lambda path: ours.residual(path, scale=2),
        "mic residual 1/4": lambda path: ours.residual(path, scale=4),
        "mic residual 1/8 (DC)": lambda path: ours.residual(path, scale=8),
        "mic motion": ours.motion,
        "mic accumulated": ours.accumulated,
        "mic accumulated 1/2": lambda path: ours.accumulated(path, scale=2),
        "mic accumulated (CoViAR)": lambda path: ours.accumulated(path, definition="coviar"),
        "mic accumulated 1/2 (CoViAR)": lambda path: ours.accumulated(
            path, scale=2, definition="coviar"
        ),
        "floor of accumulation: residual, added once": ours.added,
        "mic residual, two threads": lambda path: ours.residual(path, threads=2),
        "mic ten sampled frames": lambda path: ours.residual(path, count=10),
    }

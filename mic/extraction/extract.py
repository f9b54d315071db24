"""From a video to a file of arrays (.npz), a folder of pictures (.png) or a film (.mp4)."""

from __future__ import annotations

import contextlib
import io
import json
import math
import operator
import os
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy
from PIL import Image

from mic import codec
from mic.errors import CodecError, ConfigError
from mic.extraction.pictures import motion_picture, residual_picture, turned_vectors
from mic.extraction.source import PARTS, Chunk, Coded, Method, coded
from mic.storage import atomic

FORMATS = ("npz", "png", "mp4")
SPACES = ("rgb", "ycbcr")
Progress = Callable[[int, int], None]
# What `_Extraction.pictures` writes.
_PICTURE = re.compile(r"(residual|motion|backward|iframe)_\d{6,}\.png")


@dataclass(frozen=True, kw_only=True)
class ExtractReport:
    """What was written.

    Attributes:
        target: The file, or the folder of pictures.
        method: How the parts were got: "bitstream", "reencoded" or "decoded".
        frames: Frames of the video.
        iframes: I-frames written; 0 when they were not asked for.
        damaged: Frames with lost macroblocks (with on_error="mask").
        shapes: Shapes of the arrays by name (.npz).
    """

    target: Path
    method: str
    frames: int
    iframes: int
    damaged: int
    shapes: dict[str, tuple[int, ...]]


def extract(
    video: str | Path,
    target: str | Path,
    *,
    what: Sequence[str] = ("residual",),
    scale: int = 1,
    space: str = "rgb",
    method: Method = "auto",
    on_error: str = "raise",
    gain: float = 4.0,
    compress: bool = True,
    threads: int = 1,
    progress: Progress | None = None,
) -> ExtractReport:
    """Extracts the coded parts of a video of any length; memory is flat.

    `.npz` holds arrays: `residual` int16 (T, ceil(H / scale), ceil(W / scale), 3); `motion` int16
    (T, 2 h, 2 w, 2), x and y in quarter samples per 8x8 block for h x w macroblocks, into the
    picture that is shown before; `backward` the same, into the one that is shown after a B-frame
    (zero elsewhere); `iframe`
    uint8 (K, H, W, 3) with `iframe_number` int64 (K,); `kind` uint8 (T,), the letters I, P, B, N;
    `time` float64 (T,), seconds from the first frame; `damaged` bool (T,); `about`, a JSON text
    with size, frame rate, scale, space, method and orientation. A target without a suffix is a
    folder of `residual_000001.png` and so on, `.mp4` an H.264 film of the parts side by side.

    Frames are those that are shown, in that order, and VOPs that are not coded. Residuals and
    vectors lie as they are coded: where players turn the video (`about["orientation"]`), the
    arrays are not turned; I-frames, pictures and films are.

    Args:
        video: Any video; `ExtractReport.method` says how it was read.
        target: `.npz`, `.mp4` or a folder.
        what: Of "residual", "motion", "backward" and "iframe".
        scale: 1, 2, 4 or 8: residuals at 1/scale, from the DCT coefficients.
        space: "rgb" or "ycbcr".
        method: See `mic.extraction.source.coded`.
        on_error: "raise", or "mask" to go on after damage and mark it in `damaged`.
        gain: Levels of a picture or film a unit of residual.
        compress: Whether `.npz` is deflated: about five times smaller, three times slower.
        threads: Threads to parse with.
        progress: Called with frames done and frames in all, once a chunk and part.

    Raises:
        ConfigError: An argument is out of its range.
        CodecError: The video cannot be read, or breaks off (with on_error="raise").
        BitstreamError: It is damaged, or outside the supported profile.
        StorageError: The target cannot be written.
    """
    if not os.fspath(target):
        raise ConfigError("the target's name is empty", remedy="name a file or a folder")
    target = Path(target)
    what = (what,) if isinstance(what, str) else tuple(what)
    try:
        scale, threads, gain = operator.index(scale), operator.index(threads), float(gain)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"scale, threads or gain is no number: {error}", remedy="whole ones but for gain"
        ) from error
    if not (math.isfinite(gain) and gain > 0):
        raise ConfigError(f"gain is {gain}", remedy="choose a number above 0, as 4")
    kind = {".npz": "npz", ".mp4": "mp4", "": "png"}.get(target.suffix.lower(), "")
    for name, value, allowed in (
        ("what", what, PARTS),
        ("space", (space,), SPACES),
        ("scale", (scale,), (1, 2, 4, 8)),
        ("target's suffix", (kind,), FORMATS),
    ):
        known = all(one in allowed for one in value)
        if not value or not known or len(set(value)) < len(value):
            raise ConfigError(f"{name} is {value}", remedy=f"choose of {allowed}, each once")
    # Refused now, not after the work.
    place = target
    if kind == "png":
        with contextlib.suppress(OSError):  # an overlong name, which is refused below
            if target.is_dir():
                place = target / "x.png"
            elif target.exists():
                raise ConfigError("is a file", file=target, remedy="name a folder for pictures")
    atomic.check_writable(place, sources=[video])
    with coded(video, method=method) as source:
        if source.video.damage is not None and on_error == "raise":
            raise source.video.damage
        work = _Extraction(
            source, what, scale, space, on_error, threads, gain, progress or _silent
        )
        if kind == "npz":
            shapes = work.arrays(target, compress)
        elif kind == "png":
            shapes = {}
            prefix = f".{target.name[:40]}-"
            with tempfile.TemporaryDirectory(prefix=prefix, dir=target.parent) as staged:
                work.pictures(Path(staged))
                target.mkdir(parents=True, exist_ok=True)
                made = {picture.name for picture in Path(staged).iterdir()}
                with atomic.told(target):
                    for name in sorted(made):
                        Path(staged, name).replace(target / name)
                    # Those of an earlier extraction, which may have been longer or of other parts.
                    for picture in target.iterdir():
                        if _PICTURE.fullmatch(picture.name) and picture.name not in made:
                            picture.unlink()
        else:
            shapes = work.film(target)
        return ExtractReport(
            target=target,
            method=source.method,
            frames=source.count,
            iframes=work.iframes,
            damaged=work.damaged,
            shapes=shapes,
        )


def _silent(done: int, total: int) -> None:
    pass


@dataclass
class _Extraction:
    """One extraction; `iframes` and `damaged` count while it runs."""

    source: Coded
    what: tuple[str, ...]
    scale: int
    space: str
    on_error: str
    threads: int
    gain: float
    progress: Progress
    iframes: int = 0
    damaged: int = 0

    def arrays(self, target: Path, compress: bool) -> dict[str, tuple[int, ...]]:
        kinds, damaged = [], []
        shapes: dict[str, tuple[int, ...]] = {}
        method = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
        parts = [part for part in self.what if part != "iframe"]
        with (
            atomic.replacing(target) as temporary,
            zipfile.ZipFile(temporary, "w", method, compresslevel=1) as archive,
        ):
            # One pass a part, because an archive takes its members one after the other. The
            # first also tells kinds and damage.
            for part in parts or ["motion"]:
                with _Member(archive, part if parts else None, self.source.count) as member:
                    for chunk in self._chunks((part,)):
                        member.write(getattr(chunk, part))
                        if part == (parts or ["motion"])[0]:
                            kinds.append(chunk.kinds)
                            damaged.append(chunk.damaged)
                shapes |= member.shapes
            if "iframe" in self.what:
                shapes |= self._iframe_arrays(archive)
            letters = np.frombuffer("".join(kinds).encode(), np.uint8)
            small = {"kind": letters, "damaged": np.concatenate(damaged)}
            small["time"] = self.source.times
            small["about"] = np.array(json.dumps(self._about()))
            for name, array in small.items():
                _write_whole(archive, name, array)
        self.damaged = int(small["damaged"].sum())
        return shapes

    def _iframe_arrays(self, archive: zipfile.ZipFile) -> dict[str, tuple[int, ...]]:
        numbers = []
        count = self.source.kinds().count("I")
        if count == 0:  # an edit list may begin behind the only one
            width, height = self.source.video.size
            _write_whole(archive, "iframe", np.empty((0, height, width, 3), np.uint8))
            _write_whole(archive, "iframe_number", np.empty(0, np.int64))
            return {"iframe": (0, height, width, 3), "iframe_number": (0,)}
        with _Member(archive, "iframe", count) as member:
            for number, picture in self.source.iframes():
                member.write(picture[None])
                numbers.append(number)
        self.iframes = len(numbers)
        _write_whole(archive, "iframe_number", np.array(numbers, np.int64))
        return member.shapes | {"iframe_number": (len(numbers),)}

    def _about(self) -> dict[str, object]:
        return {
            "width": self.source.width,
            "height": self.source.height,
            "frame_rate": str(self.source.frame_rate),
            "frames": self.source.count,
            "scale": self.scale,
            "space": self.space,
            "method": self.source.method,
            "orientation": str(self.source.display),
        }

    def pictures(self, target: Path) -> None:
        parts = [part for part in self.what if part != "iframe"]
        for chunk in self._chunks(parts) if parts else ():
            self.damaged += int(chunk.damaged.sum())
            for part in parts:
                for index, picture in enumerate(self._shown(part, chunk)):
                    _write_png(target / f"{part}_{chunk.first + index:06d}.png", picture)
        for number, picture in self.source.iframes() if "iframe" in self.what else ():
            self.iframes += 1
            _write_png(target / f"iframe_{number:06d}.png", picture)

    def film(self, target: Path) -> dict[str, tuple[int, ...]]:
        rate, timed = codec.pace(self.source.video)
        codec.encode_frames(
            self._side_by_side(),
            target,
            frame_rate=rate,
            times=self.source.times if timed else None,
            codec="h264",
            vop_quant=20,
            gop=50,
        )
        return {}

    def _side_by_side(self) -> Iterator[np.ndarray]:
        iframes = self.source.iframes()
        following = next(iframes, None) if "iframe" in self.what else None
        width, height = self.source.video.size
        held = np.full((height, width, 3), 255, np.uint8)
        parts = [part for part in self.what if part != "iframe"]
        for chunk in self._chunks(parts or ["motion"]):
            self.damaged += int(chunk.damaged.sum())
            shown = {part: self._shown(part, chunk) for part in parts}
            for index in range(len(chunk)):
                if following is not None and following[0] <= chunk.first + index:
                    held, following = following[1], next(iframes, None)
                    self.iframes += 1
                row = [held if part == "iframe" else shown[part][index] for part in self.what]
                height = max(picture.shape[0] for picture in row)
                joined = np.concatenate([_enlarged(picture, height) for picture in row], axis=1)
                # 4:2:0 needs even sides.
                yield np.pad(
                    joined, [(0, joined.shape[0] % 2), (0, joined.shape[1] % 2), (0, 0)], "edge"
                )

    def _shown(self, part: str, chunk: Chunk) -> np.ndarray:
        display = self.source.display
        if part == "residual":
            found = residual_picture(chunk.part(part), space=self.space, gain=self.gain)
        else:
            vectors = turned_vectors(chunk.part(part), display)
            found = motion_picture(vectors, width=self.source.width, height=self.source.height)
        return np.stack([display.turn(picture) for picture in found])

    def _chunks(self, parts: Sequence[str]) -> Iterator[Chunk]:
        for chunk in self.source.chunks(
            parts,
            scale=self.scale,
            space=self.space,
            on_error=self.on_error,
            threads=self.threads,
        ):
            yield chunk
            self.progress(chunk.first + len(chunk), self.source.count)


class _Member:
    """An array inside a .npz that is written row by row: `np.savez` would need it whole.

    Args:
        archive: Open for writing.
        name: Of the array; None writes nothing.
        count: Rows in all.
    """

    def __init__(self, archive: zipfile.ZipFile, name: str | None, count: int) -> None:
        self._archive, self._name, self._count = archive, name, count
        self._stream: IO[bytes] | None = None
        self._rows = 0
        self.shapes: dict[str, tuple[int, ...]] = {}

    def __enter__(self) -> _Member:
        return self

    def write(self, rows: np.ndarray) -> None:
        self._rows += len(rows)
        if self._name is None:
            return
        if self._stream is None:
            shape = (self._count, *rows.shape[1:])
            self.shapes[self._name] = shape
            self._stream = self._archive.open(f"{self._name}.npy", "w", force_zip64=True)
            header = {
                "descr": npy.dtype_to_descr(rows.dtype),
                "fortran_order": False,
                "shape": shape,
            }
            npy.write_array_header_1_0(self._stream, header)
        self._stream.write(np.ascontiguousarray(rows).data)

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if self._stream is not None:
            self._stream.close()
        if error is None and self._rows != self._count:
            raise CodecError(
                f"holds {self._rows} frames where its container counts {self._count}",
                remedy="the file is damaged; re-encode it with `mic.codec.reencode`",
            )


def _write_whole(archive: zipfile.ZipFile, name: str, array: np.ndarray) -> None:
    buffer = io.BytesIO()
    np.save(buffer, array)
    # Opened by name it bears the format's first date; `writestr` would write today's.
    with archive.open(f"{name}.npy", "w") as stream:
        stream.write(buffer.getvalue())


def _write_png(path: Path, picture: np.ndarray) -> None:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "png")
    atomic.write_bytes(path, buffer.getvalue())


def _enlarged(picture: np.ndarray, height: int) -> np.ndarray:
    zoom = max(1, round(height / picture.shape[0]))
    large = picture.repeat(zoom, axis=0).repeat(zoom, axis=1)[:height]
    return np.pad(large, [(0, height - large.shape[0]), (0, 0), (0, 0)], "edge")

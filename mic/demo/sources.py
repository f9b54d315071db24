"""Where the demo's pictures come from: the page's camera, or a video file that it handed over."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image, ImageOps

from mic import codec
from mic.demo.live import CameraSession, LiveFrame, film_frames
from mic.errors import CodecError, StorageError
from mic.recognition.people import PeopleRecogniser
from mic.recognition.sources import source_of

_SHOWN_WIDTH = 640
_CHUNK = 1 << 20


class Readable(Protocol):
    """Something that bytes are read from."""

    def read(self, size: int) -> bytes:
        """At most `size` bytes."""
        ...


class Camera:
    """Pictures that the page sends one by one."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._session = CameraSession()

    def push(self, picture: np.ndarray, time: float) -> LiveFrame:
        """Recognises one picture, uint8 (H, W, 3), of so many seconds since the first.

        Raises:
            MicError: The picture cannot be recognised.
        """
        with self.lock:
            return self._session.push(picture, time)

    def close(self) -> None:
        """Nothing is held."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shown:
    """A picture of a film and what is known of it.

    Attributes:
        picture: uint8 (H, W, 3) RGB, made small enough for the page.
        scale: Its samples a sample of the film.
        number: Of the picture, from 0.
        time: Its seconds.
        frame: Of the last picture that recognition needed, this one or one before.
    """

    picture: np.ndarray
    scale: float
    number: int
    time: float
    frame: LiveFrame


class Film:
    """A video file; kept in a temporary folder until closed.

    It is read twice: by the recogniser, as `mic predict` does, which decodes as little as it
    can, and whole, since whoever sits there wants to see it.

    Args:
        content: The file's bytes.
        size: How many.
        below: Where its temporary folder is made; TMPDIR if None.

    Raises:
        CodecError: It is no video that libavcodec decodes.
        StorageError: There is no room for it.
    """

    def __init__(self, content: Readable, size: int, *, below: Path | None = None) -> None:
        self.lock = threading.Lock()
        with _room():
            self._folder = Path(tempfile.mkdtemp(prefix="mic-demo-", dir=below))
        try:
            path = self._folder / "film"
            _store(content, size, path)
            video = codec.Video(path, survey=True)
            self.seconds, self._size = video.duration, video.size
            source = source_of(video)
            self.method = source.way
            self._shown = video.pictures()
            # Its next picture may be asked for by any thread, so the networks are its own.
            self._known = film_frames(source, PeopleRecogniser())
            self._now = next(self._known)
            self._ahead: LiveFrame | None = self._now
        except BaseException:
            self.close()
            raise

    def next(self) -> Shown | None:
        """The next picture; None after the last.

        Raises:
            MicError: The film is damaged here.
        """
        with self.lock:
            picture = next(self._shown, None)
            if picture is None:
                return None
            while self._ahead is not None and self._ahead.number <= picture.number:
                self._now = self._ahead
                self._ahead = self._following()
            small, scale = _small(self._fitted(picture.rgb))
            return Shown(
                picture=small,
                scale=scale,
                number=picture.number,
                time=picture.time,
                frame=self._now,
            )

    def _fitted(self, picture: np.ndarray) -> np.ndarray:
        """At the size of the first one, which boxes are in."""
        width, height = self._size
        if picture.shape[:2] == (height, width):
            return picture
        return np.asarray(ImageOps.pad(Image.fromarray(picture), (width, height)))

    def close(self) -> None:
        """Deletes the file."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _following(self) -> LiveFrame | None:
        try:
            return next(self._known, None)
        except CodecError:  # the picture that cannot be shown says so
            return None


Source = Camera | Film


@contextlib.contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"no room for the film: {error.strerror}", remedy="free some space in TMPDIR"
        ) from error


def _store(content: Readable, size: int, path: Path) -> None:
    """Writes what is sent; where its sender fails, that error goes on as it is."""
    with _room():
        target = path.open("wb")
    with target:
        while size:
            chunk = content.read(min(size, _CHUNK))
            with _room():
                target.write(chunk)
            size -= len(chunk)
        with _room():
            target.flush()


def _small(frame: np.ndarray) -> tuple[np.ndarray, float]:
    height, width = frame.shape[:2]
    if width <= _SHOWN_WIDTH:
        return frame, 1.0
    size = (_SHOWN_WIDTH, max(1, round(height * _SHOWN_WIDTH / width)))
    small = np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BOX))
    return small, _SHOWN_WIDTH / width

"""Where the demo's pictures come from: the page's camera, or a video file that it handed over."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from mic import codec
from mic.errors import StorageError
from mic.recognition.live import LiveFrame, LiveSession

_SHOWN_WIDTH = 480
_CHUNK = 1 << 20


class Readable(Protocol):
    """Something that bytes are read from."""

    def read(self, size: int) -> bytes:
        """At most `size` bytes."""


class Camera:
    """Pictures that the page sends one by one.

    Args:
        session: Codes and recognises them.
    """

    def __init__(self, session: LiveSession) -> None:
        self.session = session
        self.lock = threading.Lock()

    def push(self, picture: np.ndarray) -> LiveFrame:
        """Codes and recognises one picture, uint8 (H, W, 3).

        Raises:
            MicError: The picture cannot be coded or recognised.
        """
        with self.lock:
            return self.session.push(picture)

    def close(self) -> None:
        """Nothing is held."""


class Film:
    """A video file, decoded a picture at a time; kept in a temporary folder until closed.

    Args:
        session: Codes and recognises its pictures.
        content: The file's bytes.
        size: How many.

    Raises:
        CodecError: It is no video that libavcodec decodes.
        StorageError: There is no room for it.
    """

    def __init__(self, session: LiveSession, content: Readable, size: int) -> None:
        self.session = session
        self.lock = threading.Lock()
        self._folder = Path(tempfile.mkdtemp(prefix="mic-demo-"))
        try:
            path = self._folder / "film"
            _store(content, size, path)
            self.rate = float(codec.probe(path).frame_rate)
            self._frames: Iterator[np.ndarray] = codec.decode(path)
        except BaseException:
            self.close()
            raise

    def next(self) -> LiveFrame | None:
        """Decodes, codes and recognises the next picture; None after the last.

        Raises:
            MicError: The film is damaged here.
        """
        with self.lock:
            frame = next(self._frames, None)
            return None if frame is None else self.session.push(_shown(frame))

    def close(self) -> None:
        """Deletes the file."""
        shutil.rmtree(self._folder, ignore_errors=True)


Source = Camera | Film


def _store(content: Readable, size: int, path: Path) -> None:
    try:
        with path.open("wb") as target:
            while size:
                chunk = content.read(min(size, _CHUNK))
                target.write(chunk)
                size -= len(chunk)
    except OSError as error:
        raise StorageError(
            f"no room for the film: {error.strerror}", remedy="free some space in TMPDIR"
        ) from error


def _shown(frame: np.ndarray) -> np.ndarray:
    # The face is what is recognised; a picture of this width shows one well.
    height, width = frame.shape[:2]
    if width <= _SHOWN_WIDTH:
        return frame
    size = (_SHOWN_WIDTH, max(16, round(height * _SHOWN_WIDTH / width)))
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BOX))

"""A picture of a video as it is shown."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from mic.codec.display import Display, rgb


class Picture:
    """A shown picture, converted only when somebody looks.

    Attributes:
        number: From 0, as shown.
        time: Seconds from the first shown picture.
        frame: What libavcodec decoded: coded orientation, colours and sample aspect.
    """

    __slots__ = ("_display", "_path", "_rgb", "frame", "number", "time")

    def __init__(
        self, number: int, time: float, frame: av.VideoFrame, display: Display, path: Path
    ) -> None:
        self.number, self.time, self.frame = number, time, frame
        self._display, self._path = display, path
        self._rgb: NDArray[np.uint8] | None = None

    @property
    def rgb(self) -> NDArray[np.uint8]:
        """As it is shown: upright, square samples, uint8 (H, W, 3); the same array every time.

        Raises:
            CodecError: It is of a colour space that is not converted.
        """
        if self._rgb is None:
            place = f"frame {self.number} ({self.time:.2f} s)"
            self._rgb = rgb(self.frame, self._display, self._path, place=place)
        return self._rgb

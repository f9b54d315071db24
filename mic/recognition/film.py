"""The video again, with the face's frame and the class bars drawn into it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mic import codec
from mic.recognition.windows import Window

_INK, _PAPER, _BAR, _WEAK = "#1c2733", "#fbfaf8", "#1f5a99", "#c9d3dd"


def overlay(
    video: str | Path, target: str | Path, windows: Sequence[Window], *, classes: Sequence[str]
) -> None:
    """Writes an H.264 film of the video with what was recognised, a frame at a time.

    Each frame shows the window whose middle is nearest.

    Args:
        video: The video that the windows are of.
        target: The film, `.mp4`.
        windows: Of that video.
        classes: Names of the probabilities.

    Raises:
        CodecError: The video cannot be decoded.
        StorageError: The film cannot be written.
    """
    rate = codec.probe(video).frame_rate
    codec.encode_frames(
        _drawn(video, windows, classes),
        target,
        frame_rate=rate,
        codec="h264",
        vop_quant=22,
        gop=50,
    )


def _drawn(
    video: str | Path, windows: Sequence[Window], classes: Sequence[str]
) -> Iterator[np.ndarray]:
    middles = np.array([(window.first + window.last) / 2 for window in windows])
    shown, panel = -1, None
    for number, frame in enumerate(codec.decode(video)):
        nearest = int(np.abs(middles - number).argmin())
        if nearest != shown or panel is None:
            shown, panel = nearest, _panel(frame.shape[0], windows[nearest], classes)
        yield _joined(frame, windows[nearest], panel)


def _joined(frame: np.ndarray, window: Window, panel: np.ndarray) -> np.ndarray:
    picture = Image.fromarray(frame)
    if window.outline is not None:
        draw = ImageDraw.Draw(picture)
        corners = [tuple(corner) for corner in window.outline]
        for width, colour in ((5, _INK), (2, "white")):
            draw.line([*corners, corners[0]], fill=colour, width=width, joint="curve")
    joined = np.concatenate([np.asarray(picture), panel], axis=1)
    # 4:2:0 needs even sides.
    return np.pad(joined, [(0, joined.shape[0] % 2), (0, joined.shape[1] % 2), (0, 0)], "edge")


def _panel(height: int, window: Window, classes: Sequence[str]) -> np.ndarray:
    """The bars, uint8 (height, W, 3); all type scales with the picture's height."""
    line = max(8, height // (len(classes) + 3))
    font = ImageFont.load_default(size=round(0.62 * line))
    title = f"{window.start:.1f}–{window.end:.1f} s"
    if window.probabilities is None:
        title += ": no face"
    label = max(font.getlength(name) for name in [*classes, title[: len(title) // 2]])
    bar, gap = 5 * line, line // 2
    panel = Image.new("RGB", (round(label + bar + 3 * gap), height), _PAPER)
    draw = ImageDraw.Draw(panel)
    draw.text((gap, line), title, fill=_INK, font=font, anchor="lm")
    best = None if window.probabilities is None else int(window.probabilities.argmax())
    for index, name in enumerate(classes):
        middle = (index + 2.2) * line
        draw.text((gap, middle), name, fill=_INK, font=font, anchor="lm")
        left, half = 2 * gap + label, 0.3 * line
        draw.rectangle([left, middle - half, left + bar, middle + half], fill="#e6e4df")
        if window.probabilities is not None:
            length = bar * float(window.probabilities[index])
            colour = _BAR if index == best else _WEAK
            draw.rectangle([left, middle - half, left + length, middle + half], fill=colour)
    return np.asarray(panel)

"""The video again, with the face's frame and the class bars drawn into it."""

from __future__ import annotations

import dataclasses
import functools
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from mic import codec
from mic.errors import CodecError
from mic.publishing.fonts import lettering
from mic.recognition.rows import Row

_INK, _PAPER, _BAR, _WEAK = "#1c2733", "#fbfaf8", "#1f5a99", "#c9d3dd"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Caption:
    """What is drawn for a while.

    Attributes:
        first: Its first frame.
        last: Its last frame.
        start: Seconds of the first.
        end: Seconds at which the last ends.
        outline: Corners of the face's frame, float (4, 2) as (x, y); None without a face.
        probabilities: float (classes,); None without an answer.
        status: Why there is none.
        person: Number of the person; None where only one is told of.
    """

    first: int
    last: int
    start: float
    end: float
    outline: np.ndarray | None
    probabilities: np.ndarray | None
    status: str
    person: int | None = None

    @classmethod
    def of(cls, row: Row, classes: Sequence[str]) -> Caption:
        """That of a window's row of `mic.predict`."""
        box, chances = None, None
        if row.get("left") is not None:
            left, top, right, bottom = (float(row[k]) for k in ("left", "top", "right", "bottom"))
            box = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
        if row.get("label") is not None:
            chances = np.array([float(row[f"p_{name}"]) for name in classes])
        return cls(
            first=int(row["first_frame"]),
            last=int(row["last_frame"]),
            start=float(row["start"]),
            end=float(row["end"]),
            outline=box,
            probabilities=chances,
            status=row.get("status") or row.get("face") or "no face",
            person=row.get("person"),
        )


def overlay(
    video: str | Path,
    target: str | Path,
    windows: Sequence[Caption],
    *,
    classes: Sequence[str],
) -> None:
    """Writes an H.264 film of the video with what was recognised, a frame at a time.

    Each frame shows the window whose middle is nearest in time: everybody's box, and the bars of
    the person whose expression is named, of several the one seen largest. Classes' names are drawn
    in a font that has their letters (`mic.publishing.fonts`). Where the video breaks off, the film
    ends.

    Args:
        video: The video that the windows are of.
        target: The film, `.mp4`.
        windows: What is drawn, in the order of their time.
        classes: Names of the probabilities.

    Raises:
        CodecError: The video cannot be decoded, or its pauses are longer than the film keeps.
        StorageError: The film cannot be written.
    """
    opened = codec.Video(video, survey=True)
    rate, timed = codec.pace(opened)
    codec.encode_frames(
        _drawn(opened, windows, classes),
        target,
        frame_rate=rate,
        times=opened.times.tolist() if timed else None,
        codec="h264",
        vop_quant=22,
        gop=50,
    )


def _drawn(
    video: codec.Video, windows: Sequence[Caption], classes: Sequence[str]
) -> Iterator[np.ndarray]:
    middles = np.array([(window.start + window.end) / 2 for window in windows])
    sharing = Counter((window.first, window.last) for window in windows)
    titles = frozenset(_title(one, alone=sharing[one.first, one.last] == 1) for one in windows)
    shown, panel, shape = -1, None, None
    people: list[Caption] = []
    for picture in _whole(video):
        frame = picture.rgb
        shape = shape or frame.shape
        if frame.shape != shape:  # a stream may change its size; a film cannot
            frame = np.asarray(ImageOps.pad(Image.fromarray(frame), (shape[1], shape[0])))
        nearest = int(np.abs(middles - picture.time).argmin())
        if nearest != shown or panel is None:
            one, shown = windows[nearest], nearest
            same = [each for each in windows if (each.first, each.last) == (one.first, one.last)]
            people = sorted(same, key=_rank)
            title = _title(people[-1], alone=len(same) == 1)
            panel = _panel(frame.shape[0], people[-1], classes, title, titles)
        yield _joined(frame, people, panel, classes)


def _rank(window: Caption) -> tuple[bool, float]:
    """Of several people the most telling comes last."""
    if window.outline is None:
        return window.probabilities is not None, 0.0
    return window.probabilities is not None, float(np.prod(np.ptp(window.outline, axis=0)))


def _whole(video: codec.Video) -> Iterator[codec.Picture]:
    """All whole pictures; that there is damage behind them, the rows have told."""
    drawn = False
    try:
        for picture in video.pictures():
            drawn = True
            yield picture
    except CodecError:
        if not drawn:
            raise


def _joined(
    frame: np.ndarray,
    people: Sequence[Caption],
    panel: np.ndarray,
    classes: Sequence[str],
) -> np.ndarray:
    picture = Image.fromarray(frame)
    draw = ImageDraw.Draw(picture)
    for window in people:
        if window.outline is None:
            continue
        corners = [tuple(corner) for corner in window.outline]
        for width, colour in ((5, _INK), (2, "white")):
            draw.line([*corners, corners[0]], fill=colour, width=width, joint="curve")
        if len(people) > 1:
            line = max(8, frame.shape[0] // 24)
            name = _Written(_said(window, classes), round(0.8 * line))
            left, top = window.outline.min(0)
            top = max(0.0, float(top) - 1.2 * line)
            draw.rectangle([left, top, left + name.width + line / 2, top + line], fill=_PAPER)
            name.draw(draw, float(left) + line / 4, top + line / 2)
    joined = np.concatenate([np.asarray(picture), panel], axis=1)
    # 4:2:0 needs even sides.
    return np.pad(joined, [(0, joined.shape[0] % 2), (0, joined.shape[1] % 2), (0, 0)], "edge")


def _said(window: Caption, classes: Sequence[str]) -> str:
    """A person's number, and the expression or why none is named."""
    chances = window.probabilities
    said = window.status if chances is None else classes[int(chances.argmax())]
    return said if window.person is None else f"{window.person}: {said}"


def _title(window: Caption, *, alone: bool) -> str:
    """What stands above the bars."""
    title = f"{window.start:.1f}–{window.end:.1f} s"
    if not alone and window.person is not None:
        title += f", {window.person}"
    if window.probabilities is None:
        title += f": {window.status}"
    return title


def _panel(
    height: int,
    window: Caption,
    classes: Sequence[str],
    title: str,
    titles: frozenset[str],
) -> np.ndarray:
    """The bars, uint8 (height, W, 3); all type scales with the picture's height.

    W is the same for all `titles`: the pictures of a film are of one size.
    """
    line = max(8, height // (len(classes) + 3))
    size = round(0.62 * line)
    heading, *names = (_Written(text, size) for text in (title, *classes))
    label = max(_widest(titles, size) / 2, *(name.width for name in names))
    bar, gap = 5 * line, line // 2
    panel = Image.new("RGB", (round(label + bar + 3 * gap), height), _PAPER)
    draw = ImageDraw.Draw(panel)
    heading.draw(draw, gap, line)
    best = None if window.probabilities is None else int(window.probabilities.argmax())
    for index, name in enumerate(names):
        middle = (index + 2.2) * line
        name.draw(draw, gap, middle)
        left, half = 2 * gap + label, 0.3 * line
        draw.rectangle([left, middle - half, left + bar, middle + half], fill="#e6e4df")
        if window.probabilities is not None:
            length = bar * float(window.probabilities[index])
            colour = _BAR if index == best else _WEAK
            draw.rectangle([left, middle - half, left + length, middle + half], fill=colour)
    return np.asarray(panel)


@functools.lru_cache(maxsize=1)  # of the film that is drawn
def _widest(titles: frozenset[str], size: int) -> float:
    """Samples across the widest of some titles."""
    return max(_Written(title, size).width for title in titles)


class _Written:
    """A text and a font that has its letters."""

    def __init__(self, text: str, size: int) -> None:
        found = lettering(text)
        self._text = found.text
        self._font = ImageFont.truetype(str(found.file), size)
        self.width = self._font.getlength(self._text)

    def draw(self, on: ImageDraw.ImageDraw, left: float, middle: float) -> None:
        on.text((left, middle), self._text, fill=_INK, font=self._font, anchor="lm")

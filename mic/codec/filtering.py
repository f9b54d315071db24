"""Decoded frames made ready for an encoder: upright, cropped, scaled, BT.601 in limited range."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
from av.filter import Graph
from av.video.reformatter import ColorRange

from mic.codec.display import Display, displays, like, ordinary, resized
from mic.codec.options import EncodeOptions
from mic.errors import ConfigError

# What MPEG-4 Part 2 means where it says nothing (AVColorSpace: not told, BT.601 of 625 and of 525
# lines), and samples that are not Y, Cb, Cr yet.
_BT_601 = frozenset({0, 2, 5, 6})
# With as many samples of chroma as of luma; libavfilter takes what is nearest to a picture's own.
_WHOLE_CHROMA = ("yuv444p", "yuvj444p", "yuv444p10le", "yuv444p12le", "gbrp", "gbrp10le", "gray")


def prepared(
    frames: Iterable[av.VideoFrame],
    options: EncodeOptions,
    source: Path,
    *,
    sample_aspect: Fraction | None = None,
) -> Iterator[av.VideoFrame]:
    """Frames as they are shown (`mic.codec.display`), cropped, scaled (bicubic), in yuv420p.

    Samples become square only where the options ask for a crop or a size.

    Args:
        frames: Decoded frames; size and format may change in mid-stream.
        options: Their `crop` and `size` are used.
        source: Named in errors.
        sample_aspect: Width of a sample in its heights; None: square.

    Raises:
        ConfigError: The crop box leaves the picture.
        CodecError: A colour space that is not converted.
    """
    key: tuple[object, ...] = ()
    graph, size = None, options.size
    whole: tuple[int, int] | None = None  # the first picture as it is shown
    squared = options.crop is not None or options.size is not None
    found = displays(frames, sample_aspect if squared else None)
    for number, (shown, display) in enumerate(found):
        frame = ordinary(shown, source, place=f"frame {number}")
        shape = (frame.width, frame.height, frame.format.name)
        current = (*shape, display, frame.color_range, frame.colorspace)
        if current != key:
            key = current
            whole = whole or display.size(frame.width, frame.height)
            graph = _graph(frame, display, options.crop, whole, size, source)
        if graph is None:
            ready = frame
        else:
            graph.push(frame)
            ready = cast(av.VideoFrame, graph.pull())
        # A stream that changes its size goes on at the size it began with.
        size = size or (ready.width, ready.height)
        yield ready


def _graph(
    frame: av.VideoFrame,
    display: Display,
    crop: tuple[int, int, int, int] | None,
    whole: tuple[int, int],
    size: tuple[int, int] | None,
    source: Path,
) -> Graph | None:
    # Filters in the order of the command line's: turn, crop, scale.
    steps: list[tuple[str, str]] = []
    wide, high = display.square(frame.width, frame.height)
    if (wide, high) != (frame.width, frame.height):
        steps.append(("scale", f"{wide}:{high}:flags=bicubic"))
    steps += display.filters()
    width, height = display.size(frame.width, frame.height)
    if (width, height) != whole and (crop or width * whole[1] != height * whole[0]):
        # A crop is a box of the first picture, and what is turned later keeps its shape.
        steps += _fit(width, height, whole)
        width, height = whole
    if crop is not None:
        x, y, crop_width, crop_height = crop
        if x + crop_width > width or y + crop_height > height:
            raise ConfigError(
                f"crop {crop} leaves the picture of {width} x {height}",
                file=source,
                remedy="give x, y, width, height inside the picture",
            )
        steps.append(("crop", f"{crop_width}:{crop_height}:{x}:{y}:exact=1"))
        width, height = crop_width, crop_height
    full_range = frame.color_range == ColorRange.JPEG
    foreign = frame.colorspace not in _BT_601
    resize = size is not None and size != (width, height)
    if resize or full_range or foreign or frame.format.name != "yuv420p":
        width, height = size or (width, height)
        matrix = ":out_color_matrix=bt601" if foreign else ""
        # By its fast way swscale's conversions end up two to three grey levels too dark.
        exact = "+accurate_rnd+full_chroma_int" if foreign or full_range else ""
        steps.append(("scale", f"{width}:{height}:flags=bicubic{exact}:out_range=tv{matrix}"))
    return _linked(frame, [*steps, ("format", "yuv420p")]) if steps else None


def fitted(frame: av.VideoFrame, width: int, height: int) -> av.VideoFrame:
    """A picture brought to a size in its own shape, with black bars where it does not fill it.

    Args:
        frame: Decoded.
        width: To be, in samples of the same aspect as the frame's.
        height: To be.
    """
    if frame.width * height == frame.height * width:
        return resized(frame, width, height)
    graph = _linked(frame, _fit(frame.width, frame.height, (width, height)))
    graph.push(frame)
    return like(frame, cast(av.VideoFrame, graph.pull()))


def _fit(width: int, height: int, target: tuple[int, int]) -> list[tuple[str, str]]:
    """Filters that keep a picture's shape and fill the rest of another size with black."""
    share = min(target[0] / width, target[1] / height)
    edges = (
        min(whole, max(2, 2 * round(edge * share / 2)))
        for edge, whole in zip((width, height), target, strict=True)
    )
    inner = ":".join(map(str, edges))
    steps = [("scale", f"{inner}:flags=bicubic")]
    if target[0] % 4 or target[1] % 4:  # `pad` goes by whole samples of chroma
        steps.append(("format", "|".join(_WHOLE_CHROMA)))
    return [*steps, ("pad", f"{target[0]}:{target[1]}:-1:-1")]


def _linked(frame: av.VideoFrame, steps: Sequence[tuple[str, str]]) -> Graph:
    graph = Graph()
    nodes = [
        graph.add_buffer(
            width=frame.width,
            height=frame.height,
            format=frame.format,
            time_base=frame.time_base or Fraction(1, 25),
        ),
        *(graph.add(name, arguments) for name, arguments in steps),
        graph.add("buffersink"),
    ]
    for first, second in itertools.pairwise(nodes):
        first.link_to(second)
    graph.configure()
    return graph

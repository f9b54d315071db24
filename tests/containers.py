"""Videos of any container, written by PyAV: small ones whose pictures gray levels tell apart."""

import dataclasses
import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

WIDTH, HEIGHT = 64, 48
# Far enough apart that no codec confuses two, as they are coded here.
STEP = 12
COLOUR = np.full((HEIGHT, WIDTH, 3), (200, 60, 30), np.uint8)
# 30 Hz for a while, then 10 Hz, as a phone films in the dark.
UNEVEN = (0, 33, 67, 100, 133, 233, 333, 433, 533)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Film:
    """What a file holds; a picture's gray level is its number times `STEP`, from `level` on.

    Attributes:
        stamps: Presentation time of each picture, in units of `time_base`.
        time_base: Seconds a unit.
        codec: libavcodec's encoder.
        options: Of the encoder.
        rate: What the header says.
        turned: Degrees counter-clockwise, and mirroring left to right and upside down.
        aspect: Width of a sample in its heights.
        picture: uint8 (H, W, 3) that every frame shows instead of a gray level.
        pixel_format: As coded.
        colorspace: Matrix, 2: not told.
        color_range: 1 limited, 2 full, 0 not told.
        transfer: Characteristics, 2: not told, 16: PQ, 18: HLG.
    """

    stamps: Sequence[int] = tuple(range(12))
    time_base: Fraction = Fraction(1, 25)
    codec: str = "mpeg4"
    options: dict[str, str] = dataclasses.field(default_factory=dict)
    rate: Fraction = Fraction(25)
    turned: tuple[int, bool, bool] = (0, False, False)
    aspect: Fraction = Fraction(1)
    picture: np.ndarray | None = None
    pixel_format: str = "yuv420p"
    colorspace: int = 2
    color_range: int = 0
    transfer: int = 2


def gray(number: int) -> np.ndarray:
    """The picture of a number, uint8 (H, W, 3)."""
    return np.full((HEIGHT, WIDTH, 3), STEP * (number % 20) + 8, np.uint8)


def number(picture: np.ndarray) -> int:
    """Which gray picture a decoded one is, modulo 20."""
    return round((float(picture.mean()) - 8) / STEP)


def write(
    path: Path,
    film: Film,
    *,
    container: str | None = None,
    cover: bool = False,
    muxing: dict[str, str] | None = None,
) -> Path:
    """Writes a file and returns its path.

    Args:
        path: The file; its suffix chooses the container unless `container` does.
        film: What it holds.
        container: libavformat's name.
        cover: A still picture is the first video stream.
        muxing: Options of the container's writer.
    """
    with av.open(str(path), "w", format=container, options=muxing or {}) as output:
        if cover:
            still = output.add_stream("mjpeg", rate=1)
            still.width, still.height, still.pix_fmt = 32, 32, "yuvj420p"
        stream = output.add_stream(film.codec, rate=film.rate, options=film.options)
        shape = gray(0).shape if film.picture is None else film.picture.shape
        stream.height, stream.width = shape[:2]
        stream.pix_fmt = film.pixel_format
        stream.codec_context.time_base = film.time_base
        stream.codec_context.thread_count = 1
        stream.codec_context.sample_aspect_ratio = film.aspect
        if film.codec == "mpeg4":
            # Coarse quantisers turn gray levels into neighbours; a new level is no new scene.
            fixed = {"qmin": "2", "qmax": "2", "sc_threshold": "1000000000"}
            stream.codec_context.options = film.options | fixed
        stream.codec_context.colorspace = film.colorspace
        stream.codec_context.color_range = film.color_range
        stream.codec_context.color_trc = film.transfer
        if film.turned != (0, False, False):
            stream.set_display_rotation(*film.turned)
        if cover:
            picture = av.VideoFrame.from_ndarray(gray(3)[:32, :32].copy(), "rgb24")
            output.mux(still.encode(picture.reformat(format="yuvj420p")))
            output.mux(still.encode())
        for index, stamp in enumerate(film.stamps):
            pixels = gray(index) if film.picture is None else film.picture
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
            frame = frame.reformat(
                format=film.pixel_format,
                dst_colorspace=film.colorspace if film.colorspace != 2 else None,
                dst_color_range=film.color_range or None,
            )
            frame.pts, frame.time_base = stamp, film.time_base
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return path


def filmed(path, pictures, codec="libx264", *, rate=30, container=None, **options):
    """Writes pictures, uint8 (H, W, 3) RGB, their odd last row and column left out.

    Args:
        path: The file; its suffix names the container.
        pictures: In the order in which they are shown.
        codec: libavcodec's encoder.
        rate: Pictures a second.
        container: libavformat's name of it instead; it writes MP4 into .m4v.
        **options: Of the encoder, with _ for -.
    """
    height, width = (edge & ~1 for edge in pictures[0].shape[:2])
    named = {name.replace("_", "-"): str(value) for name, value in options.items()}
    with av.open(str(path), "w", format=container) as target:
        video = target.add_stream(codec, rate=rate, options=named)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        for picture in pictures:
            part = np.ascontiguousarray(picture[:height, :width])
            target.mux(video.encode(av.VideoFrame.from_ndarray(part, "rgb24")))
        target.mux(video.encode(None))
    return path


def with_edit(data, first, count):
    """A file of PyAV with an edit list that shows `count` pictures from `first` on, 25 Hz."""
    at = data.index(b"elst")
    scale = struct.unpack_from(">I", data, data.index(b"mvhd") + 16)[0]
    media = struct.unpack_from(">I", data, data.index(b"mdhd") + 16)[0]
    # Pictures that are coded before others that are shown first make the media begin later.
    start = struct.unpack_from(">i", data, at + 16)[0]
    entry = struct.pack(">Ii", count * scale // 25, start + first * media // 25)
    return data[: at + 12] + entry + data[at + 20 :]


def with_edits(data, entries):
    """A file of PyAV, its index at its end, with an edit list of several spans.

    Args:
        data: The file's bytes.
        entries: (seconds shown, first second of the media) of each span.
    """
    scale = struct.unpack_from(">I", data, data.index(b"mvhd") + 16)[0]
    media = struct.unpack_from(">I", data, data.index(b"mdhd") + 16)[0]
    start = struct.unpack_from(">i", data, data.index(b"elst") + 16)[0]
    table = struct.pack(">II", 0, len(entries))
    for seconds, first in entries:
        table += struct.pack(">IiI", seconds * scale, start + first * media, 1 << 16)
    elst = struct.pack(">I4s", 8 + len(table), b"elst") + table

    def rebuilt(at, end):
        made = b""
        while at < end:
            size, name = struct.unpack_from(">I4s", data, at)
            body = data[at + 8 : at + size]
            if name in (b"moov", b"trak"):
                body = rebuilt(at + 8, at + size)
            elif name == b"edts":
                body = elst
            made += struct.pack(">I4s", 8 + len(body), name) + body
            at += size
        return made

    return rebuilt(0, len(data))


def quarters():
    """Four colours, so that every turn and mirror is another picture."""
    picture = np.empty((48, 64, 3), np.uint8)
    picture[:24, :32], picture[:24, 32:] = (200, 30, 30), (30, 200, 30)
    picture[24:, :32], picture[24:, 32:] = (30, 30, 200), (220, 220, 220)
    return picture


def turned(picture, degrees, mirrored, flipped):
    """A picture turned counter-clockwise, then mirrored left to right, then upside down."""
    picture = np.rot90(picture, degrees // 90)
    picture = picture[:, ::-1] if mirrored else picture
    return picture[::-1] if flipped else picture


def difference(first, second):
    """Mean absolute difference of two pictures of one size."""
    assert first.shape == second.shape
    return np.abs(first.astype(int) - second).mean()

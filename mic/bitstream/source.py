"""From a file to its index of VOPs.

The parser indexes elementary streams, `mic.bitstream.sample_table` plain MP4 files; PyAV demuxes
everything else and hands out packets.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av

from mic import _native
from mic.bitstream.sample_table import SampleTable, read_sample_table
from mic.codec.containers import Volume, check_regular, check_size, open_container
from mic.codec.reading import video_stream
from mic.errors import BitstreamError, CodecError, UnsupportedSyntaxError

REMEDY = "re-encode it with `mic.codec.reencode`"
_START_CODES = frozenset({0xB0, 0xB2, 0xB3, 0xB5, 0xB6, *range(0x30)})
_DEFAULT_RATE = Fraction(25)


def syntax_error(
    unsupported: bool, clause: str, bit_offset: int, message: str, *, path: Path, packet: int
) -> BitstreamError:
    """The typed error for what the parser reported about one packet."""
    place = f"packet {packet}, bit {bit_offset}, clause {clause}"
    if unsupported:
        return UnsupportedSyntaxError(
            f"{message} is not supported", file=path, place=place, remedy=REMEDY
        )
    return BitstreamError(
        message, file=path, place=place, remedy='repair it, or read it with on_error="mask"'
    )


def open_index(path: Path) -> tuple[_native.Stream, Fraction]:
    """Indexes a file.

    Elementary streams are recognised by their first bytes, whatever the file is called.

    Args:
        path: MPEG-4 Part 2 video in any container that PyAV demuxes, or an elementary stream.

    Returns:
        The index and the frame rate in Hz.

    Raises:
        CodecError: The file cannot be opened, has no video, or claims a gigantic picture.
        UnsupportedSyntaxError: It is not MPEG-4 Part 2, or uses a feature outside our profile.
        BitstreamError: Its headers are damaged.
    """
    check_regular(path)
    try:
        with path.open("rb") as file:
            head = file.read(8)
            table = read_sample_table(file) if head[4:] == b"ftyp" else None
    except OSError as error:
        raise CodecError(f"cannot open: {error.strerror}", file=path) from error
    if head[:3] == b"\0\0\1" and head[3:] and head[3] in _START_CODES:
        index, rate = _open_elementary(path)
    elif table is not None:
        index, rate = _open_table(path, table)
    else:
        try:
            with _demuxer(path) as box:
                index, rate = _open_container(path, box)
        except av.FFmpegError as error:
            raise CodecError(f"cannot demux: {error}", file=path) from error
    check_size(*index.size, path)
    return index, rate


@contextlib.contextmanager
def _demuxer(path: Path) -> Iterator[av.container.InputContainer]:
    # Looking into the packets for what headers tell costs more than parsing ten frames. FLV has
    # no such headers: its streams are known once a packet of each has come.
    with open_container(path, options={"analyzeduration": "0", "probesize": "32"}) as box:
        if box.streams.video:
            yield box
            return
    with open_container(path) as box:
        yield box


def _open_elementary(path: Path) -> tuple[_native.Stream, Fraction]:
    index = _native.Stream(os.fsencode(path))
    try:
        index.scan()
    except _native.SyntaxError as error:
        raise syntax_error(*error.args, path=path, packet=len(index)) from None
    if len(index) == 0:
        raise BitstreamError("there is no VOP in the stream", file=path)
    resolution, increment = index.ticks
    return index, Fraction(resolution, increment) if increment else _DEFAULT_RATE


def _open_table(path: Path, table: SampleTable) -> tuple[_native.Stream, Fraction]:
    index = None
    try:
        index = _native.Stream(os.fsencode(path), table.extradata)
        index.append_table(table.offsets, table.sizes)
    except _native.SyntaxError as error:
        number = 0 if index is None else len(index)
        raise syntax_error(*error.args, path=path, packet=number) from None
    return index, table.frame_rate


def _open_container(
    path: Path, box: av.container.InputContainer
) -> tuple[_native.Stream, Fraction]:
    video = video_stream(box, path)
    codec = video.codec_context.name
    if codec != "mpeg4":
        raise UnsupportedSyntaxError(
            f"the video is {codec}, not MPEG-4 Part 2",
            file=path,
            remedy=f'{REMEDY}, or read it with method="decoded"',
        )
    index = None
    try:
        index = _native.Stream(os.fsencode(path), video.codec_context.extradata or b"")
        volume = Volume(path)
        for packet in box.demux(video):
            volume.take(packet)
            if packet.size:
                index.append(-1 if packet.pos is None else packet.pos, packet)
    except _native.SyntaxError as error:
        number = 0 if index is None else len(index)
        raise syntax_error(*error.args, path=path, packet=number) from None
    if len(index) == 0:
        raise BitstreamError("there is no VOP in the stream", file=path)
    return index, video.average_rate or video.base_rate or _DEFAULT_RATE

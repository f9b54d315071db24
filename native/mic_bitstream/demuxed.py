"""Containers that PyAV demuxes, to an index of VOPs: AVI, Matroska, FLV, fragmented MP4, ..."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer

from mic_bitstream.containers import has_times, open_container, packets_of, video_stream
from mic_bitstream.decoding import repeats
from mic_bitstream.errors import CodecError, UnsupportedSyntaxError
from mic_bitstream.promises import MAX_ABSENT, absent_packets
from mic_bitstream.vop_index import DEFAULT_RATE, REMEDY, Index, absence, indexing

# Times are rounded, to milliseconds in Matroska, and the first and last may be cut.
_RATES_APART = 0.1


def open_demuxed(path: Path, *, masked: bool) -> Index:
    """Indexes the video stream of a container.

    Args:
        path: The file.
        masked: Whether VOPs whose headers cannot be read are entered as damaged.

    Raises:
        CodecError: libavformat cannot read it, or it has no video.
        UnsupportedSyntaxError: It is not MPEG-4 Part 2, or uses a feature outside our profile.
        BitstreamError: Its headers are damaged.
    """
    try:
        with _demuxer(path) as box:
            return _index(path, box, masked=masked)
    except av.FFmpegError as error:
        raise CodecError(f"cannot demux: {error}", file=path) from error


def _index(path: Path, box: InputContainer, *, masked: bool) -> Index:
    video = video_stream(box, path)
    codec = video.codec_context.name
    if codec != "mpeg4":
        raise UnsupportedSyntaxError(
            f"the video is {codec}, not MPEG-4 Part 2",
            file=path,
            remedy=f'{REMEDY}, or read it with its `mic.bitstream.read(..., method="decoded")`',
        )
    stamps: list[float] = []
    starts: list[float] = []
    held = absent = 0
    end = 0.0
    extradata = video.codec_context.extradata or b""
    with indexing(path, masked=masked, extradata=extradata) as index:
        for packet in packets_of(box, video, path):
            held += packet.size > 0 or packet.dts is not None  # AVI repeats by empty packets
            if not packet.size or repeats(packet):
                continue
            index.append(-1 if packet.pos is None else packet.pos, packet)
            stamp = packet.dts if packet.pts is None else packet.pts
            time = math.nan if stamp is None else float(stamp * packet.time_base)
            if stamp is not None:
                coded = stamp if packet.dts is None else packet.dts
                starts.append(float(coded * packet.time_base))
                end = max(end, starts[-1] + float((packet.duration or 0) * packet.time_base))
            stamps += [time] * (len(index) - len(stamps))
        absent = min(absent_packets(path, box, video, held, starts, end), MAX_ABSENT)
        if absent:
            index.append_absent(absent)
            stamps += [math.nan] * absent
    rate = _rate(np.array(stamps), video.average_rate or video.base_rate or DEFAULT_RATE)
    # AVI keeps decoding times only, which are those of showing where no picture comes later.
    told = has_times(box) and ("avi" not in box.format.name or index.low_delay)
    timed = np.array(stamps) if told else None
    return Index(index, rate, timed, absence(path, absent, len(index)))


def _rate(times: np.ndarray, told: Fraction) -> Fraction:
    """Pictures a second: as the file says, unless the pictures' times tell quite another story.

    In AVI that was copied from another container the header has the ticks of its clock.
    """
    known = times[np.isfinite(times)]
    if len(known) < 2 or np.ptp(known) <= 0:
        return told
    seen = (len(known) - 1) / float(np.ptp(known))
    near = abs(float(told) / seen - 1) < _RATES_APART
    return told if near else Fraction(seen).limit_denominator(1001)


@contextlib.contextmanager
def _demuxer(path: Path) -> Iterator[InputContainer]:
    # Looking into the packets for what headers tell costs more than parsing ten frames. FLV has
    # no such headers: its streams are known once a packet of each has come.
    with open_container(path, options={"analyzeduration": "0", "probesize": "32"}) as box:
        if box.streams.video:
            yield box
            return
    with open_container(path) as box:
        yield box

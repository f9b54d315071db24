"""A video's index: what its packets hold and when each picture is shown, without decoding.

Packets come in coding order, pictures in the order in which they are shown. The two are paired by
presentation time stamp. Some packets hold no picture that is shown: those before or behind an edit
list's cut, not-coded VOPs (ISO/IEC 14496-2, 6.3.5), hidden frames of VP8 and VP9, and where a
stream begins in its middle what refers to something before it.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable
from fractions import Fraction

import av
import numpy as np

from mic.codec.clocks import MISSING, filled, follow, follow_keys
from mic.codec.entrances import entrance_of
from mic.codec.fields import FieldPairs, Mpeg2FieldPairs
from mic.codec.picture_headers import avc_picture, mpeg_type, vp9_shows
from mic.codec.references import references_of, unsound
from mic.codec.vops import Vops
from mic.errors import CodecError

# libavcodec's decoders: what they make of pictures whose references are missing is no picture.
_FROM_KEY = frozenset(
    {"msmpeg4v1", "msmpeg4v2", "msmpeg4", "wmv1", "wmv2", "h263", "h263p", "flv", "svq1"}
    | {"vp3", "theora", "vp4", "vp5", "vp6", "vp6a", "vp6f", "vp7", "vp8", "vp9"}
    | {"av1", "libdav1d", "libaom-av1", "snow", "ffv1", "flashsv2"}
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Index:
    """P packets in coding order, and the S pictures that are shown.

    Attributes:
        sizes: int64 (P,), bytes.
        headers: Bytes of headers kept apart from the packets, if the first does not repeat them.
        keyframes: bool (P,): decoding can start here.
        kinds: One letter a packet: I, P, B or S of MPEG-4 Part 2, N for a VOP that is not coded;
            of other codecs I for key frames and P for all others.
        discarded: bool (P,): cut away by an edit list; decoded, but not shown.
        begin: The first packet that is decoded: recordings of broadcasts begin anywhere, and what
            comes before the first key picture shows nothing.
        leading: Packets behind `begin` that are not decoded: they refer to some before it.
        midway: Whether pictures behind the first may name others that were coded before it.
        stamps: int64 (P,), presentation time stamps in the stream's units.
        second_fields: bool (P,): packets that hold the second field of a picture.
        unsound: bool (S,): shown pictures that may refer to one that is missing, of H.264, MPEG-1
            and -2; none is known where recordings are joined, or the order of H.264 is not.
        by_stamp: Whether the stamps tell in what order pictures are shown. AVI and raw streams
            have none that do: there the k-th decoded picture is the k-th shown.
        packet_of: int64 (S,), the packet of each shown picture.
        times: float64 (S,), seconds from the first shown picture, never decreasing.
        rows: int64 (R,), the packets of shown pictures and of VOPs that are not coded, by which
            the picture before stays: what `mic.extract` gives a row each.
        row_times: float64 (R,), their times.
        duration: Seconds from there to the end of the last picture.
        start: Seconds of the first shown picture on the container's clock, by which sound is
            aligned.
        damage: Why reading ended early; None if all could be read.
    """

    sizes: np.ndarray
    headers: int
    keyframes: np.ndarray
    kinds: str
    discarded: np.ndarray
    begin: int
    leading: frozenset[int]
    midway: bool
    stamps: np.ndarray
    second_fields: np.ndarray
    unsound: np.ndarray
    by_stamp: bool
    packet_of: np.ndarray
    times: np.ndarray
    rows: np.ndarray
    row_times: np.ndarray
    duration: float
    start: float
    damage: CodecError | None

    def __len__(self) -> int:
        """The number of pictures that are shown."""
        return len(self.times)

    @property
    def interval(self) -> float:
        """Seconds from the last picture to the video's end."""
        return self.duration - float(self.times[-1]) if len(self) else 0.0

    def picture_of(self) -> np.ndarray:
        """int64 (P,): the shown picture of each packet, -1 where there is none."""
        found = np.full(len(self.sizes), -1, np.int64)
        found[self.packet_of] = np.arange(len(self))
        return found

    def number(self, stamp: int | None) -> int | None:
        """The shown picture with a time stamp; None if the index knows none."""
        return None if stamp is None else self._numbers.get(stamp)

    @functools.cached_property
    def _numbers(self) -> dict[int, int]:
        stamps = self.stamps[self.packet_of].tolist() if self.by_stamp else []
        return {stamp: number for number, stamp in enumerate(stamps)}


def index_of(
    packets: Iterable[av.Packet[av.VideoStream]],
    *,
    codec: str,
    extradata: bytes,
    rate: Fraction,
    timed: bool,
    ordered: bool,
    reordered: bool,
    joined: bool,
    keyed: bool,
    time_base: Fraction,
) -> Index:
    """Reads all packets of a stream.

    Args:
        packets: In coding order; a `CodecError` among them ends the index and is kept in it.
        codec: libavcodec's name.
        extradata: Headers kept apart from the packets.
        rate: Pictures a second by the headers, for streams without times.
        timed: Whether the container keeps times.
        ordered: Whether its presentation time stamps can be trusted to order pictures.
        reordered: Whether pictures are shown in another order than they are coded in, as far as
            the decoder tells.
        joined: Whether the container is one whose files can be joined byte by byte: its clock may
            begin anew.
        keyed: Whether recordings begin with key pictures in such a container, which keeps no
            decoding times.
        time_base: Seconds a unit of the stamps.
    """
    entries, damage = _Entries(codec, extradata), None
    try:
        for packet in packets:
            entries.add(packet)
    except CodecError as error:
        damage = error
    pts, dts = np.array(entries.pts, np.int64), np.array(entries.dts, np.int64)
    if keyed:
        anew = follow_keys(pts, dts, np.array(entries.keyframes, bool), float(time_base))
    else:
        anew = joined and follow(pts, dts, float(time_base))
    # Containers that keep decoding times only call them presentation times: these rise.
    rising = reordered and bool((np.diff(pts[~entries.second_fields()]) > 0).all())
    discarded = np.array(entries.discarded, bool)
    begin = entries.begin()
    stamped = timed and ordered and not rising and bool((pts != MISSING).all())
    pictures = entries.shown(begin, pts if stamped else None)
    uncoded = np.frombuffer("".join(entries.kinds).encode(), np.uint8) == ord("N")
    packed = bool((pictures > 1).any())  # its VOPs that are not coded only hold a place
    held = pictures if packed else np.maximum(pictures, uncoded)
    leading = entries.leading()
    held[:begin] = held[leading] = 0
    holding = np.arange(len(pts)).repeat(held)
    rows, by_stamp = _order(entries.types, pts, holding, trusted=timed and ordered and not rising)
    by_stamp = by_stamp and not anew  # a stamp may be that of two pictures
    rows = rows[~discarded[rows]]
    # In what order H.264 is shown only the decoder knows, if the stamps do not.
    in_order = by_stamp or codec != "h264" or not reordered
    stamps = pts if by_stamp or rising else np.where(dts == MISSING, pts, dts)
    if joined:
        stamps = filled(stamps)
    if not timed or (stamps[rows] == MISSING).any():
        rate = entries.vops.rate() or rate
        seconds, zero = np.arange(len(rows)) / float(rate), 0
    else:
        # The second of two pictures in one packet has the time of the place that is held.
        ticks = np.sort(stamps[begin:][~discarded[begin:]] if packed else stamps[rows])
        ticks = np.maximum.accumulate(np.resize(ticks, len(rows)))
        zero = int(ticks[0]) if len(ticks) else 0
        seconds = (ticks - zero) * float(time_base)
    shown = pictures[rows] > 0
    packet_of = rows[shown]
    first = float(seconds[shown][0]) if shown.any() else 0.0
    start = zero * float(time_base) + first
    if timed and shown.any() and pts[packet_of[0]] != MISSING:  # `zero` may be a decoding time
        start = int(pts[packet_of[0]]) * float(time_base)
    times = seconds - first
    stated = entries.durations[rows[-1]] * float(time_base) if len(rows) else 0.0
    return Index(
        sizes=np.array(entries.sizes, np.int64),
        headers=entries.headers,
        keyframes=np.array(entries.keyframes, bool),
        kinds="".join(entries.kinds),
        discarded=discarded,
        begin=begin,
        leading=frozenset(leading),
        midway=entries.entrance is not None and entries.entrance.whole is not None,
        stamps=pts,
        second_fields=entries.second_fields(),
        unsound=entries.unsound(pts)[packet_of] & (in_order and not anew),
        by_stamp=by_stamp,
        packet_of=packet_of,
        times=times[shown],
        rows=rows,
        row_times=np.maximum(times, 0.0),
        duration=_end(times, stated, rate),
        start=start,
        damage=damage,
    )


def _order(
    types: list[str], pts: np.ndarray, coded: np.ndarray, *, trusted: bool
) -> tuple[np.ndarray, bool]:
    """Packets in the order in which they are shown, and whether time stamps gave it."""
    by_kind = _reordered([types[packet] for packet in coded], coded)
    stamps = pts[coded]
    if not trusted or (stamps == MISSING).any() or len(np.unique(stamps)) < len(stamps):
        return by_kind, False
    by_stamp = coded[np.argsort(stamps, kind="stable")]
    # Matroska in its VfW mode stores decoding times and calls them presentation times; where
    # transport streams tell the times of key pictures only, libavformat guesses the others'.
    contradicted = "B" in types and not np.array_equal(by_stamp, by_kind)
    return (by_kind, False) if contradicted else (by_stamp, True)


def _reordered(types: list[str], coded: np.ndarray) -> np.ndarray:
    """Coding to display order: B-pictures are shown at once, others when the next comes."""
    shown, held = [], None
    for packet, letter in zip(coded.tolist(), types, strict=True):
        if letter == "B":
            shown.append(packet)
            continue
        if held is not None:
            shown.append(held)
        held = packet
    return np.array(shown if held is None else [*shown, held], np.int64)


def _end(times: np.ndarray, stated: float, rate: Fraction) -> float:
    """When the last picture ends.

    Containers state how long it is shown, but many writers guess: what is less than three
    quarters of the intervals before it is not believed.
    """
    if len(times) == 0:
        return 0.0
    usual = float(np.median(np.diff(times[-6:]))) if len(times) > 1 else 1 / float(rate)
    last = stated if stated >= 0.75 * usual or (len(times) == 1 and stated > 0) else usual
    return float(times[-1]) + last


class _Entries:
    """What is kept of each packet."""

    def __init__(self, codec: str, extradata: bytes) -> None:
        self._codec = codec
        self._extradata, self.headers = extradata, 0
        self.vops = Vops(extradata)
        self.pts: list[int] = []
        self.dts: list[int] = []
        self.durations: list[int] = []
        self.sizes: list[int] = []
        self.keyframes: list[bool] = []
        self.discarded: list[bool] = []
        self.kinds: list[str] = []
        self.types: list[str] = []  # of VOPs that are not coded as well
        self._pictures: list[int] = []
        self._shows: list[bool] = []  # as the entrance has it
        self._second_fields: list[bool] = []
        self.entrance = entrance_of(codec, extradata)
        self._references = references_of(codec, extradata)
        self._fields: FieldPairs | Mpeg2FieldPairs | None = None
        if codec == "h264":
            self._fields = FieldPairs(extradata)
        elif codec == "mpeg2video":
            self._fields = Mpeg2FieldPairs()

    def begin(self) -> int:
        """The packet of the first key picture, where others cannot be decoded; else 0."""
        if self.entrance is not None:
            return self.entrance.begin or 0
        if self._codec not in _FROM_KEY:
            return 0
        keys = (number for number, kind in enumerate(self.kinds) if kind == "I")
        return next(keys, 0)

    def shown(self, begin: int, stamps: np.ndarray | None) -> np.ndarray:
        """int64 (P,): pictures that each packet holds and that are shown, from packet `begin` on.

        Where a stream can be entered nowhere, all are counted, and the decoder decides.

        Args:
            begin: See `begin`.
            stamps: Presentation time stamps if they order the pictures.
        """
        pictures = np.array(self._pictures, np.int64)
        if self.entrance is not None and any(self._shows):
            shows = np.array(self._shows)
            if stamps is not None:
                shows = self.entrance.by_stamps(stamps, shows)
            pictures = np.where(shows, pictures, 0)
            if self.entrance.leads_within:
                pictures[begin] = 1
        pictures[:begin] = 0
        pictures[self.second_fields()] = 0
        return pictures

    def leading(self) -> list[int]:
        """Leading pictures: packets that refer to others before the first that is decoded."""
        return [] if self.entrance is None else self.entrance.leading

    def second_fields(self) -> np.ndarray:
        """Bool (P,): packets that hold the second field of a picture."""
        return np.array(self._second_fields, bool)

    def unsound(self, stamps: np.ndarray) -> np.ndarray:
        """Bool (P,): packets whose pictures may refer to one that is missing."""
        if self._references is None:
            return np.zeros(len(stamps), bool)
        lost = np.array(self._references.lost, bool)
        return unsound(lost, np.array(self.keyframes, bool), stamps)

    def add(self, packet: av.Packet[av.VideoStream]) -> None:
        data = bytes(packet)
        if not self.sizes and self._extradata not in data:
            self.headers = len(self._extradata)
        fields = self._fields
        looked_at = fields is not None and (packet.is_keyframe or fields.expected)
        second = fields is not None and looked_at and fields.second(data)
        self._second_fields.append(second)
        if self._references is not None:
            self._references.add(data, second=second)
        self.pts.append(MISSING if packet.pts is None else packet.pts)
        self.dts.append(MISSING if packet.dts is None else packet.dts)
        if second and self.pts[-1] == MISSING:  # a demuxer split what had one stamp
            self.pts[-1], self.dts[-1] = self.pts[-2], self.dts[-2]
        self.durations.append(packet.duration or 0)
        self.sizes.append(packet.size)
        self.keyframes.append(self._is_key(packet))
        self.discarded.append(packet.is_discard)
        kind, pictures = "I" if packet.is_keyframe else "P", 1
        letter, shows = kind, True
        if self._codec == "mpeg4":
            vop = self.vops.add(data)
            kind, letter, pictures = vop.kind, vop.type, vop.coded
        elif self._codec in ("mpeg1video", "mpeg2video"):
            letter = mpeg_type(data)
        elif self._codec == "vp8":  # RFC 6386, 9.1: show_frame
            pictures = data[0] >> 4 & 1
        elif self._codec == "vp9":
            pictures = vp9_shows(data)
        if self.entrance is not None and not self.entrance.passed:
            shows = self.entrance.shows(data, second=second)
        self.kinds.append(kind)
        self.types.append(letter)
        self._pictures.append(pictures)
        self._shows.append(shows)

    def _is_key(self, packet: av.Packet[av.VideoStream]) -> bool:
        """Whether decoding can start here: not where blocks are only beginning to be refreshed."""
        if not packet.is_keyframe or self._codec != "h264":
            return packet.is_keyframe
        return avc_picture(bytes(packet), self._extradata).type in ("I", "?")
